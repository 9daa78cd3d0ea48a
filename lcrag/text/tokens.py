"""Tokens of a text where no model server counts them: tiktoken's cl100k_base, without ever going to the network.

tiktoken downloads its vocabularies; llama-index-core ships cl100k_base inside its package, so the encoding is built
from that file. ``tiktoken.get_encoding`` would need an environment variable to find it there. Where neither that copy
nor one in the user's own ``TIKTOKEN_CACHE_DIR`` exists, the count is an estimate, and its name says so.
Measured: loading 0.12 s (``get_encoding``: 0.17), 13 to 20 MB/s on one core. Indexing counts in a process for each core
(``lcrag.index.workers``).
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from lcrag.errors import NotInstalled

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

_loading = threading.Lock()


def tokenizer_name() -> str:
    """ "cl100k_base", or a name that begins with "estimate"."""
    return ENCODING if vocabulary_file() is not None else ESTIMATE


def count(text: str) -> int:
    """Tokens of ``text``; what looks like a special token is ordinary text."""
    return count_many([text])[0]


def count_many(texts: Sequence[str]) -> list[int]:
    """Tokens of each text. Raises NotInstalled when the vocabulary is damaged."""
    with _loading:  # another thread may be loading the vocabulary already
        count_one = _counter()
    return [count_one(text) for text in texts]


def preload() -> None:
    """Load the vocabulary in the background; counting waits for it."""
    threading.Thread(target=count, args=("",), daemon=True).start()


@cache
def _counter() -> Callable[[str], int]:
    path = vocabulary_file()
    if path is None:
        return lambda text: (len(text) + 3) // 4
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise NotInstalled(f"the vocabulary {path} is damaged", hint="pip install --force-reinstall llama-index-core")
    import tiktoken

    pairs = (line.split() for line in data.splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    encoding = tiktoken.Encoding(ENCODING, pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    return lambda text: len(encoding.encode_ordinary(text))


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
