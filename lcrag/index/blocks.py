"""The texts of chunks as the index stores them: eight consecutive ones in a block, compressed.

More chunks in a block compress hardly better and fill SQLite's pages worse: a page of 8 kB holds only one block larger
than 4 kB. Measured, stored size over text size, for 8, 16 and 32 chunks: .52, .55, .55 on manuals and source code,
.62, .80, .80 on the benchmark's files of 10 kB. Unpacking a block of eight takes 20 µs.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from lcrag.errors import Damaged

CHUNKS: Final = 8
KEPT: Final = 256
"""Blocks that stay unpacked, 2 to 3 MB: the next question about the same documents reads them again."""
_LEVEL: Final = 3  # level 6 takes 1.5 times as long for 3% less


def pack(contexts: Sequence[str], texts: Sequence[str]) -> list[bytes]:
    """One document's chunks in blocks of ``CHUNKS``."""
    return [
        _block(contexts[start : start + CHUNKS], texts[start : start + CHUNKS])
        for start in range(0, len(texts), CHUNKS)
    ]


def _block(contexts: Sequence[str], texts: Sequence[str]) -> bytes:
    head = json.dumps([contexts, [len(text) for text in texts]])  # JSON has no newline of its own
    return zlib.compress("".join((head, "\n", *texts)).encode(), _LEVEL)


@lru_cache(KEPT)
def unpack(block: bytes) -> tuple[tuple[str, str], ...]:
    """The context and text of each chunk. Raises Damaged when the block is not as it was packed."""
    try:
        head, _, text = zlib.decompress(block).decode().partition("\n")
    except (zlib.error, TypeError) as error:
        raise Damaged(f"the index is damaged: {error}") from error
    contexts, lengths = json.loads(head)
    passages = []
    start = 0
    for context, length in zip(contexts, lengths, strict=True):
        passages.append((context, text[start : start + length]))
        start += length
    return tuple(passages)
