"""Whether a file is text or a format that lcrag reads."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Final

from lcrag.ingest.text import unmarked_utf16

SNIFFED: Final = 4096


BINARY: Final = frozenset(
    """
    .7z .a .avi .bin .bmp .bz2 .class .db .dll .dmg .doc .ds_store .dylib .exe .flac .gif .gz .ico
    .iso .jar .jpeg .jpg .m4a .mkv .mov .mp3 .mp4 .mpeg .npy .npz .o .ogg .onnx .otf
    .parquet .pickle .pkl .png .ppt .psd .pyc .pyo .rar .safetensors .so .sqlite .sqlite-shm .sqlite-wal .sqlite3
    .tar .tgz .tif .tiff .ttf .wasm .wav .webm .webp .whl .woff .woff2 .xz .zip .zst
    """.split()
)
CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""Bytes that are hardly ever in text; a compressed file has 11% of them."""
TEXT: Final = frozenset(
    """
    .adoc .bat .c .cc .cfg .clj .conf .cpp .cs .css .csv .dart .erl .ex .go .h .hpp .hs
    .ini .java .jl .js .json .jsonl .jsx .kt .less .lock .log .lua .m .markdown .md .mdx .mjs .ml
    .ndjson .org .php .pl .proto .ps1 .py .pyi .r .rb .rs .rst .scala .scss .sh .sql .srt .svelte
    .swift .tcl .tex .text .toml .ts .tsv .tsx .txt .vtt .vue .xml .yaml .yml .zig
    """.split()
)
"""Read as they are; the formats with an extractor of their own are in ``lcrag.ingest``."""


def is_binary(path: str, is_named: bool) -> bool:
    """By the suffix, else by the first bytes; of a file that the user named the bytes decide against the suffix."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in _readable():
        return False
    if suffix in BINARY and not is_named:
        return True
    try:
        with open(path, "rb") as file:
            sample = file.read(SNIFFED)
    except OSError:
        return False  # reading it will give the reason
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    if encoding := unmarked_utf16(sample):
        sample = sample.decode(encoding, "replace").encode()
    doubtful = suffix in BINARY or encoding is not None
    return b"\0" in sample or (doubtful and len(CONTROL.findall(sample)) > len(sample) / 50)


@cache
def _readable() -> frozenset[str]:
    from lcrag.ingest import EXTRACTORS

    return TEXT.union(EXTRACTORS)
