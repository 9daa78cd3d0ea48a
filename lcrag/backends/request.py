"""The body of a request for a reply, without what the server turned out not to take."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from lcrag.backends.connection import Refused
from lcrag.backends.prompt_ids import Ids
from lcrag.backends.refusals import SYSTEM, fold_system, refused_field
from lcrag.backends.served import ServedModel
from lcrag.backends.shapes import SHAPING, request_fields, shape_of
from lcrag.types import Task

_PROMPT_TYPE: Final = re.compile(r"\bprompt\b.*\b(string|str|type|array|list)\b", re.IGNORECASE | re.DOTALL)
"""In the message of a server that takes prompts as text only; one about a prompt's length says none of these words."""

UNWATCHED: Final = 16
"""Tokens in a piece of a reply that nobody watches being written, from vLLM. To read a piece takes 0.25 ms of a
processor: token by token two servers' 4,000 a second would take all of it. A server that writes ten a second still
sends a piece before the 3 s after which its silence is reported."""

Messages = Callable[[], list[dict[str, str]]]
"""The messages of a prompt: to put a long one together takes time, and as ids it does not need them."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn: greedy with a fixed seed unless set, so that a question asked twice is answered alike."""

    temperature: float = 0.0
    seed: int = 0


class RequestForm:
    """What requests to one server look like. Threads may share it.

    ``takes_ids``: whether the server takes a prompt as token ids.
    """

    def __init__(self, served: ServedModel, sampling: Sampling) -> None:
        self._served = served
        self._sampling = sampling
        self._refused: set[str] = set()
        self.takes_ids = True

    def body(
        self, task: Task, messages: Messages, ids: Ids | None, max_tokens: int, *, watched: bool
    ) -> dict[str, Any]:
        """With ``prompt``, the ids as JSON, where that can be; else with ``messages``.

        ``watched``: whether each token is wanted when it is written.
        """
        optional: dict[str, Any] = {
            "max_completion_tokens" if "max_tokens" in self._refused else "max_tokens": max_tokens,
            "temperature": self._sampling.temperature,
            "seed": self._sampling.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self._served.tells_progress:
            optional["return_progress"] = True
        if self._served.is_vllm and not watched:
            optional["stream_interval"] = UNWATCHED
        optional |= request_fields(task, is_vllm=self._served.is_vllm)
        if "logprobs" in self._refused:
            optional.pop("top_logprobs", None)
        return {
            "model": self._served.name,
            **self._prompt(task, messages, ids),
            **{name: value for name, value in optional.items() if name not in self._refused},
        }

    def _prompt(self, task: Task, messages: Messages, ids: Ids | None) -> dict[str, Any]:
        if ids is not None and self.takes_ids and shape_of(task) is None and not task.odds:
            return {"prompt": ids.json}
        return {"messages": fold_system(messages()) if SYSTEM in self._refused else messages()}

    def leave_out(self, refused: Refused, sent: dict[str, Any]) -> bool:
        """Note what the server refused of the body ``sent``; whether there is something to leave out."""
        if "prompt" in sent and (refused.status in (404, 405) or _PROMPT_TYPE.search(refused.message)):
            self.takes_ids = False
            return True
        if refused.status not in (400, 422, 500):
            return False
        name = refused_field(refused.message, sent)
        if name is None and refused.status == 400:
            name = next((field for field in SHAPING if field in sent), None)
        if name is None:
            return False
        self._refused |= {name, "stream_options"} if name == "stream" else {name}
        return True
