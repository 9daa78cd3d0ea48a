"""A vLLM server, and any other that speaks OpenAI's chat completions (llama.cpp, Ollama, SGLang).

Every reply is streamed, so that a broken connection is noticed at once, and a connection that we close (Ctrl-C) stops
the server's work.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from lcrag.backends import local_server, machine
from lcrag.backends.connection import Connection, Refused, TransientError
from lcrag.backends.http import HttpClient
from lcrag.backends.local_tokenizer import COMPARED, MIN_TEXTS, Count, local_counter
from lcrag.backends.prompt_ids import PromptIds
from lcrag.backends.replies import THINK, Speaker, check_fits, reply_text
from lcrag.backends.served import cache_tokens, metric, served_model
from lcrag.errors import BackendFailed, NotAvailable
from lcrag.text import prompts, tokens
from lcrag.types import Backend, BackendIdentity, CacheState, Completion, OnToken, Task, Usage

DEFAULT_URL: Final = "http://127.0.0.1:8000"
UNKNOWN_TEMPLATE: Final = 32
"""Tokens of a chat template that cannot be measured."""
TEMPLATE_MARGIN: Final = 2
"""Tokens that may be added where the template's text and a message's meet."""
IDS_FROM: Final = 16_000
"""Characters from which on a prompt is sent as token ids, where the server takes them (``PromptIds``)."""
CONCURRENCY: Final = 8
"""Tasks that are worth sending at once; also the requests for token counts at a time."""

_PROMPT_TYPE = re.compile(r"\bprompt\b.*\b(string|str|type|array|list)\b", re.IGNORECASE | re.DOTALL)
"""In the message of a server that takes prompts as text only; one about a prompt's length says none of these words."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn: greedy with a fixed seed unless set, so that a question asked twice is answered alike."""

    temperature: float = 0.0
    seed: int = 0


@dataclass(slots=True)
class _Reply:
    """What has come of one streamed reply so far."""

    text: str = ""
    finish: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)


class OpenAIServer(Backend):
    """A backend over HTTP, for any number of threads.

    ``deadline``: seconds that one request may take in all, its tries included; a server that has stalled holds a
    question no longer. ``log``: the server's log file, for the hints of errors.
    Raises NotRunning when nothing answers at ``url``, NotAvailable when it does not serve ``model``.
    """

    name = "server"

    def __init__(
        self,
        url: str = DEFAULT_URL,
        model: str | None = None,
        *,
        sampling: Sampling | None = None,
        log: str | None = None,
        deadline: float = 600.0,
        backoff: float = 0.5,
    ) -> None:
        self._http = HttpClient(url, log=log, deadline=deadline, backoff=backoff)
        self.root = self._http.root
        self.sampling = sampling or Sampling()
        self._served = served_model(self._http, model)
        self.model, self.window = self._served.name, self._served.window
        self._counts: dict[bytes, int] = {}
        self._local_counter: Count | None = None
        self._compared = False
        self._comparing = threading.Lock()
        self._takes_schema = True
        self._takes_ids = True
        self._ids = PromptIds()
        self._tokenizes = self._has_tokenize()

    @property
    def tokenizer(self) -> str:
        """The server's own where it has /tokenize, otherwise an estimate, and named so."""
        return f"server/{self.model}" if self._tokenizes else f"estimate/{tokens.tokenizer_name()}"

    @property
    def concurrency(self) -> int:
        return CONCURRENCY

    @cached_property
    def template_tokens(self) -> int:
        """Measured with a prompt that has no passages; 32 where /tokenize does not render chat messages."""
        if not self._tokenizes:
            return UNKNOWN_TEMPLATE
        messages = prompts.messages(Task("answer", "?"))
        try:
            body = {"model": self.model, "messages": messages, "add_generation_prompt": True}
            rendered = int(json.loads(self._http.ask("POST", "/tokenize", body))["count"])
        except (TransientError, BackendFailed, NotAvailable, ValueError, KeyError, TypeError):
            return UNKNOWN_TEMPLATE
        return rendered - sum(self.count_many([message["content"] for message in messages])) + TEMPLATE_MARGIN

    @property
    def identity(self) -> BackendIdentity:
        ours = local_server.remembered()
        folder = ours.model if ours is not None and ours.url == self.root else self._served.folder or self.model
        return BackendIdentity(self.name, self.model, self.window, machine.dtype(folder), machine.device(self.root))

    def cache_state(self) -> CacheState | None:
        try:
            page = self._http.ask("GET", "/metrics")
        except (TransientError, BackendFailed, NotAvailable):
            return None
        queried = metric(page, "vllm:prefix_cache_queries_total")
        if queried is None:
            return None
        started = metric(page, "process_start_time_seconds")
        return CacheState(self.root if started is None else f"{self.root} {started:.2f}", queried, cache_tokens(page))

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text by the server's tokenizer: one request a text, once; or many texts at once by the same
        tokenizer in the model's folder, where the server runs on this machine.
        """
        if not self._tokenizes:
            return tokens.count_many(texts)
        keys = [hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest() for text in texts]
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._counts}
        if unknown:
            self._counts.update(zip(unknown, self._count_all(list(unknown.values())), strict=True))
        return [self._counts[key] for key in keys]

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        """All tasks, concurrently; completions in the tasks' order. ``on_token`` is called for a single task only.

        Raises DoesNotFit for a prompt that is longer than the window, BackendFailed after retries or at the deadline.
        """
        begun = time.perf_counter()
        speak = on_token if len(tasks) == 1 else None
        return self._http.each(
            lambda connection, task: self._complete(connection, task, max_tokens, speak, begun), tasks
        )

    def _complete(
        self, connection: Connection, task: Task, max_tokens: int, speak: OnToken | None, begun: float
    ) -> Completion:
        messages = prompts.messages(task)
        ids = self._fitting_ids(connection, task, messages, max_tokens)
        speaker = Speaker(speak)

        def call() -> _Reply:
            nonlocal speaker
            speaker = Speaker(speak)  # what a failed try held back is not part of this one
            reply = self._stream(connection, task, messages, ids, max_tokens, speaker)
            if reply.finish is None:
                raise TransientError("the reply broke off")
            speaker.end()
            return reply

        reply = self._http.attempt(connection, call, limited=True, repeatable=lambda: not speaker.spoke)
        usage = reply.usage
        return Completion(
            text=reply_text(task, reply.text, max_tokens),
            usage=Usage(
                input_tokens=int(usage.get("prompt_tokens") or 0),
                cached_tokens=int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0),
                output_tokens=int(usage.get("completion_tokens") or 0),
                calls=1,
                seconds=time.perf_counter() - begun,
            ),
            finish="length" if reply.finish == "length" else "stop",
        )

    def _stream(
        self,
        connection: Connection,
        task: Task,
        messages: list[dict[str, str]],
        ids: list[int] | None,
        max_tokens: int,
        speaker: Speaker,
    ) -> _Reply:
        """One try. What the server turns out not to know (token ids, a schema) is left out at once and from then on."""
        by_ids = ids is not None and self._takes_ids and task.role != "judge"
        with_schema = task.role == "judge" and self._takes_schema
        body: dict[str, Any] = {
            "model": self.model,
            **({"prompt": ids} if by_ids else {"messages": messages}),
            "max_tokens": max_tokens,
            "temperature": self.sampling.temperature,
            "seed": self.sampling.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if with_schema:
            schema = {"name": "verdict", "schema": prompts.JUDGE_SCHEMA, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        reply = _Reply()
        try:
            for data in connection.events("/v1/completions" if by_ids else "/v1/chat/completions", body):
                if data != b"[DONE]":
                    speaker.say(_read_event(data, reply))
        except Refused as refused:
            if by_ids and (refused.status in (404, 405) or _PROMPT_TYPE.search(refused.message)):
                self._takes_ids = False
            elif with_schema and refused.status == 400:
                self._takes_schema = False
            else:
                raise
            return self._stream(connection, task, messages, ids, max_tokens, speaker)
        return reply

    def _fitting_ids(
        self, connection: Connection, task: Task, messages: list[dict[str, str]], max_tokens: int
    ) -> list[int] | None:
        """Refuse what is longer than the window before it is sent: some servers cut a long prompt without a word.

        The ids of a long prompt, where the server gives them; None for a short one.
        """
        text = "".join(message["content"] for message in messages)
        fits = len(text.encode("utf-8", "replace")) + 64 + max_tokens <= self.window  # a token is at least one byte
        if fits and (len(text) < IDS_FROM or not (self._tokenizes and self._takes_ids)):
            return None
        ids = self._ids.of(task, lambda messages: self._chat_ids(connection, messages)) if self._tokenizes else None
        check_fits(tokens.count(text) if ids is None else len(ids), max_tokens, self.window)
        return ids

    def _chat_ids(self, connection: Connection, messages: list[dict[str, str]]) -> list[int]:
        """The ids of chat messages in the model's template."""
        is_short = len(messages[-1]["content"]) < IDS_FROM
        options = {"add_generation_prompt": True, "return_token_strs": is_short}
        reply = self._tokenize(connection, {"messages": messages, **options})
        if THINK in "".join(reply.get("token_strs") or ())[-64:]:
            self._takes_ids = False  # the template opens the thinking, which only the chat's own path takes out
        return [int(id) for id in reply["tokens"]]

    def _tokenize(self, connection: Connection, what: dict[str, Any]) -> dict[str, Any]:
        return self._http.attempt(
            connection, lambda: connection.json("POST", "/tokenize", {"model": self.model, **what})
        )

    def _has_tokenize(self) -> bool:
        try:
            reply = json.loads(self._http.ask("POST", "/tokenize", {"model": self.model, "prompt": "a"}))
        except (TransientError, BackendFailed, ValueError):
            return False
        return isinstance(reply, dict) and isinstance(reply.get("count"), int) and isinstance(reply.get("tokens"), list)

    def _count_all(self, texts: list[str]) -> list[int]:
        count = self._trusted_counter(texts[:COMPARED]) if len(texts) >= MIN_TEXTS else None
        return count(texts) if count is not None else self._count_remotely(texts)

    def _count_remotely(self, texts: Sequence[str]) -> list[int]:
        def count(connection: Connection, text: str) -> int:
            return int(self._tokenize(connection, {"prompt": text, "add_special_tokens": False})["count"])

        return self._http.each(count, texts, width=CONCURRENCY)

    def _trusted_counter(self, sample: Sequence[str]) -> Count | None:
        """The tokenizer in the model's folder, if it counts a sample as the server does."""
        with self._comparing:
            if not self._compared:
                counter = local_counter(self._served.folder) if self._served.folder else None
                if counter is not None and counter(sample) == self._count_remotely(sample):
                    self._local_counter = counter
                self._compared = True
        return self._local_counter


def _read_event(data: bytes, reply: _Reply) -> str:
    """Add an event to the reply; the text that it brings."""
    try:
        event = json.loads(data)
        if "error" in event:
            error = event["error"]
            message = error["message"] if isinstance(error, dict) else error
            raise TransientError(f"the server says: {str(message)[:300]}")
        reply.usage = event.get("usage") or reply.usage
        piece = ""
        for choice in event.get("choices") or []:
            piece += choice.get("text") or (choice.get("delta") or {}).get("content") or ""
            reply.finish = choice.get("finish_reason") or reply.finish
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise TransientError(f"a reply that is not the JSON expected: {data[:80]!r}") from error
    reply.text += piece
    return piece
