"""A long prompt as token ids, so that its documents are tokenised once and not twice at every question.

A server that is sent text tokenises it before it finds that its cache holds the work: at 128k tokens that takes as
long as the cached answer itself, and the check whether the prompt fits takes it once more. So the ids that the check
gets are kept for the documents, and of the next question on them only what is around them is tokenised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from lcrag import prompts
from lcrag.types import Task

KEPT: Final = 8
"""Sets of documents whose ids are kept: 1 MB or so each at 128k tokens."""

Tokenize = Callable[[list[dict[str, str]]], Awaitable[list[int]]]


class PromptIds:
    """The ids of prompts; ``tokenize`` gives those of chat messages, the model's template included."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[list[int], list[int]]] = {}

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
                return before + documents + bare[len(before) :]
        whole = await tokenize(prompts.messages(task))
        same = _alike(bare, whole)
        after = len(bare) - same
        if len(whole) >= len(bare) and whole[len(whole) - after :] == bare[same:]:
            while len(self._known) >= KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = (whole[:same], whole[same : len(whole) - after])
        return whole


def _alike(one: list[int], other: list[int]) -> int:
    """How many ids two lists have in common at their beginning."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
