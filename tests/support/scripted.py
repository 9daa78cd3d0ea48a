"""lcrag with a scripted backend: the question decides how the model replies. Run as a program, it is the command."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from lcrag.backends import BACKENDS
from lcrag.backends.replies import Speaker
from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import BackendFailed, NotInstalled, NotRunning, OverBudget
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Completion, OnToken, Task

EVIL: Final = "red \x1b[31malert\x07 \u202eright to left\u202c\x9b2J"
KEEPER: Final = "The keeper of the light was Anna Holm"
LONG: Final = f"The register names {', '.join(f'sailor number {number}' for number in range(40))}"
COST: Final = "How much did the light on the Calf cost?"

ERRORS: Final[dict[str, Exception]] = {
    "budget": OverBudget("every route needs more than 10 tokens", hint="--max-tokens 2100"),
    "backend": BackendFailed("the backend failed three times", hint="lcrag doctor"),
    "server": NotRunning("no server at http://localhost:8000", hint="lcrag up MODEL"),
    "package": NotInstalled("no embedding model", hint="pip install sentence-transformers"),
    "bug": ZeroDivisionError("division by zero"),
}
REPLIES: Final = {
    "nowhere": NOT_FOUND,
    "evil": f"The pilot of the bay was called {EVIL} [1].",
    "unsure": f"{KEEPER} [1]. Dragons lived under the harbour of Zanzibar. [9]",
    "long": f"{LONG} [1].",
    COST: "The light on the Calf cost £1,860 [1].",
}
STREAMED: Final = {"restream": "The keeper was Berta [9]."}
"""What is streamed of a reply that the backend corrects afterwards."""


def write_documents(folder: Path) -> None:
    """Two documents that contradict each other, one of control characters, a long quote, two without an answer, a file
    that cannot be read and a binary one.

    The first has the scripted questions among its words, so that it is retrieved for each.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = " ".join(
        word for word in (*ERRORS, *REPLIES, *STREAMED, "slow", "stream", "who") if word not in ("evil", "long", COST)
    )
    keeper = KEEPER.replace("Anna", " Anna \u2028")
    (folder / "a.md").write_text(f"# Light\n\n{keeper}.\n\nThe light on the Calf cost £1,860.\n\nWords: {words}.\n")
    (folder / "b.md").write_text("Date: 3 May 2023\n\nThe light on the Calf cost £2,100.\n")
    (folder / f"{EVIL}.md").write_text(f"The pilot of the bay was called {EVIL} {'and so on ' * 50} by evil people.\n")
    (folder / "long.md").write_text(f"{LONG}. It is long.\n")
    for name in "xy":
        (folder / f"{name}.md").write_text(f"# Part {name}\n\n" + f"The sea at {name} was calm that day. " * 90)
    (folder / "broken\x1b[1m.pdf").write_bytes(b"%PDF-1.4 and no more")
    (folder / "a.bin").write_bytes(b"\0\1\2")


def reply(task: Task) -> str:
    if task.question in ERRORS:
        raise ERRORS[task.question]
    if task.question == "slow":
        print("waiting", file=sys.stderr, flush=True)
        threading.Event().wait()
    return REPLIES.get(task.question, f"{KEEPER} [1].")


class QuestionBackend(ScriptedBackend):
    """Replies by the question, and streams as a server does. ``concurrency``: how many tasks it takes at once."""

    def __init__(self, concurrency: int = 1) -> None:
        super().__init__(reply, name="embedded")
        self._concurrency = concurrency

    @property
    def concurrency(self) -> int:
        return self._concurrency

    def script(self, replies: Callable[[Task], str]) -> None:
        """Reply by another function from now on."""
        self._reply = replies

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        completions = super().run(tasks, max_tokens=max_tokens)
        if on_token is not None:
            [task], [completion] = tasks, completions
            speaker = Speaker(on_token)
            for piece in STREAMED.get(task.question, completion.text).split(" "):
                speaker.say(f" {piece}")
            speaker.end()
        return completions


if __name__ == "__main__":
    from lcrag.cli.app import main

    BACKENDS["embedded"] = lambda settings, models: QuestionBackend()
    main()
