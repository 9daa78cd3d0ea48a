"""Answers from your own documents, reading exactly as much as each question needs."""

__version__ = "0.1.0"
