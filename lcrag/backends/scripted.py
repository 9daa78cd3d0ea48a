"""A backend that replies from a script: for tests of everything around a model, ours and other people's."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lcrag.errors import BackendFailed, LcragError
from lcrag.types import Backend, Completion, OnToken, Task, Usage


class ScriptedBackend(Backend):
    """Replies from a function of the task, or from a list, in order; an error in the list is raised in its turn.

    A token is a word, and a reply is cut at ``max_tokens``. ``tasks`` records the tasks, ``batches`` how many came
    together. ``run`` raises BackendFailed when a list is used up; ``on_token`` gets the words, white space included.
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
        self._reply = replies if callable(replies) else _in_order(replies)

    @property
    def tokenizer(self) -> str:
        return "words"

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        self.tasks.extend(tasks)
        self.batches.append(len(tasks))
        completions = [self._completion(task, max_tokens) for task in tasks]
        if on_token is not None and len(completions) == 1:
            for word in re.findall(r"\s*\S+|\s+", completions[0].text):
                on_token(word)
        return completions

    def _completion(self, task: Task, max_tokens: int) -> Completion:
        reply = self._reply(task)
        words = list(re.finditer(r"\S+", reply))
        is_cut = len(words) > max_tokens
        text = reply[: words[max_tokens].start()].rstrip() if is_cut else reply
        read = sum(passage.tokens for passage in task.passages) + sum(self.count_many(task.notes))
        return Completion(text, Usage(read, 0, len(text.split()), 1, 0.0), "length" if is_cut else "stop")


def _in_order(script: Sequence[str | LcragError]) -> Callable[[Task], str]:
    left = iter(script)

    def reply(task: Task) -> str:
        entry = next(left, BackendFailed("the script is used up"))
        if isinstance(entry, LcragError):
            raise entry
        return entry

    return reply
