"""A vLLM server, and any other that speaks OpenAI's chat completions (llama.cpp, Ollama, SGLang).

Every reply is streamed, so that a broken connection is noticed at once, and a connection that we close (Ctrl-C) stops
the server's work.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, Unpack

from lcrag.backends import local_server, machine
from lcrag.backends.connection import Connection, Refused, TransientError
from lcrag.backends.http import HttpClient, HttpOptions
from lcrag.backends.local_tokenizer import control_tokens
from lcrag.backends.prompt_ids import Ids, PromptIds
from lcrag.backends.refusals import is_too_long, window_and_tokens
from lcrag.backends.replies import (
    THINKS_FIRST,
    Speaker,
    begins_in_thinking,
    check_fits,
    does_not_fit,
    reply_text,
)
from lcrag.backends.request import Messages, RequestForm, Sampling
from lcrag.backends.served import cache_tokens, metric, metrics, served_model
from lcrag.backends.server_tokens import IDS_FROM, ServerTokens
from lcrag.backends.stream import Reply, read_event, usage_tokens
from lcrag.errors import BackendFailed, DoesNotFit, NotAvailable
from lcrag.text import prompts, tokens
from lcrag.text.loops import loop_start
from lcrag.types import Backend, BackendIdentity, CacheState, Completion, OnSilence, OnToken, OnWait, Task, Usage

CONCURRENCY: Final = 8
"""Tasks that are worth sending at once."""

_NO_MODEL = re.compile(r"model_not_found|\bmodel\b.*\b(?:does not exist|not found)", re.IGNORECASE | re.DOTALL)
"""In the message of a server that takes any name of a model until it is asked."""

LOOP_EVERY: Final = 256
"""Characters after which a reply is looked through again for a loop, which then ends it."""
THINKING_TOKENS: Final = 4096
"""Room that a model gets in addition once a reply was cut while it was thinking; a quarter of the window at most."""


TOKEN_BYTES: Final = 64
"""More than any token's text has: a reply that is longer than its tokens can be is no reply."""
EVENT_BYTES: Final = 4096
"""Likewise of the event that brings a token."""
SLACK_BYTES: Final = 1_000_000


class OpenAIServer(Backend):
    """A backend over HTTP, for any number of threads.

    ``http``: the options of its ``HttpClient``, which says what they mean, and what ``max_seconds``, ``on_wait``
    and ``on_silence``, which may be set between calls.
    Raises NotRunning when nothing answers at ``url``, NotAvailable when it does not serve ``model``, InputError for an
    address or a key that makes no sense.
    """

    name = "server"

    def __init__(
        self,
        url: str,
        model: str | None = None,
        *,
        sampling: Sampling | None = None,
        **http: Unpack[HttpOptions],
    ) -> None:
        self.http = HttpClient(url, **http)
        self.root = self.http.root
        self._served = served_model(self.http, model)
        self.model, self.window = self._served.name, self._served.window
        self._thinks_first = THINKS_FIRST.search(self.model) is not None
        self._thinking_tokens = 0
        self._control = control_tokens(self._served.folder) if self._served.folder else ()
        self._ids = PromptIds(self._control)
        self._tokens = ServerTokens(self.http, self.model, self._served.folder)
        self._form = RequestForm(self._served, sampling or Sampling())

    @property
    def max_seconds(self) -> float | None:
        """Seconds that no call of ``run`` may exceed; None for no limit but ``deadline``."""
        return self.http.max_seconds

    @max_seconds.setter
    def max_seconds(self, seconds: float | None) -> None:
        self.http.max_seconds = seconds

    @property
    def on_wait(self) -> OnWait | None:
        """Gets a line for each wait of a second or more; the threads of a batch may call it at once."""
        return self.http.on_wait

    @on_wait.setter
    def on_wait(self, on_wait: OnWait | None) -> None:
        self.http.on_wait = on_wait

    @property
    def on_silence(self) -> OnSilence | None:
        """Called each second while the server has written nothing for 3 s or more, and once when it writes again."""
        return self.http.on_silence

    @on_silence.setter
    def on_silence(self, on_silence: OnSilence | None) -> None:
        self.http.on_silence = on_silence

    @property
    def tokenizer(self) -> str:
        """The server's own where it has /tokenize, otherwise an estimate, and named so."""
        return f"server/{self.model}" if self._tokens.is_there else f"estimate/{tokens.tokenizer_name()}"

    @property
    def concurrency(self) -> int:
        return CONCURRENCY

    @property
    def template_tokens(self) -> int:
        return self._tokens.template

    @property
    def identity(self) -> BackendIdentity:
        ours = (server.model for server in local_server.remembered() if server.url == self.root)
        folder = next(ours, self._served.folder or self.model)
        return BackendIdentity(self.name, self.model, self.window, machine.dtype(folder), machine.device(self.root))

    def cache_state(self) -> CacheState | None:
        page = metrics(self.http)
        queried = metric(page, "vllm:prefix_cache_queries_total")
        if queried is None:
            return None
        started = metric(page, "process_start_time_seconds")
        return CacheState(self.root if started is None else f"{self.root} {started:.2f}", queried, cache_tokens(page))

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return self._tokens.count_many(texts)

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        """All tasks, concurrently; completions in the tasks' order. ``on_token`` is called for a single task only.

        Raises DoesNotFit for a prompt that is longer than the window, BackendFailed after retries or at the deadline.
        """
        begun = time.perf_counter()
        speak = on_token if len(tasks) == 1 else None
        return self.http.each(lambda connection, task: self.complete(connection, task, max_tokens, speak, begun), tasks)

    def complete(
        self, connection: Connection, task: Task, max_tokens: int, speak: OnToken | None, begun: float
    ) -> Completion:
        """One task over a connection of ``http``; ``begun``: since when its seconds count (``time.perf_counter()``).

        Raises what ``run`` raises.
        """
        messages = cache(lambda: prompts.messages(task, self._control))
        max_tokens += 0 if task.odds else self._thinking_tokens
        ids = self._fitting_ids(connection, task, messages, max_tokens)
        speaker = Speaker(speak)

        def call() -> Reply:
            nonlocal speaker
            # what a failed try held back is not part of this one
            speaker = Speaker(speak, thinks_first=self._thinks_first)
            reply = self._stream(connection, task, messages, ids, max_tokens, speaker)
            if reply.finish is None and not reply.is_whole:
                raise TransientError("the reply broke off")
            speaker.end()
            return reply

        reply = self.http.attempt(connection, call, limited=True, repeatable=lambda: not speaker.spoke)
        self._thinks_first = self._thinks_first or begins_in_thinking(reply.text)
        usage, details = reply.usage, reply.usage.get("prompt_tokens_details")
        try:
            text = reply_text(
                task,
                reply.text,
                max_tokens,
                finish=reply.finish,
                thought=reply.thought > 0,
                refusal=connection.mask(reply.refusal)[:300],
            )
        except BackendFailed as error:
            if reply.finish == "length" and not self._thinking_tokens:
                self._thinking_tokens = min(THINKING_TOKENS, self.window // 4)
                return self.complete(connection, task, max_tokens, speak, begun)
            raise BackendFailed(f"the model {self.model} gave no answer: {error}", hint=error.hint) from error
        return Completion(
            text=text,
            usage=Usage(
                input_tokens=usage_tokens(usage.get("prompt_tokens")) or (ids.count if ids else _estimate(messages())),
                cached_tokens=usage_tokens(details.get("cached_tokens")) if isinstance(details, dict) else 0,
                output_tokens=usage_tokens(usage.get("completion_tokens")) or tokens.count(reply.text),
                calls=1,
                seconds=time.perf_counter() - begun,
            ),
            finish="length" if reply.finish == "length" else "stop",
            odds=reply.odds,
        )

    def _stream(
        self,
        connection: Connection,
        task: Task,
        messages: Messages,
        ids: Ids | None,
        max_tokens: int,
        speaker: Speaker,
    ) -> Reply:
        """One try. What the server turns out not to take is left out at once and from then on: token ids, the shape
        of a reply, the seed and other fields, the system message.
        """
        body = self._form.body(task, messages, ids, max_tokens, watched=speaker.is_heard)
        api = self.http.apis[0]
        url = f"{api}/completions" if "prompt" in body else f"{api}/chat/completions"
        reply = Reply()
        try:
            for data in connection.events(url, body, max_tokens * EVENT_BYTES + SLACK_BYTES):
                if data == b"[DONE]":
                    reply.is_whole = True
                    continue
                before = len(reply.text)
                speaker.say(read_event(data, reply, connection.mask))
                if before // LOOP_EVERY < len(reply.text) // LOOP_EVERY and loop_start(reply.text) is not None:
                    reply.finish = "stop"  # the rest would only be more of the same
                    break
                if len(reply.text) + reply.thought > max_tokens * TOKEN_BYTES + SLACK_BYTES:
                    raise Refused(0, f"the reply is longer than {max_tokens:,} tokens can be")
        except Refused as refused:
            if refused.status == 413 or is_too_long(refused.message):
                raise self._too_long(refused, messages(), max_tokens) from refused
            if refused.status == 404 and _NO_MODEL.search(refused.message):
                raise NotAvailable(
                    f"the server at {self.root} does not serve {self.model!r}: {refused}", hint="--model NAME"
                ) from refused
            if not self._form.leave_out(refused, body) and not self._is_at_another_path(refused, api):
                raise
            return self._stream(connection, task, messages, ids, max_tokens, speaker)
        return reply

    def _is_at_another_path(self, refused: Refused, api: str) -> bool:
        """Whether the address has another path to try than ``api``, which has no such page."""
        if refused.status not in (404, 405):
            return False
        if api == self.http.apis[0]:
            self.http.apis = self.http.apis[1:] or self.http.apis
        return api != self.http.apis[0]

    def _too_long(self, refused: Refused, messages: list[dict[str, str]], max_tokens: int) -> DoesNotFit:
        """The error of a prompt that the server says is longer than its window, which is then known."""
        window, requested = window_and_tokens(refused.message)
        if window is not None:
            self.window = window
        counted = sum(tokens.count(message["content"]) for message in messages) + max_tokens
        needed = requested or max(counted, self.window + 1)
        return does_not_fit(
            f"the prompt and its answer need {needed:,} tokens, more than the window of the server"
            + (f", {window:,}" if window is not None else "")
            + f" ({refused})",
            needed,
            self.window,
        )

    def _fitting_ids(self, connection: Connection, task: Task, messages: Messages, max_tokens: int) -> Ids | None:
        """Refuse what is longer than the window before it is sent: some servers cut a long prompt without a word.

        The ids of a long prompt, where the server gives them; None for a short one.
        """
        sends_ids = self._tokens.is_there and self._form.takes_ids
        if not sends_ids or sum(len(passage.text) for passage in task.passages) < IDS_FROM:
            text = "".join(message["content"] for message in messages())
            most = len(text.encode("utf-8", "replace")) + 64  # a token is at least one byte
            if most + max_tokens <= self.window and not (sends_ids and len(text) >= IDS_FROM):
                return None
        if not self._tokens.is_there:
            check_fits(tokens.count(text), max_tokens, self.window)
            return None
        ids = self._ids.of(task, lambda messages: self._tokens.chat_ids(connection, messages))
        if self._tokens.opens_thinking:
            self._form.takes_ids = False  # only the chat's own path takes the thinking out
            self._thinks_first = True
        check_fits(ids.count, max_tokens, self.window)
        return ids


def _estimate(messages: Sequence[Mapping[str, str]]) -> int:
    """Tokens of a prompt whose usage the server does not report, or not before its reply was cut."""
    return sum(tokens.count_many([message["content"] for message in messages]))
