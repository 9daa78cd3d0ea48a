"""Formats that are zip archives inside. A few kilobytes can unpack to gigabytes, so the size is checked first."""

from __future__ import annotations

import io
import zipfile
from typing import Final

from lcrag.errors import InputError

MAX_UNPACKED: Final = 1_000_000_000
"""Bytes."""
MOST_PACKED: Final = 200
LARGE: Final = 10_000_000
"""Bytes. An entry that unpacks to more than this and to more than ``MOST_PACKED`` times its size is no document: text
shrinks to a tenth, tables to a fiftieth."""


def open_archive(data: bytes) -> zipfile.ZipFile:
    """The archive. Raises zipfile.BadZipFile, and InputError when it would unpack to too much."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    for entry in archive.infolist():
        if entry.file_size > max(LARGE, MOST_PACKED * entry.compress_size):
            raise InputError(
                f"{entry.filename} in it unpacks to {entry.file_size // max(1, entry.compress_size):,} times its size"
            )
    unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > MAX_UNPACKED:
        raise InputError(f"it unpacks to {unpacked / 1e9:.1f} GB, more than {MAX_UNPACKED / 1e9:.0f} GB")
    return archive
