"""A backend that says what it is told: for tests of everything around a model, ours and other people's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lcrag.errors import BackendFailed
from lcrag.types import Completion, Task, Usage


class ScriptedBackend:
    """Replies from a function of the task, or from a list, in order. A token is a word; ``tasks`` records the tasks.

    Raises BackendFailed when a list is used up.
    """

    name = "scripted"
    model = "script"
    tokenizer = "words"

    def __init__(self, replies: Callable[[Task], str] | Sequence[str], *, window: int = 100_000) -> None:
        self.window = window
        self.tasks: list[Task] = []
        self.batches: list[int] = []
        self._reply = replies if callable(replies) else None
        self._script = [] if callable(replies) else list(replies)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return [self.count_tokens(text) for text in texts]

    def run(self, tasks: Sequence[Task], *, max_tokens: int) -> list[Completion]:
        self.tasks.extend(tasks)
        self.batches.append(len(tasks))
        return [self._completion(task, max_tokens) for task in tasks]

    def _completion(self, task: Task, max_tokens: int) -> Completion:
        if self._reply is not None:
            words = self._reply(task).split(" ")
        elif self._script:
            words = self._script.pop(0).split(" ")
        else:
            raise BackendFailed("the script is used up")
        read = sum(passage.tokens for passage in task.passages) + sum(self.count_many(task.notes))
        text = " ".join(words[:max_tokens])
        usage = Usage(read, 0, self.count_tokens(text), 1, 0.0)
        return Completion(text, usage, "length" if len(words) > max_tokens else "stop")
