"""Bytes as text: the encoding is found, and the text is kept as the file has it."""

from __future__ import annotations

import codecs
import re
from typing import Final

BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SAMPLE: Final = 64_000
"""Bytes by which an unmarked encoding is judged: enough to be sure, and no longer for a large file than a small one."""
HEADING: Final = re.compile(r"^#{1,2}[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)


def decoded(data: bytes, declared: str | None = None) -> str:
    """The text of a file: by its byte order mark, else as UTF-8, else as ``declared``, else as it looks.

    Line ends become "\\n", so that lines can be counted. Bytes that mean nothing become U+FFFD.
    """
    return _decoded(data, declared).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "�")


def _decoded(data: bytes, declared: str | None) -> str:
    for bom, encoding in BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace")
    unmarked = _unmarked_utf16(data)
    if unmarked is not None:
        return data.decode(unmarked, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(data) - error.start < 4 and error.reason == "unexpected end of data":
            return data.decode("utf-8", "replace")  # cut off in the middle of a character
        at = max(0, error.start - SAMPLE // 2)
    if declared is not None:
        try:
            return data.decode(declared)
        except (LookupError, UnicodeDecodeError):
            pass  # the file says what it is not: judge by its looks
    return _by_looks(data, data[at : at + SAMPLE])


def _by_looks(data: bytes, sample: bytes) -> str:
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    high = [byte for byte in sample if byte >= 0x80]
    if len(high) * 3 < len(sample):  # a letter with an accent here and there: Western European
        return text
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return data.decode(best.encoding, "replace") if best is not None else text


def _unmarked_utf16(data: bytes) -> str | None:
    """UTF-16 without a mark shows as a zero byte beside nearly every Latin letter."""
    sample = data[:2000]
    if len(sample) < 4 or b"\0" not in sample:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.4 * len(sample) / 2 and even == 0:
        return "utf-16-le"
    if even > 0.4 * len(sample) / 2 and odd == 0:
        return "utf-16-be"
    return None


def heading_of(text: str) -> str:
    """The first Markdown heading near the top, or ""."""
    found = HEADING.search(text[:4000])
    return found[1] if found else ""
