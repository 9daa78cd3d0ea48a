"""A long prompt as token ids, so that its documents are tokenised once and not twice for every question.

A server that is sent text tokenises it before it can look into its prefix cache: at 128k tokens that takes as long as
the cached answer itself, and the check whether the prompt fits takes it once more. So the ids from that check are
cached by documents, and for the next question about them only the text around them is tokenised. They are kept as the
JSON that is sent: to put the documents into their fences and to write 64,000 ids anew took 20 ms of each question,
which 32 questions at a time cannot take in turns of one interpreter.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lcrag.text import prompts
from lcrag.types import Passage, Task

MAX_CACHED: Final = 2_000_000
"""Ids in the cache at most, some six bytes each: sixteen corpora of 128k tokens, or the parts of as many workers."""

Tokenize = Callable[[list[dict[str, str]]], list[int]]


@dataclass(frozen=True, slots=True)
class Ids:
    """Token ids: how many, and as the items of a JSON array."""

    count: int
    items: bytes

    @classmethod
    def of(cls, ids: Sequence[int]) -> Ids:
        return cls(len(ids), json.dumps(ids, separators=(",", ":"))[1:-1].encode())

    def __add__(self, other: Ids) -> Ids:
        return Ids(self.count + other.count, b",".join(filter(None, (self.items, other.items))))

    @property
    def json(self) -> bytes:
        """The array."""
        return b"[%b]" % self.items


class PromptIds:
    """The ids of prompts. Threads may share it. ``control``: the model's control tokens, for ``prompts.messages``."""

    def __init__(self, control: Sequence[str] = ()) -> None:
        self._control = control
        self._cache: dict[bytes, tuple[list[int], Ids]] = {}
        self._cached = 0
        self._lock = threading.Lock()

    def of(self, task: Task, tokenize: Tokenize) -> Ids:
        """The ids of ``prompts.messages(task)``, put together where the documents are in the cache.

        ``tokenize`` gives the ids of chat messages in the model's template. That the ids around the documents do not
        depend on them is checked with the first prompt of each set: what comes before and after must be the same with
        and without. Otherwise every prompt is tokenised whole.
        """
        key = _key(task.passages)
        bare = tokenize(prompts.messages(replace(task, passages=()), self._control))
        if cached := self._cache.get(key):
            before, documents = cached
            if bare[: len(before)] == before:
                return Ids.of(before) + documents + Ids.of(bare[len(before) :])
        whole = tokenize(prompts.messages(task, self._control))
        same = _common_prefix(bare, whole)
        after = len(bare) - same
        if len(whole) < len(bare) or whole[len(whole) - after :] != bare[same:]:
            return Ids.of(whole)
        documents = Ids.of(whole[same : len(whole) - after])
        self._store(key, whole[:same], documents)
        return Ids.of(whole[:same]) + documents + Ids.of(bare[same:])

    def _store(self, key: bytes, before: list[int], documents: Ids) -> None:
        """Drop the oldest until there is room."""
        with self._lock:
            if key in self._cache or documents.count > MAX_CACHED:
                return
            while self._cached + documents.count > MAX_CACHED:
                self._cached -= self._cache.pop(next(iter(self._cache)))[1].count
            self._cache[key] = (before, documents)
            self._cached += documents.count


def _key(passages: Sequence[Passage]) -> bytes:
    """A hash of all that a prompt holds of these passages. Lengths keep apart what is put together."""
    shown = hashlib.blake2b(digest_size=16)
    for passage in passages:
        parts = (passage.source, passage.context, passage.text)
        shown.update(f"{passage.marker} {' '.join(str(len(part)) for part in parts)}\n".encode())
        for part in parts:
            shown.update(part.encode("utf-8", "surrogatepass"))
    return shown.digest()


def _common_prefix(left: list[int], right: list[int]) -> int:
    """How many ids two lists share at their beginning."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(left), len(right)))
