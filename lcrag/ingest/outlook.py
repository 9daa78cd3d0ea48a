"""Outlook messages (.msg), through olefile (BSD-2-Clause; extract-msg is GPL): headers, text, what is attached."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from lcrag.errors import InputError
from lcrag.ingest.extracted import Extracted, squeeze
from lcrag.ingest.html import from_markup
from lcrag.ingest.mail import TEXT_SUFFIXES, not_read
from lcrag.ingest.text import decode

SENDER, ADDRESS, TO, CC, SUBJECT, BODY, HTML = "0C1A", "5D01", "0E04", "0E03", "0037", "1000", "1013"
LONG_NAME, SHORT_NAME, DATA = "3707", "3704", "3701"
SENT: Final = (0x0039, 0x0E06)
"""When the sender submitted it, when it was delivered."""


def extract(data: bytes) -> Extracted:
    """Raises InputError for another kind of file, or one without a text."""
    import olefile

    if not olefile.isOleFile(io.BytesIO(data)):
        raise InputError("it is not an Outlook message")
    with olefile.OleFileIO(io.BytesIO(data)) as file:
        if not file.exists("__properties_version1.0"):
            raise InputError("it is not an Outlook message")
        attached: list[str] = []
        text = "\n\n".join(block for block in _message(file, [], attached) if block)
        return Extracted(f"{text}\n", squeeze(_string(file, [], SUBJECT)), unread=not_read(attached))


def _message(file: Any, folder: list[str], unread: list[str]) -> Iterator[str]:
    """Blocks of text; ``unread`` gets the names of what is attached and not read."""
    sender, address = (squeeze(_string(file, folder, tag)) for tag in (SENDER, ADDRESS))
    head = {
        "From": f"{sender} <{address}>" if address and address != sender else sender,
        "To": _string(file, folder, TO),
        "Cc": _string(file, folder, CC),
        "Date": _sent(file, folder),
        "Subject": _string(file, folder, SUBJECT),
    }
    yield "\n".join(f"{name}: {squeeze(value)}" for name, value in head.items() if value.strip())
    body = _string(file, folder, BODY).strip()
    html = _stream(file, folder, f"{HTML}0102") or _string(file, folder, HTML).encode()
    shown = from_markup(decode(html)).text.strip()
    yield shown if len(shown.split()) > 2 * len(body.split()) else body
    attached: list[str] = []
    for inside in _attachments(file, folder):
        name = squeeze(_string(file, inside, LONG_NAME) or _string(file, inside, SHORT_NAME))
        embedded = [*inside, f"__substg1.0_{DATA}000D"]
        if file.exists([*embedded, "__properties_version1.0"]):
            yield from _message(file, embedded, unread)
        elif PurePath(name.lower()).suffix in TEXT_SUFFIXES:
            yield f"Attached: {name}\n{decode(_stream(file, inside, f'{DATA}0102')).strip()}"
        elif name:
            attached.append(name)
    yield f"Attached: {', '.join(attached)}" if attached else ""
    unread += attached


def _attachments(file: Any, folder: list[str]) -> list[list[str]]:
    depth = len(folder)
    inside = {tuple(path[: depth + 1]) for path in file.listdir() if path[:depth] == folder and len(path) > depth + 1}
    return [list(path) for path in sorted(inside) if path[-1].startswith("__attach")]


def _stream(file: Any, folder: list[str], tag: str) -> bytes:
    path = [*folder, f"__substg1.0_{tag}"]
    return bytes(file.openstream(path).read()) if file.exists(path) else b""


def _string(file: Any, folder: list[str], tag: str) -> str:
    """A property as Unicode, or in the code page of the machine that wrote it."""
    text = _stream(file, folder, f"{tag}001F").decode("utf-16-le", "replace") or decode(
        _stream(file, folder, f"{tag}001E")
    )
    return text.replace("\r\n", "\n").rstrip("\0")


def _sent(file: Any, folder: list[str]) -> str:
    """The date in UTC, from the 16-byte records of the properties; "" without one."""
    raw = file.openstream([*folder, "__properties_version1.0"]).read()
    records = {raw[at + 2 : at + 4]: raw[at + 8 : at + 16] for at in range(len(raw) % 16, len(raw) - 15, 16)}
    for tag in SENT:
        ticks = int.from_bytes(records.get(tag.to_bytes(2, "little"), b""), "little")
        if 0 < ticks < 2**60:
            moment = datetime.datetime(1601, 1, 1) + datetime.timedelta(microseconds=ticks // 10)
            return f"{moment:%Y-%m-%d %H:%M} UTC"
    return ""
