"""What every chat model's reply is checked for: the room it has, the thinking in front of it, what is shown of it."""

from __future__ import annotations

from typing import Final

from lcrag.errors import BackendFailed, DoesNotFit
from lcrag.text import prompts
from lcrag.types import OnToken, Task

THINK: Final = "<think>"
END: Final = "</think>"


def check_fits(prompt_tokens: int, max_tokens: int, window: int) -> None:
    """Raise DoesNotFit for a prompt that leaves no room for ``max_tokens`` of answer in the window."""
    if prompt_tokens + max_tokens > window:
        raise DoesNotFit(
            f"the prompt of {prompt_tokens:,} tokens and {max_tokens:,} for the answer exceed the window of "
            f"{window:,} tokens",
            tokens=prompt_tokens + max_tokens,
            window=window,
            hint="--pipeline chunk_rag or --pipeline chain_of_agents",
        )


def reply_text(task: Task, reply: str, max_tokens: int) -> str:
    """The answer in a reply, "yes" or "no" for a judge. Raises BackendFailed for a reply of thinking alone."""
    text = prompts.parse_verdict(reply) if task.role == "judge" else without_thinking(reply)
    if reply.strip() and not text.strip():
        raise BackendFailed(
            f"all {max_tokens:,} tokens of the reply went into thinking", hint="a model that does not think first"
        )
    return text.strip()


def without_thinking(text: str) -> str:
    """The answer of a reasoning model whose server does not take the thinking out of the reply."""
    return text.partition(END)[2] if text.lstrip().startswith(THINK) else text


class Speaker:
    """Passes a reply on as it is written, but neither its thinking nor the words that say nothing was found."""

    def __init__(self, on_token: OnToken | None) -> None:
        self._on_token = on_token
        self._held = ""
        self._open = False
        self.spoke = False

    def say(self, piece: str) -> None:
        if self._open:
            self._pass_on(piece)
            return
        self._held += piece
        start = without_thinking(self._held) if END in self._held else self._held
        if not _may_be_silent(start.lstrip()):
            self._open = True
            self._pass_on(start.lstrip())

    def end(self) -> None:
        """The reply is whole: a short one that only began like thinking or NOT FOUND ("No.") is said now."""
        text = without_thinking(self._held).strip()
        if not self._open and not prompts.says_nothing(text):
            self._pass_on(text)

    def _pass_on(self, piece: str) -> None:
        if piece and self._on_token is not None:
            self.spoke = True
            self._on_token(piece)


def _may_be_silent(start: str) -> bool:
    """Whether a reply that begins so may still turn out to be thinking, or NOT FOUND."""
    return THINK.startswith(start[: len(THINK)]) or prompts.NOT_FOUND.startswith(start.rstrip(".").upper())
