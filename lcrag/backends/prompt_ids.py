"""A long prompt as token ids, so that its documents are tokenised once and not twice at every question.

A server that is sent text tokenises it before it finds that its cache holds the work: at 128k tokens that takes as
long as the cached answer itself, and the check whether the prompt fits takes it once more. So the ids that the check
gets are kept for the documents, and of the next question on them only what is around them is tokenised.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from lcrag.text import prompts
from lcrag.types import Task

KEPT: Final = 2_000_000
"""Ids that are kept at most, four bytes each: sixteen corpora of 128k tokens, or the pieces of as many workers."""

Tokenize = Callable[[list[dict[str, str]]], Awaitable[list[int]]]


class PromptIds:
    """The ids of prompts; ``tokenize`` gives those of chat messages, the model's template included."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[list[int], array[int]]] = {}
        self._kept = 0

    async def of(self, task: Task, tokenize: Tokenize) -> list[int]:
        """The ids of ``prompts.messages(task)``, put together where the documents are known.

        That the ids around the documents do not depend on them is checked with the first prompt of each set: what
        comes before and after must be the same with and without. Else every prompt is tokenised whole.
        """
        key = hashlib.blake2b(prompts.prefix(task.passages).encode("utf-8", "replace"), digest_size=16).digest()
        bare = await tokenize(prompts.messages(replace(task, passages=())))
        if key in self._known:
            before, documents = self._known[key]
            if bare[: len(before)] == before:
                return before + documents.tolist() + bare[len(before) :]
        whole = await tokenize(prompts.messages(task))
        same = _alike(bare, whole)
        after = len(bare) - same
        if len(whole) >= len(bare) and whole[len(whole) - after :] == bare[same:]:
            self._keep(key, whole[:same], array("I", whole[same : len(whole) - after]))
        return whole

    def _keep(self, key: bytes, before: list[int], documents: array[int]) -> None:
        """Let the oldest go until there is room. Workers of a batch may come with the same documents at once."""
        if key in self._known or len(documents) > KEPT:
            return
        while self._kept + len(documents) > KEPT:
            self._kept -= len(self._known.pop(next(iter(self._known)))[1])
        self._known[key] = (before, documents)
        self._kept += len(documents)


def _alike(one: list[int], other: list[int]) -> int:
    """How many ids two lists have in common at their beginning."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
