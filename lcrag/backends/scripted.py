"""A backend that says what it is told: for tests of everything around a model, ours and other people's."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lcrag.errors import BackendFailed, LcragError
from lcrag.types import Backend, Completion, OnToken, Task, Usage


class ScriptedBackend(Backend):
    """Replies from a function of the task, or from a list, in order; an error in the list is raised in its turn.

    A token is a word, and a reply is cut at ``max_tokens``. ``tasks`` records the tasks, ``batches`` how many came
    together. ``run`` raises BackendFailed when a list is used up.
    """

    model = "script"

    def __init__(
        self,
        replies: Callable[[Task], str] | Sequence[str | LcragError],
        *,
        window: int = 100_000,
        name: str = "scripted",
    ) -> None:
        self.name = name
        self.window = window
        self.tasks: list[Task] = []
        self.batches: list[int] = []
        self._replies = replies if callable(replies) else _in_order(replies)

    @property
    def tokenizer(self) -> str:
        return "words"

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        self.tasks.extend(tasks)
        self.batches.append(len(tasks))
        return [self._completion(task, max_tokens) for task in tasks]

    def _completion(self, task: Task, max_tokens: int) -> Completion:
        reply = self._replies(task)
        words = list(re.finditer(r"\S+", reply))
        cut = len(words) > max_tokens
        text = reply[: words[max_tokens].start()].rstrip() if cut else reply
        read = sum(passage.tokens for passage in task.passages) + sum(self.count_many(task.notes))
        return Completion(text, Usage(read, 0, len(text.split()), 1, 0.0), "length" if cut else "stop")


def _in_order(script: Sequence[str | LcragError]) -> Callable[[Task], str]:
    left = iter(script)

    def reply(task: Task) -> str:
        said = next(left, BackendFailed("the script is used up"))
        if isinstance(said, LcragError):
            raise said
        return said

    return reply
