"""Formats that are zip archives inside. A few kilobytes can unpack to gigabytes, so the size is checked first."""

from __future__ import annotations

import io
import zipfile
from typing import Final

from lcrag.errors import InputError

MAX_UNPACKED: Final = 1_000_000_000
"""Bytes."""


def open_archive(data: bytes) -> zipfile.ZipFile:
    """The archive. Raises zipfile.BadZipFile, and InputError when it would unpack to more than ``MAX_UNPACKED``."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > MAX_UNPACKED:
        raise InputError(f"it unpacks to {unpacked / 1e9:.1f} GB, more than {MAX_UNPACKED / 1e9:.0f} GB")
    return archive
