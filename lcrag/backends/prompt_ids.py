"""A long prompt as token ids, so that its documents are tokenised once and not twice for every question.

A server that is sent text tokenises it before it can look into its prefix cache: at 128k tokens that takes as long as
the cached answer itself, and the check whether the prompt fits takes it once more. So the ids from that check are
cached by documents, and for the next question about them only the text around them is tokenised.
"""

from __future__ import annotations

import hashlib
import threading
from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from lcrag.text import prompts
from lcrag.types import Task

MAX_CACHED: Final = 2_000_000
"""Ids in the cache at most, four bytes each: sixteen corpora of 128k tokens, or the parts of as many workers."""

Tokenize = Callable[[list[dict[str, str]]], list[int]]


class PromptIds:
    """The ids of prompts. Threads may share it. ``control``: the model's control tokens, for ``prompts.messages``."""

    def __init__(self, control: Sequence[str] = ()) -> None:
        self._control = control
        self._cache: dict[bytes, tuple[list[int], array[int]]] = {}
        self._cached = 0
        self._lock = threading.Lock()

    def of(self, task: Task, tokenize: Tokenize) -> list[int]:
        """The ids of ``prompts.messages(task)``, put together where the documents are in the cache.

        ``tokenize`` gives the ids of chat messages in the model's template. That the ids around the documents do not
        depend on them is checked with the first prompt of each set: what comes before and after must be the same with
        and without. Otherwise every prompt is tokenised whole.
        """
        documents = prompts.prefix(task.passages, self._control)
        key = hashlib.blake2b(documents.encode("utf-8", "replace"), digest_size=16).digest()
        bare = tokenize(prompts.messages(replace(task, passages=()), self._control))
        if cached := self._cache.get(key):
            before, ids = cached
            if bare[: len(before)] == before:
                return before + ids.tolist() + bare[len(before) :]
        whole = tokenize(prompts.messages(task, self._control))
        same = _common_prefix(bare, whole)
        after = len(bare) - same
        if len(whole) >= len(bare) and whole[len(whole) - after :] == bare[same:]:
            self._store(key, whole[:same], array("I", whole[same : len(whole) - after]))
        return whole

    def _store(self, key: bytes, before: list[int], documents: array[int]) -> None:
        """Drop the oldest until there is room."""
        with self._lock:
            if key in self._cache or len(documents) > MAX_CACHED:
                return
            while self._cached + len(documents) > MAX_CACHED:
                self._cached -= len(self._cache.pop(next(iter(self._cache)))[1])
            self._cache[key] = (before, documents)
            self._cached += len(documents)


def _common_prefix(left: list[int], right: list[int]) -> int:
    """How many ids two lists share at their beginning."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(left), len(right)))
