"""The shape of a reply, and the odds of its first token, in the words of vLLM and of other servers.

vLLM keeps to choices, a regular expression or a JSON schema (``structured_outputs``). Others know schemas at most
(``response_format``), so choices become one. A server that takes neither is asked without: replies are read leniently.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from lcrag.text.prompts import JUDGE_SCHEMA
from lcrag.text.shapes import CHOICE
from lcrag.types import Shape, Task

SHAPING: Final = ("structured_outputs", "response_format", "logprobs")
"""The fields of ``request_fields`` that a server may refuse."""
MOST_ODDS: Final = 20
"""Tokens of which servers tell the odds, at most."""


def shape_of(task: Task) -> Shape | None:
    return JUDGE_SCHEMA if task.role == "judge" else task.shape


def structured_outputs(shape: Shape) -> dict[str, Any]:
    """The shape as vLLM names it."""
    if isinstance(shape, Mapping):
        return {"json": dict(shape)}
    return {"regex": shape} if isinstance(shape, str) else {"choice": list(shape)}


def request_fields(task: Task, *, is_vllm: bool) -> dict[str, Any]:
    """What a request says in addition for the task's shape and odds; nothing for a shape that no schema can say."""
    fields: dict[str, Any] = {}
    shape = shape_of(task)
    if shape is not None and is_vllm:
        fields["structured_outputs"] = structured_outputs(shape)
    elif shape is not None and not isinstance(shape, str):
        schema = shape if isinstance(shape, Mapping) else _choice_schema(shape)
        form = {"name": task.role, "schema": dict(schema), "strict": True}
        fields["response_format"] = {"type": "json_schema", "json_schema": form}
    if task.odds:
        fields |= {"logprobs": True, "top_logprobs": min(task.odds, MOST_ODDS)}
    return fields


def first_odds(logprobs: Any) -> tuple[tuple[str, float], ...]:
    """The likeliest first tokens of a streamed reply with their probabilities; () where it has none."""
    try:
        top = logprobs["content"][0]["top_logprobs"]
        odds = [(str(token["token"]), math.exp(min(0.0, float(token["logprob"])))) for token in top]
    except (KeyError, IndexError, TypeError, ValueError):
        return ()
    return tuple(sorted(odds, key=lambda pair: -pair[1]))


def _choice_schema(choices: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {CHOICE: {"type": "string", "enum": list(choices)}},
        "required": [CHOICE],
        "additionalProperties": False,
    }
