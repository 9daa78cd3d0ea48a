"""Tokens of a text where no model server counts them: tiktoken's cl100k_base, without ever going to the network.

tiktoken downloads its vocabularies; llama-index-core ships cl100k_base inside its package, so the encoding is built
from that file. ``tiktoken.get_encoding`` would need an environment variable to find it there. Where neither that copy
nor one in the user's own ``TIKTOKEN_CACHE_DIR`` exists, the count is an estimate, and its name says so.
Measured: loading 0.10 s (``get_encoding``: 0.17), 13 to 20 MB/s on one core. Indexing counts in a process for each core
(``lcrag.index.workers``). A few short texts, as a question and its answer, are counted with the part of the vocabulary
that they can need: byte pair encoding looks up nothing but substrings of the pieces of a text.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import threading
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lcrag.errors import NotInstalled

if TYPE_CHECKING:
    import tiktoken

ENCODING: Final = "cl100k_base"
ESTIMATE: Final = "estimate/4-characters"

VOCABULARY: Final = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
"""The file's name in tiktoken's cache folders: the SHA-1 of its address."""
SHA256: Final = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
"""The file's content, as tiktoken checks it."""
PATTERN: Final = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
    r"|\s+(?!\S)|\s"
)
"""What cl100k_base takes apart before it looks for tokens (tiktoken_ext/openai_public.py, MIT)."""

LONGEST: Final = 128
"""Bytes of the longest token."""
FEW: Final = 4000
"""Bytes of texts, and substrings of one piece, that are counted with a part of the vocabulary: 0.04 s the first time
and 2 to 6 ms each later time (0.10 s and 0.1 ms with all of it)."""
OFTEN: Final = 16
"""Times after which all of it is loaded."""

_loading = threading.Lock()
_times = 0


def tokenizer_name() -> str:
    """ "cl100k_base", or a name that begins with "estimate"."""
    return ENCODING if vocabulary_file() is not None else ESTIMATE


def count(text: str) -> int:
    """Tokens of ``text``; what looks like a special token is ordinary text."""
    return count_many([text])[0]


def count_many(texts: Sequence[str]) -> list[int]:
    """Tokens of each text. Raises NotInstalled when the vocabulary is damaged."""
    global _times
    if vocabulary_file() is None:
        return [(len(text) + 3) // 4 for text in texts]
    with _loading:  # another thread may be loading the vocabulary already
        encoding = None
        is_loaded = _encoding.cache_info().currsize
        if not is_loaded and _times < OFTEN and sum(map(len, texts)) < FEW:
            _times += 1
            encoding = _encoding_of(texts)
        encoding = encoding or _encoding()
    return [len(encoding.encode_ordinary(text)) for text in texts]


def preload() -> None:
    """Load what counts a few texts in the background; counting waits for it."""
    threading.Thread(target=count, args=("",), daemon=True).start()


@cache
def _lines() -> dict[bytes, bytes]:
    """Token → rank as the vocabulary's lines have them: base64 and digits."""
    path = vocabulary_file()
    assert path is not None
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise NotInstalled(f"the vocabulary {path} is damaged", hint="pip install --force-reinstall llama-index-core")
    fields = data.split()
    return dict(zip(fields[::2], fields[1::2], strict=True))


@cache
def _encoding() -> tiktoken.Encoding:
    """With the whole vocabulary."""
    ranks = {a2b_base64(token): int(rank) for token, rank in _lines().items()}
    _lines.cache_clear()  # 20 MB
    return _encoding_with(ranks)


def _encoding_of(texts: Sequence[str]) -> tiktoken.Encoding | None:
    """With what the texts can need; None where a long piece has too many substrings."""
    import regex

    pieces = {b" "} | {piece.encode() for text in texts for piece in regex.findall(PATTERN, text)}  # never empty
    if any(len(piece) * min(len(piece), LONGEST) > FEW for piece in pieces):
        return None
    lines = _lines()
    ranks: dict[bytes, int] = {}
    for piece in pieces:
        for start in range(len(piece)):
            for end in range(start + 1, len(piece) + 1):
                token = piece[start:end]
                rank = lines.get(b2a_base64(token, newline=False))
                if rank is not None:
                    ranks[token] = int(rank)
    return _encoding_with(ranks)


def _encoding_with(ranks: dict[bytes, int]) -> tiktoken.Encoding:
    import tiktoken

    return tiktoken.Encoding(ENCODING, pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})


def load_tokenizer(path: Path) -> Any:
    """The ``tokenizers.Tokenizer`` of a ``tokenizer.json``, which neither truncates nor pads."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@cache
def vocabulary_file() -> Path | None:
    """The vocabulary in the user's cache folder or in llama_index, which is not imported for it; None for neither."""
    folders = [Path(named)] if (named := os.environ.get("TIKTOKEN_CACHE_DIR")) else []
    package = importlib.util.find_spec("llama_index")
    for root in (package.submodule_search_locations or []) if package else []:
        folders.append(Path(root) / "core" / "_static" / "tiktoken_cache")
    return next((path for folder in folders if (path := folder / VOCABULARY).is_file()), None)
