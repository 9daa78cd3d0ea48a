"""A vLLM server, and any other that speaks OpenAI's chat completions (llama.cpp, Ollama, SGLang).

Every reply is streamed, so that a broken connection is noticed at once, and a connection that we close (Ctrl-C) stops
the server's work.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Unpack

from lcrag.backends import local_server, machine
from lcrag.backends.connection import Connection, Refused, TransientError, parse_json
from lcrag.backends.http import HttpClient, HttpOptions
from lcrag.backends.local_tokenizer import COMPARED, MIN_TEXTS, Count, control_tokens, local_counter
from lcrag.backends.prompt_ids import PromptIds
from lcrag.backends.refusals import SYSTEM, fold_system, is_too_long, refused_field, window_and_tokens
from lcrag.backends.replies import (
    OPENS_THINKING,
    THINKS_FIRST,
    Speaker,
    begins_in_thinking,
    check_fits,
    does_not_fit,
    reply_text,
)
from lcrag.backends.served import cache_tokens, metric, metrics, served_model
from lcrag.backends.shapes import SHAPING, request_fields, shape_of
from lcrag.backends.stream import Reply, read_event, usage_tokens
from lcrag.errors import BackendFailed, DoesNotFit, NotAvailable
from lcrag.text import prompts, tokens
from lcrag.text.loops import loop_start
from lcrag.types import Backend, BackendIdentity, CacheState, Completion, OnSilence, OnToken, OnWait, Task, Usage

DEFAULT_URL: Final = f"http://{local_server.HOST}:{local_server.USUAL_PORT}"
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

_NO_MODEL = re.compile(r"model_not_found|\bmodel\b.*\b(?:does not exist|not found)", re.IGNORECASE | re.DOTALL)
"""In the message of a server that takes any name of a model until it is asked."""

LOOP_EVERY: Final = 256
"""Characters after which a reply is looked through again for a loop, which then ends it."""
THINKING_TOKENS: Final = 4096
"""Room that a model gets in addition once a reply was cut while it was thinking; a quarter of the window at most."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn: greedy with a fixed seed unless set, so that a question asked twice is answered alike."""

    temperature: float = 0.0
    seed: int = 0


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
        url: str = DEFAULT_URL,
        model: str | None = None,
        *,
        sampling: Sampling | None = None,
        **http: Unpack[HttpOptions],
    ) -> None:
        self._http = HttpClient(url, **http)
        self.root = self._http.root
        self.sampling = sampling or Sampling()
        self._served = served_model(self._http, model)
        self.model, self.window = self._served.name, self._served.window
        self._counts: dict[bytes, int] = {}
        self._local_counter: Count | None = None
        self._compared = False
        self._comparing = threading.Lock()
        self._refused: set[str] = set()
        self._takes_ids = True
        self._thinks_first = THINKS_FIRST.search(self.model) is not None
        self._thinking_tokens = 0
        self._control = control_tokens(self._served.folder) if self._served.folder else ()
        self._ids = PromptIds(self._control)
        self._tokenizes = self._has_tokenize()

    @property
    def max_seconds(self) -> float | None:
        """Seconds that no call of ``run`` may exceed; None for no limit but ``deadline``."""
        return self._http.max_seconds

    @max_seconds.setter
    def max_seconds(self, seconds: float | None) -> None:
        self._http.max_seconds = seconds

    @property
    def on_wait(self) -> OnWait | None:
        """Gets a line for each wait of a second or more; the threads of a batch may call it at once."""
        return self._http.on_wait

    @on_wait.setter
    def on_wait(self, on_wait: OnWait | None) -> None:
        self._http.on_wait = on_wait

    @property
    def on_silence(self) -> OnSilence | None:
        """Called each second while the server has written nothing for 3 s or more, and once when it writes again."""
        return self._http.on_silence

    @on_silence.setter
    def on_silence(self, on_silence: OnSilence | None) -> None:
        self._http.on_silence = on_silence

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
            rendered = _count(parse_json(self._http.ask("POST", "/tokenize", body)), "?")
        except (TransientError, Refused, NotAvailable, ValueError):
            return UNKNOWN_TEMPLATE
        return rendered - sum(self.count_many([message["content"] for message in messages])) + TEMPLATE_MARGIN

    @property
    def identity(self) -> BackendIdentity:
        ours = local_server.remembered()
        folder = ours.model if ours is not None and ours.url == self.root else self._served.folder or self.model
        return BackendIdentity(self.name, self.model, self.window, machine.dtype(folder), machine.device(self.root))

    def cache_state(self) -> CacheState | None:
        page = metrics(self._http)
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
        messages = prompts.messages(task, self._control)
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

        reply = self._http.attempt(connection, call, limited=True, repeatable=lambda: not speaker.spoke)
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
                return self._complete(connection, task, max_tokens, speak, begun)
            raise BackendFailed(f"the model {self.model} gave no answer: {error}", hint=error.hint) from error
        return Completion(
            text=text,
            usage=Usage(
                input_tokens=usage_tokens(usage.get("prompt_tokens")) or len(ids or ()) or _estimate(messages),
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
        messages: list[dict[str, str]],
        ids: list[int] | None,
        max_tokens: int,
        speaker: Speaker,
    ) -> Reply:
        """One try. What the server turns out not to take is left out at once and from then on: token ids, the shape
        of a reply, the seed and other fields, the system message.
        """
        by_ids = ids is not None and self._takes_ids and shape_of(task) is None and not task.odds
        body = self._body(task, {"prompt": ids} if by_ids else {"messages": messages}, max_tokens)
        api = self._http.apis[0]
        url = f"{api}/completions" if by_ids else f"{api}/chat/completions"
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
                raise self._too_long(refused, messages, max_tokens) from refused
            if refused.status == 404 and _NO_MODEL.search(refused.message):
                raise NotAvailable(
                    f"the server at {self.root} does not serve {self.model!r}: {refused}", hint="--model NAME"
                ) from refused
            if not self._leave_out(refused, body, api):
                raise
            return self._stream(connection, task, messages, ids, max_tokens, speaker)
        return reply

    def _body(self, task: Task, prompt: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """A request, without what the server has refused."""
        if SYSTEM in self._refused and "messages" in prompt:
            prompt = {"messages": fold_system(prompt["messages"])}
        optional: dict[str, Any] = {
            "max_completion_tokens" if "max_tokens" in self._refused else "max_tokens": max_tokens,
            "temperature": self.sampling.temperature,
            "seed": self.sampling.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self._served.tells_progress:
            optional["return_progress"] = True
        optional |= request_fields(task, is_vllm=self._served.is_vllm)
        if "logprobs" in self._refused:
            optional.pop("top_logprobs", None)
        return {
            "model": self.model,
            **prompt,
            **{name: value for name, value in optional.items() if name not in self._refused},
        }

    def _leave_out(self, refused: Refused, sent: dict[str, Any], api: str) -> bool:
        """Note what the server refused of the request ``sent``; whether there is something to leave out."""
        if "prompt" in sent and (refused.status in (404, 405) or _PROMPT_TYPE.search(refused.message)):
            self._takes_ids = False
            return True
        if refused.status in (404, 405):
            if api == self._http.apis[0]:
                self._http.apis = self._http.apis[1:] or self._http.apis
            return api != self._http.apis[0]
        if refused.status not in (400, 422, 500):
            return False
        name = refused_field(refused.message, sent)
        if name is None and refused.status == 400:
            name = next((field for field in SHAPING if field in sent), None)
        if name is None:
            return False
        self._refused |= {name, "stream_options"} if name == "stream" else {name}
        return True

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
        names = reply.get("token_strs")
        if isinstance(names, list) and OPENS_THINKING.search("".join(map(str, names[-32:]))):
            self._takes_ids = False  # the template opens the thinking, which only the chat's own path takes out
            self._thinks_first = True
        return list(reply["tokens"])

    def _tokenize(self, connection: Connection, what: dict[str, Any]) -> dict[str, Any]:
        """The reply of /tokenize, its tokens and their number as they should be."""

        def call() -> dict[str, Any]:
            reply = connection.json("POST", "/tokenize", {"model": self.model, **what})
            try:
                _count(reply, what.get("prompt", "?"))
            except ValueError as error:
                raise TransientError(f"/tokenize gives no tokens: {error}") from error
            return reply

        return self._http.attempt(connection, call)

    def _has_tokenize(self) -> bool:
        try:
            _count(parse_json(self._http.ask("POST", "/tokenize", {"model": self.model, "prompt": "a"})), "a")
        except (TransientError, Refused, NotAvailable, ValueError):
            return False
        return True

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


def _count(reply: Any, text: str) -> int:
    """The tokens of ``text`` by a reply of /tokenize. Raises ValueError for one that cannot be."""
    count, ids = (reply.get("count"), reply.get("tokens")) if isinstance(reply, dict) else (None, None)
    if type(count) is not int or not isinstance(ids, list) or not all(type(id) is int and id >= 0 for id in ids):
        raise ValueError("another shape")
    if count < 0 or (count == 0 and text.strip()):
        raise ValueError(f"{count} tokens")
    return count


def _estimate(messages: Sequence[Mapping[str, str]]) -> int:
    """Tokens of a prompt whose usage the server does not report, or not before its reply was cut."""
    return sum(tokens.count_many([message["content"] for message in messages]))
