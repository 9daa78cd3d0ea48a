"""What every chat model's reply is checked for: the room it has, the thinking in it, what is shown of it.

Models think in many forms, and not every server takes the thinking out of the text: between tags, before a closing tag
whose opening one was part of the prompt, or in the channels of gpt-oss ("harmony").
"""

from __future__ import annotations

import re
from typing import Final

from lcrag.errors import BackendFailed, DoesNotFit
from lcrag.text import prompts
from lcrag.types import OnToken, Task

_NAME: Final = r"(?:seed:)?(?:think|thinking|thought|reasoning)"
_OPEN: Final = rf"<{_NAME}>|\[THINK\]|◁think▷|<\|START_THINKING\|>"
_CLOSE: Final = rf"</{_NAME}>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>"
_UNQUOTED: Final = r"(?<![`'\"“])"
"""A tag in quotes is what the answer is about."""

_OPENING = re.compile(rf"\s*(?:{_OPEN})")
_CLOSING = re.compile(rf"{_UNQUOTED}(?:{_CLOSE})")
_THINKING = re.compile(rf"{_UNQUOTED}(?:{_OPEN}).*?(?:{_CLOSE})", re.DOTALL)
OPENS_THINKING = re.compile(rf"(?:{_OPEN})\s*\Z")
"""A prompt that ends so: the model begins with its thinking, and writes the closing tag alone."""

_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w+)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>(.*?)"
    r"(?=<\|(?:end|return|call|start|channel)\|>|\Z)",
    re.DOTALL,
)
_HARMONY: Final = ("<|channel|>", "<|start|>assistant")
_BARE_HARMONY = re.compile(r"\s*(?:assistant)?analysis.*?assistantfinal", re.DOTALL)
"""The channels of a server that leaves their special tokens out and their names in."""

_CONTROL: Final = r"<\|/?[A-Za-z_]{1,24}\|>|</s>|<(?:eos|end_of_turn)>"
_ENDING = re.compile(rf"\s*(?:(?:{_CONTROL})\s*)+\Z")
_BEGINNING = re.compile(r"\A\s*<\|START_RESPONSE\|>")
_WAITING = re.compile(rf"\s*(?:(?:{_CONTROL})\s*)*(?:<[^\s<>]{{0,32}})?\Z")
"""The end of a piece that may belong to a token which ends the reply."""

_STARTS: Final = (
    *(f"<{prefix}{name}>" for prefix in ("", "seed:") for name in ("think", "thinking", "thought", "reasoning")),
    *("[THINK]", "◁think▷", "<|START_THINKING|>", "<|START_RESPONSE|>", *_HARMONY, "analysis", "assistantanalysis"),
)

THINKS_FIRST = re.compile(r"deepseek-r1|\bqwq\b|thinking|reason|\bmagistral", re.IGNORECASE)
"""In the name of a model whose template opens the thinking, so that its reply begins with it, without a tag."""

REASONS: Final = {
    "content_filter": "the server's content filter withheld the reply",
    "tool_calls": "the reply calls a tool and holds no text",
    "function_call": "the reply calls a tool and holds no text",
}


def check_fits(prompt_tokens: int, max_tokens: int, window: int) -> None:
    """Raise DoesNotFit for a prompt that leaves no room for ``max_tokens`` of answer in the window."""
    if prompt_tokens + max_tokens > window:
        raise does_not_fit(
            f"the prompt of {prompt_tokens:,} tokens and {max_tokens:,} for the answer exceed the window of "
            f"{window:,} tokens",
            prompt_tokens + max_tokens,
            window,
        )


def does_not_fit(message: str, tokens: int, window: int) -> DoesNotFit:
    """The error of a prompt that is too long, with the routes that need less."""
    return DoesNotFit(message, tokens=tokens, window=window, hint="--pipeline chunk_rag or --pipeline chain_of_agents")


def reply_text(
    task: Task, reply: str, max_tokens: int, *, finish: str | None = None, thought: bool = False, refusal: str = ""
) -> str:
    """The answer in a reply, "yes" or "no" for a judge; the reply as it came where its odds are what counts.

    ``finish``: why the reply ended, as the server says; ``thought``: thinking came apart from the text; ``refusal``:
    the model's own words in place of an answer. Raises BackendFailed, with the reason, for a reply without an answer:
    it does not say that the documents hold none.
    """
    text = without_thinking(reply).strip()
    if finish == "content_filter":
        raise BackendFailed(REASONS[finish], hint="another model, or other passages")
    if task.role == "judge":
        return prompts.parse_verdict(text)
    if task.odds:  # one token of it, which may open the thinking or be no word
        return reply
    if text:
        return prompts.restored(text)
    if refusal:
        raise BackendFailed(f"the model refuses: {refusal}", hint="another model")
    if finish in REASONS:
        raise BackendFailed(REASONS[finish], hint="another model")
    if not thought and not reply.strip():
        raise BackendFailed("the reply is empty", hint="another model")
    used = (
        f"all {max_tokens:,} tokens of the reply went into thinking"
        if finish != "stop"
        else ("the reply holds thinking and no answer")
    )
    raise BackendFailed(used, hint="a model that does not think first, or the same one with its thinking off")


def without_thinking(text: str) -> str:
    """The answer of a reasoning model whose server does not take the thinking out of the reply; "" if there is none."""
    if any(token in text for token in _HARMONY):
        return "".join(words for channel, words in _CHANNEL.findall(text) if channel == "final")
    text = _THINKING.sub("", _BARE_HARMONY.sub("", text, count=1))
    if closings := list(_CLOSING.finditer(text)):
        text = text[closings[-1].end() :]
    if _OPENING.match(text):
        return ""
    return _ENDING.sub("", _BEGINNING.sub("", text)).lstrip()


def begins_in_thinking(text: str) -> bool:
    """Whether a reply began with thinking that no tag opened, so that it looked like an answer at first."""
    return _OPENING.match(text) is None and _CLOSING.search(_THINKING.sub("", text)) is not None


class Speaker:
    """Passes a reply on as it is written, but neither its thinking nor the words that say nothing was found.

    ``thinks_first``: the reply begins with thinking, without a tag that opens it.
    """

    def __init__(self, on_token: OnToken | None, *, thinks_first: bool = False) -> None:
        self._on_token = on_token
        self._thinks_first = thinks_first
        self._held = ""
        self._open = False
        self._closed = False
        self.spoke = False

    @property
    def is_heard(self) -> bool:
        return self._on_token is not None

    def say(self, piece: str) -> None:
        self._held += piece
        if self._open:
            self._pass_on_all_but_tags()
        elif self._closed or len(self._held) - len(piece) < 64 or any(end in piece for end in ">]▷"):
            self._try_to_open()  # thinking may be long: it is looked at again only where a tag may end

    def end(self) -> None:
        """The reply is whole: a short one that only began like thinking or NOT FOUND ("No.") is said now."""
        text = _ENDING.sub("", self._held) if self._open else without_thinking(self._held).strip()
        if self._open or not prompts.says_nothing(text):
            self._pass_on(text)

    def _try_to_open(self) -> None:
        held = self._held
        if _is_closed(held):
            self._closed = True
            start = without_thinking(held).lstrip()
        elif self._thinks_first or _may_be_thinking(held.lstrip()):
            return
        else:
            start = held.lstrip()
        if start and not _may_be_thinking(start) and not _may_be_not_found(start):
            self._open = True
            self._held = start
            self._pass_on_all_but_tags()

    def _pass_on_all_but_tags(self) -> None:
        """A tag at the end may be one that ends the reply: it waits for what follows."""
        waiting = _WAITING.search(self._held)
        place = waiting.start() if waiting else len(self._held)
        ready, self._held = self._held[:place], self._held[place:]
        self._pass_on(ready)

    def _pass_on(self, piece: str) -> None:
        if piece and self._on_token is not None:
            self.spoke = True
            self._on_token(piece)


def _is_closed(held: str) -> bool:
    """Whether what was held so far has come to the end of its thinking."""
    if any(token in held for token in _HARMONY):
        return any(channel == "final" for channel, _ in _CHANNEL.findall(held))
    return _CLOSING.search(held) is not None or _BARE_HARMONY.match(held) is not None


def _may_be_thinking(start: str) -> bool:
    """Whether a reply that begins so begins with thinking, or may still turn out to."""
    return any(start.startswith(tag) or tag.startswith(start) for tag in _STARTS)


def _may_be_not_found(start: str) -> bool:
    return prompts.NOT_FOUND.startswith(start.rstrip(".").upper())
