"""A streamed reply, event by event: its text, its thinking, why it ended, what it used, in whatever shape it comes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lcrag.backends.connection import Refused, TransientError, parse_json
from lcrag.backends.refusals import is_too_long, words_of
from lcrag.backends.shapes import first_odds

MAX_TOKENS: Final = 10**12
"""Larger numbers of tokens in an account of usage are no such numbers."""


@dataclass(slots=True)
class Reply:
    """What has come of one streamed reply so far. ``half``: the first half of a character, whose second comes next."""

    text: str = ""
    thought: int = 0
    refusal: str = ""
    half: str = ""
    finish: str | None = None
    is_whole: bool = False
    usage: Mapping[str, Any] = field(default_factory=dict)
    odds: tuple[tuple[str, float], ...] = ()


def usage_tokens(value: Any) -> int:
    """A number of tokens in an account of usage; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return 0
    return int(value) if 0 <= value <= MAX_TOKENS else 0


def read_event(data: bytes, reply: Reply, mask: Callable[[str], str]) -> str:
    """Add an event to the reply; the text that it brings. The reply of a server that does not stream is one event."""
    try:
        event = parse_json(data)
        if event.get("error"):
            message = mask(words_of(event))
            if is_too_long(message):
                raise Refused(0, message)
            raise TransientError(f"the server says: {message[:300]}")
        usage = event.get("usage")
        reply.usage = usage if isinstance(usage, dict) else reply.usage
        choices = event.get("choices") or []
        piece = "".join(_read_choice(choice, reply) for choice in choices[:1])
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        shown = mask(data.decode("utf-8", "replace"))[:80]
        raise TransientError(f"a reply that is not the JSON expected: {shown!r}") from error
    piece, reply.half = _whole_characters(reply.half + piece)
    reply.text += piece
    return piece


def _read_choice(choice: dict[str, Any], reply: Reply) -> str:
    """The text that a choice brings; its thinking is only counted."""
    message = choice.get("delta") or choice.get("message") or {}
    reply.is_whole = reply.is_whole or "message" in choice
    reply.odds = reply.odds or first_odds(choice.get("logprobs"))
    finish = choice.get("finish_reason")
    reply.finish = finish if isinstance(finish, str) else reply.finish
    if reply.finish is None and (message.get("tool_calls") or message.get("function_call")):
        reply.finish = "tool_calls"
    for name in ("reasoning", "reasoning_content", "thinking"):
        if isinstance(message.get(name), str):
            reply.thought += len(message[name])
            break
    if isinstance(message.get("refusal"), str):
        reply.refusal += message["refusal"]
    content = choice.get("text") or message.get("content") or ""
    if isinstance(content, str):
        return content
    texts = [part for part in content if isinstance(part, str) or part.get("type") in ("text", "output_text")]
    reply.thought += len(content) - len(texts)
    return "".join(part if isinstance(part, str) else part["text"] for part in texts)


def _whole_characters(text: str) -> tuple[str, str]:
    """``text`` with the halves of characters joined, and a half at its end that waits for the other one."""
    half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    whole = text[: len(text) - len(half)]
    if whole.isascii():
        return whole, half
    return whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), half
