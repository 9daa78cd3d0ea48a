"""E-mail and mailboxes: sender, recipients, date, subject, every text, forwarded messages, the names of attachments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from pathlib import PurePath
from typing import Final

from lcrag.errors import InputError
from lcrag.ingest.extracted import Extracted, locate_lines, some, squeeze
from lcrag.ingest.html import from_markup
from lcrag.ingest.text import decode

HEADERS: Final = frozenset({"from", "to", "cc", "date", "subject"})
TEXT_SUFFIXES: Final = frozenset(".txt .text .md .csv .tsv .log .json .xml .yaml .yml .ics .vcf .srt .rst .eml".split())
"""Attachments that are read when they are sent as data of no named kind."""
LONGEST_HEADER: Final = 100_000
"""Characters of a header that are read: a list of some 2,000 recipients."""
MESSAGE: Final = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From [^\r\n]*\r?\n(?=[\w-]+:|>?From )")
"""The line that begins a message of a mailbox, with a header after it."""


def extract(data: bytes) -> Extracted:
    """Raises InputError for a file without headers."""
    message = message_from_bytes(MESSAGE.sub(b"", data, count=1))
    if not message.keys():
        raise InputError("it has no headers")
    attached: list[str] = []
    text = "\n\n".join(_message(message, attached)) + "\n"
    return Extracted(text, _subject(message), (), locate_lines(text, decode(data)), unread=not_read(attached))


def extract_mailbox(data: bytes) -> Extracted:
    """The messages of an mbox file, in order; ``cells`` are where they begin."""
    starts = [found.start() for found in MESSAGE.finditer(data)]
    text = ""
    cells = []
    attached: list[str] = []
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        raw = re.sub(rb"(?m)^>(>*From )", rb"\1", data[start:end].partition(b"\n")[2])
        cells.append(len(text))
        text += "\n\n".join(_message(message_from_bytes(raw), attached)) + "\n\n"
    if not cells:
        raise InputError("it holds no messages")
    return Extracted(text, "", (), locate_lines(text, decode(data)), tuple(cells), not_read(attached))


def not_read(attached: list[str]) -> str:
    """What is said of a mail with attachments of these names."""
    return f"attached and not read: {some(attached)}" if attached else ""


def _message(message: Message, unread: list[str]) -> Iterator[str]:
    """Blocks of text: the headers, the texts, the names of what is attached and not read, which ``unread`` gets."""
    yield "\n".join(_headers(message))
    attached: list[str] = []
    yield from _parts(message, attached)
    if attached:
        yield f"Attached: {', '.join(attached)}"
    unread += attached


def _parts(part: Message, attached: list[str]) -> Iterator[str]:
    kind = part.get_content_type()
    name = _decoded(part.get_filename() or "")
    inner = [one for one in part.get_payload() if isinstance(one, Message)] if part.is_multipart() else []
    if kind == "message/rfc822":
        for message in inner:
            yield from _message(message, attached)
    elif kind == "multipart/alternative":
        yield from _best([list(_parts(one, attached)) for one in inner], [one.get_content_type() for one in inner])
    elif inner:
        for one in inner:
            yield from _parts(one, attached)
    elif kind.startswith(("text/", "multipart/")) or PurePath(name.lower()).suffix in TEXT_SUFFIXES:
        raw = part.get_payload(decode=True)
        if isinstance(raw, bytes) and (text := _text(raw, kind, part)):
            yield f"Attached: {name}\n{text}" if name else text
    else:
        attached.append(name or kind)


def _best(versions: list[list[str]], kinds: list[str]) -> list[str]:
    """The first version with text, unless it is a stub: another then has more than twice as many words."""
    best: list[str] = []
    for version, kind in zip(versions, kinds, strict=True):
        if kind != "text/calendar" and _words(version) > 2 * _words(best):
            best = version
    return best


def _words(blocks: list[str]) -> int:
    return sum(len(block.split()) for block in blocks)


def _text(raw: bytes, kind: str, part: Message) -> str:
    charset = part.get_param("charset")
    text = decode(raw, charset if isinstance(charset, str) else None)
    if kind == "text/html":
        text = from_markup(text).text
    elif kind in ("text/rtf", "text/richtext") and text.startswith("{\\rtf"):
        from lcrag.ingest import rtf

        text = rtf.extract(raw).text
    return text.strip()


def _headers(message: Message) -> Iterator[str]:
    """The header lines worth reading, in the file's order and words; only encoded words are decoded."""
    for name, raw in message.raw_items():
        if name.lower() in HEADERS:
            yield f"{name}: {_decoded(str(raw))}"


def _subject(message: Message) -> str:
    return next((_decoded(str(raw)) for name, raw in message.raw_items() if name.lower() == "subject"), "")


def _decoded(header: str) -> str:
    """With encoded words decoded; a raw byte is a lone surrogate in the string."""
    header = header[:LONGEST_HEADER]
    try:
        pieces = decode_header(header) if "=?" in header else [(header, None)]
    except HeaderParseError:  # an encoded word that is not base64
        pieces = [(header, None)]
    return squeeze("".join(_piece(piece, charset) for piece, charset in pieces))


def _piece(piece: str | bytes, charset: str | None) -> str:
    raw = piece if isinstance(piece, bytes) else piece.encode("utf-8", "surrogateescape")
    return decode(raw, charset)
