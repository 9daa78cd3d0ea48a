"""E-mail: sender, recipients, date, subject, the text, and the names of the attachments."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

from lcrag.errors import InputError
from lcrag.ingest.extracted import Extracted, locate_lines, squeeze
from lcrag.ingest.html import from_markup
from lcrag.ingest.text import decode

HEADERS = frozenset({"from", "to", "cc", "date", "subject"})


def extract(data: bytes) -> Extracted:
    message = message_from_bytes(data, _class=EmailMessage, policy=policy.default)
    if not message.keys():
        raise InputError("it has no headers")
    head = "\n".join(_headers(message))
    body = message.get_body(preferencelist=("plain", "html"))
    content = ""
    if body is not None:
        raw = body.get_payload(decode=True)
        content = decode(raw if isinstance(raw, bytes) else b"", body.get_content_charset())
        if body.get_content_type() == "text/html":
            content = from_markup(content).text
    names = [name for part in message.iter_attachments() if (name := part.get_filename())]
    attached = f"\n\nAttached: {', '.join(names)}" if names else ""
    text = f"{head}\n\n{content.strip()}{attached}\n"
    return Extracted(text, squeeze(str(message["Subject"] or "")), (), locate_lines(text, decode(data)))


def _headers(message: EmailMessage) -> Iterator[str]:
    """The header lines worth reading, in the file's order and words; only encoded words are decoded."""
    for name, raw in message.raw_items():
        if name.lower() in HEADERS:
            value = message.policy.header_fetch_parse(name, raw) if "=?" in raw else raw
            yield f"{name}: {squeeze(str(value))}"
