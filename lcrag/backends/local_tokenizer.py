"""The tokenizer in a model's folder, where the server that serves it runs on this machine: counts, control tokens.

vLLM reports the folder of its model. A text counted over HTTP takes some 5 ms, so that the thousand chunks of 128k
tokens, which a chain of agents counts to cut its parts, took 5 s of 12; with the folder's own tokenizer it takes
0.1 s.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from lcrag.text.prompts import defused
from lcrag.text.tokens import load_tokenizer

MIN_TEXTS: Final = 64
"""Texts from which on loading the tokenizer (0.3 s) takes less time than asking for each."""
COMPARED: Final = 8
"""Texts that are counted both ways first: on the server's side the folder's name may mean another folder."""

Count = Callable[[Sequence[str]], list[int]]


def local_counter(folder: str) -> Count | None:
    """A function that counts tokens by ``tokenizer.json`` in ``folder``; None without one that can be read."""
    path = Path(folder, "tokenizer.json")
    if find_spec("tokenizers") is None or not path.is_file():
        return None
    try:
        tokenizer = load_tokenizer(path)
    except Exception:  # noqa: BLE001  what the package raises, whatever the file holds; the server counts then
        return None

    def count(texts: Sequence[str]) -> list[int]:
        return [len(encoding.ids) for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    return count


def control_tokens(folder: str) -> tuple[str, ...]:
    """The special tokens of ``tokenizer.json`` in ``folder`` that no form gives away; none without a readable file.

    Only the list of them is read: the vocabulary that follows takes a hundred times as long.
    """
    try:
        text = Path(folder, "tokenizer.json").read_text("utf-8")
        added, _ = json.JSONDecoder().raw_decode(text, text.index("[", text.index('"added_tokens"')))
        return without_form([token["content"] for token in added if token["special"]])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ()


def without_form(tokens: Iterable[str]) -> tuple[str, ...]:
    """Those of a model's special tokens that ``prompts.defused`` does not know by their form."""
    return tuple(sorted(token for token in tokens if token and defused(token) == token))
