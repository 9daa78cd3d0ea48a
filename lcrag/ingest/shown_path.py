"""Paths as they are shown."""

from __future__ import annotations

import os
import re

# Bytes that are not UTF-8, control characters, those that turn the direction of a line; and what looks like their form.
_UNSAFE = re.compile(
    r"[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]|\\(?=x[0-9a-f]{2}|u[0-9a-f]{4})"
)


def shown_path(path: str) -> str:
    """The path as it is shown: safe to print, and another one for every path."""
    return _UNSAFE.sub(_escaped, path.replace(os.sep, "/"))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"
