"""A backend that remembers which passages were asked of it: what an answer was really made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lcrag.types import Backend, Completion, OnToken, Passage, Task

if TYPE_CHECKING:
    from lcrag.comparison.scoring import Place


class Watched(Backend):
    """Hands everything on. ``read``: the passages of all tasks, in their order, as often as they were given."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.read: list[Passage] = []
        self.name, self.model = backend.name, backend.model
        self.window = backend.window

    @property
    def tokenizer(self) -> str:
        return self._backend.tokenizer

    @property
    def template_tokens(self) -> int | None:
        return self._backend.template_tokens

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return self._backend.count_many(texts)

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        self.read.extend(passage for task in tasks for passage in task.passages)
        return self._backend.run(tasks, max_tokens=max_tokens, on_token=on_token)

    def places(self) -> list[Place]:
        """Which characters of which documents that was."""
        return [
            (passage.document_id, start, end)
            for passage in self.read
            for start, end in passage.parts or ((passage.start, passage.end),)
        ]

    def passages(self) -> list[Passage]:
        """Each of them once, as it was given last."""
        return list({(passage.document_id, passage.start, passage.end): passage for passage in self.read}.values())
