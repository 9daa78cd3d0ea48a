"""Mailboxes (mbox): the messages one after the other, each read as a mail is."""

from __future__ import annotations

from lcrag.ingest.mail import extract_mailbox as extract

__all__ = ["extract"]
