"""lcrag with a scripted backend: the question says how the model replies. Run as a program, it is the command itself."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lcrag.backends import BACKENDS
from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import BackendFailed, NotInstalled, NotRunning
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Completion, OnToken, Task

EVIL: Final = "red \x1b[31malert\x07 \u202eright to left\u202c\x9b2J"
ANSWER: Final = "The keeper was Anna Holm [1]."
STREAMED: Final = {"restream": "The keeper was Berta [9]."}
"""What is streamed of a reply that is corrected afterwards."""


def write_documents(folder: Path) -> None:
    """A readable document with the answer, some without it, and a file that cannot be read."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "a.md").write_text(
        "The lighthouse was built in 1860.\n\nThe keeper was \u2028 Anna Holm, a sailor.\n", encoding="utf-8"
    )
    for name in "bcd":
        (folder / f"{name}.md").write_text(f"# Part {name}\n\n" + f"The sea at {name} was calm that day. " * 60)
    (folder / "broken\x1b[1m.pdf").write_bytes(b"%PDF-1.4 and no more")


def reply(task: Task) -> str:
    match task.question:
        case "nowhere":
            return NOT_FOUND
        case "backend":
            raise BackendFailed("the backend failed three times", hint="lcrag doctor")
        case "server":
            raise NotRunning("no server at http://localhost:8000", hint="lcrag up MODEL")
        case "package":
            raise NotInstalled("no embedding model", hint="pip install sentence-transformers")
        case "bug":
            raise ZeroDivisionError("division by zero")
        case "slow":
            print("waiting", file=sys.stderr, flush=True)
            threading.Event().wait()
        case "evil":
            return f"{EVIL} [1]."
    return ANSWER


class QuestionBackend(ScriptedBackend):
    """Replies by the question. ``on_token`` gets each word."""

    model = "extractive"

    def __init__(self, *, concurrency: int = 1) -> None:
        super().__init__(reply, name="embedded" if concurrency == 1 else "server")
        self._concurrency = concurrency

    @property
    def concurrency(self) -> int:
        return self._concurrency

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        completions = super().run(tasks, max_tokens=max_tokens)
        if on_token is not None:
            for task, completion in zip(tasks, completions, strict=True):
                for piece in re.findall(r"\S+\s*", STREAMED.get(task.question, completion.text)):
                    on_token(piece)
        return completions


if __name__ == "__main__":
    from lcrag.cli.app import main

    BACKENDS["embedded"] = lambda settings, models: QuestionBackend()
    main()
