"""Bytes to text: detects the encoding and changes nothing but line ends."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from typing import Final

BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SAMPLE: Final = 64_000
"""Bytes from which an undeclared encoding is guessed: enough to be sure, and a large file takes no longer."""
SEVEN_BITS: Final = re.compile("iso-?_?2022|utf-?7|hz", re.IGNORECASE)
"""Encodings whose bytes are all ASCII, so that they would pass for UTF-8."""
ESCAPED_JAPANESE: Final = b"\x1b$B"
HEADING: Final = re.compile(r"^#{1,2}[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)


def decode(data: bytes, declared: str | None = None) -> str:
    """The text of a file: by its byte order mark, else as UTF-8, else as ``declared``, else by a guess.

    Line ends become "\\n", so that lines can be counted. Undecodable bytes become U+FFFD.
    """
    return _decode(data, declared).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "�")


def _decode(data: bytes, declared: str | None) -> str:
    for bom, encoding in BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace")
    unmarked = unmarked_utf16(data)
    if unmarked is not None:
        return data.decode(unmarked, "replace")
    if declared is None and b"\x1b" in data and ESCAPED_JAPANESE in data:
        declared = "iso2022_jp"
    if declared is not None and SEVEN_BITS.match(declared):
        with suppress(LookupError, ValueError):
            return data.decode(declared)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(data) - error.start < 4 and error.reason == "unexpected end of data":
            return data.decode("utf-8", "replace")  # cut off in the middle of a character
        at = max(0, error.start - SAMPLE // 2)
    if declared is not None:
        with suppress(LookupError, ValueError):  # the declaration is wrong, or no encoding has this name
            return data.decode(declared)
    return _decode_by_guess(data, data[at : at + SAMPLE])


def _decode_by_guess(data: bytes, sample: bytes) -> str:
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


def unmarked_utf16(data: bytes) -> str | None:
    """UTF-16 without a byte order mark has a zero byte next to nearly every Latin letter."""
    sample = data[:2000]
    if len(sample) < 4 or b"\0" not in sample:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.4 * len(sample) / 2 and even == 0:
        return "utf-16-le"
    if even > 0.4 * len(sample) / 2 and odd == 0:
        return "utf-16-be"
    return None


def first_heading(text: str) -> str:
    """The first Markdown heading near the top, or ""."""
    match = HEADING.search(text[:4000])
    return match[1] if match else ""
