"""Tokens by the server's own tokenizer: counts of texts, ids of prompts."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from lcrag.backends.connection import Connection, Refused, TransientError, parse_json
from lcrag.backends.http import HttpClient
from lcrag.backends.local_tokenizer import COMPARED, MIN_TEXTS, Count, local_counter
from lcrag.backends.replies import OPENS_THINKING
from lcrag.errors import NotAvailable
from lcrag.text import prompts, tokens
from lcrag.types import Task

UNKNOWN_TEMPLATE: Final = 32
"""Tokens of a chat template that cannot be measured."""
TEMPLATE_MARGIN: Final = 2
"""Tokens that may be added where the template's text and a message's meet."""
IDS_FROM: Final = 16_000
"""Characters from which on a prompt is sent as token ids, where the server takes them (``PromptIds``)."""
COUNTED_AT_ONCE: Final = 8
"""Requests for token counts at a time."""


class ServerTokens:
    """Of one model on a server. Threads may share it.

    ``folder``: where the model is stored, None if the server does not say so. ``is_there``: whether the server has
    /tokenize; without it counts are an estimate and there are no ids. ``opens_thinking``: whether the model's template
    has been seen to do so.
    """

    def __init__(self, http: HttpClient, model: str, folder: str | None) -> None:
        self._http = http
        self._model = model
        self._folder = folder
        self._counts: dict[bytes, int] = {}
        self._local_counter: Count | None = None
        self._compared = False
        self._comparing = threading.Lock()
        self.opens_thinking = False
        self.is_there = self._has_tokenize()

    @cached_property
    def template(self) -> int:
        """Tokens of the chat template around a prompt that has no passages; 32 where /tokenize does not render it."""
        if not self.is_there:
            return UNKNOWN_TEMPLATE
        messages = prompts.messages(Task("answer", "?"))
        try:
            body = {"model": self._model, "messages": messages, "add_generation_prompt": True}
            rendered = _count(parse_json(self._http.ask("POST", "/tokenize", body)), "?")
        except (TransientError, Refused, NotAvailable, ValueError):
            return UNKNOWN_TEMPLATE
        return rendered - sum(self.count_many([message["content"] for message in messages])) + TEMPLATE_MARGIN

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text: one request a text, once; or by the same tokenizer in the model's folder, from the first
        time that many are counted, where the server runs on this machine.
        """
        if not self.is_there:
            return tokens.count_many(texts)
        keys = [hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest() for text in texts]
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._counts}
        if unknown:
            self._counts.update(zip(unknown, self._count_all(list(unknown.values())), strict=True))
        return [self._counts[key] for key in keys]

    def chat_ids(self, connection: Connection, messages: list[dict[str, str]]) -> list[int]:
        """The ids of chat messages in the model's template."""
        is_short = len(messages[-1]["content"]) < IDS_FROM
        options = {"add_generation_prompt": True, "return_token_strs": is_short}
        reply = self._tokenize(connection, {"messages": messages, **options})
        names = reply.get("token_strs")
        if isinstance(names, list) and OPENS_THINKING.search("".join(map(str, names[-32:]))):
            self.opens_thinking = True
        return list(reply["tokens"])

    def _tokenize(self, connection: Connection, what: dict[str, Any]) -> dict[str, Any]:
        """The reply of /tokenize, its tokens and their number as they should be."""

        def call() -> dict[str, Any]:
            reply = connection.json("POST", "/tokenize", {"model": self._model, **what})
            try:
                _count(reply, what.get("prompt", "?"))
            except ValueError as error:
                raise TransientError(f"/tokenize gives no tokens: {error}") from error
            return reply

        return self._http.attempt(connection, call)

    def _has_tokenize(self) -> bool:
        try:
            _count(parse_json(self._http.ask("POST", "/tokenize", {"model": self._model, "prompt": "a"})), "a")
        except (TransientError, Refused, NotAvailable, ValueError):
            return False
        return True

    def _count_all(self, texts: list[str]) -> list[int]:
        count = self._trusted_counter(texts[:COMPARED]) if len(texts) >= MIN_TEXTS else self._local_counter
        return count(texts) if count is not None else self._count_remotely(texts)

    def _count_remotely(self, texts: Sequence[str]) -> list[int]:
        def count(connection: Connection, text: str) -> int:
            return int(self._tokenize(connection, {"prompt": text, "add_special_tokens": False})["count"])

        return self._http.each(count, texts, width=COUNTED_AT_ONCE)

    def _trusted_counter(self, sample: Sequence[str]) -> Count | None:
        """The tokenizer in the model's folder, if it counts a sample as the server does."""
        with self._comparing:
            if not self._compared:
                counter = local_counter(self._folder) if self._folder else None
                if counter is not None and counter(sample) == self._count_remotely(sample):
                    self._local_counter = counter
                self._compared = True
        return self._local_counter


def _count(reply: Any, text: str) -> int:
    """The tokens of ``text`` by a reply of /tokenize. Raises ValueError for one that cannot be."""
    count, ids = (reply.get("count"), reply.get("tokens")) if isinstance(reply, dict) else (None, None)
    if (
        type(count) is not int
        or not isinstance(ids, list)
        or not set(map(type, ids)) <= {int}
        or min(ids, default=0) < 0
    ):
        raise ValueError("another shape")
    if count < 0 or (count == 0 and text.strip()):
        raise ValueError(f"{count} tokens")
    return count
