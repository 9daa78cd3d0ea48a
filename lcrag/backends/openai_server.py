"""A vLLM server, and any other that speaks OpenAI's chat completions (llama.cpp, Ollama, SGLang).

Every reply is streamed, so that a cut connection is seen at once and Ctrl-C, which closes it, stops the server's work.
A batch runs concurrently up to a limit that adapts to the server: it grows while replies come and nothing queues, and
halves on 429, 503 or a queue (additive increase, multiplicative decrease, as TCP does it).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lcrag.backends.local_tokenizer import COMPARED, FROM, Count, local_counter
from lcrag.backends.prompt_ids import PromptIds
from lcrag.errors import BackendFailed, DoesNotFit, NotAvailable, NotRunning
from lcrag.text import prompts, tokens
from lcrag.types import Backend, Completion, OnToken, Task, Usage

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

DEFAULT_URL: Final = "http://127.0.0.1:8000"
UNKNOWN_WINDOW: Final = 4096
"""The window assumed of a server that does not tell: Ollama's default, the smallest in use."""

IDS_FROM: Final = 16_000
"""Characters from which on a prompt is sent as token ids, where the server takes them (``PromptIds``)."""

TRIES: Final = 5
FIRST_LIMIT, LIMIT = 8, 256
RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
BUSY: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn: greedy with a fixed seed unless set, so that a question asked twice is answered alike."""

    temperature: float = 0.0
    seed: int = 0


class _Again(Exception):
    """A fault that another try may mend."""

    def __init__(self, reason: str, *, busy: bool = False, after: float | None = None) -> None:
        super().__init__(reason)
        self.busy = busy
        self.after = after


class _Gate:
    """Lets as many calls run as the server takes well: one more after each good reply, half after each busy one."""

    def __init__(self) -> None:
        self.limit = float(FIRST_LIMIT)
        self._running = 0
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._running < int(self.limit))
            self._running += 1

    async def __aexit__(self, *_: object) -> None:
        async with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def went_well(self) -> None:
        self.limit = min(LIMIT, self.limit + 1)

    def was_busy(self) -> None:
        self.limit = max(1.0, self.limit / 2)


@dataclass(slots=True)
class _Reply:
    """What has come of one streamed reply so far."""

    text: str = ""
    finish: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)


class OpenAIServer(Backend):
    """A backend over HTTP. ``on_token`` is called with each piece of text while a single task is answered.

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
        timeout: float = 600.0,
        backoff: float = 0.5,
        on_token: Callable[[str], None] | None = None,
    ) -> None:
        self.root = url.rstrip("/").removesuffix("/v1")
        self.sampling = sampling or Sampling()
        self.log = log
        self.on_token = on_token
        self._timeout = timeout
        self._backoff = backoff
        self._counts: dict[bytes, int] = {}
        self._local: Count | None = None
        self._structured = True
        self._ids = PromptIds()
        self._takes_ids = True
        self.model, self.window, self._folder = self._choose(model)
        self._tokenizes = self._try_tokenize()

    def _choose(self, wanted: str | None) -> tuple[str, int, str | None]:
        """The model's name, its window, and the folder that it lies in, if the server tells it."""
        try:
            listed = self._get("/v1/models").get("data") or []
        except _Again as error:
            raise NotRunning(
                f"no server answers at {self.root}: {error}",
                hint="lcrag up MODEL, or --backend embedded to answer without a model",
            ) from error
        models = {str(entry["id"]): entry for entry in listed if "id" in entry}
        if not models:
            raise NotAvailable(f"the server at {self.root} serves no model", hint="lcrag up MODEL")
        if wanted is not None and wanted not in models:
            raise NotAvailable(
                f"the server at {self.root} does not serve {wanted!r}", hint=f"--model {' | '.join(models)}"
            )
        name = wanted or next(iter(models))
        entry = models[name]
        meta = entry.get("meta") or {}
        window = entry.get("max_model_len") or entry.get("context_length") or meta.get("n_ctx") or UNKNOWN_WINDOW
        return name, int(window), entry.get("root")

    @property
    def tokenizer(self) -> str:
        """The server's own where it has /tokenize, otherwise an estimate, and named so."""
        return f"server/{self.model}" if self._tokenizes else f"estimate/{tokens.tokenizer_name()}"

    def _try_tokenize(self) -> bool:
        try:
            told = self._post("/tokenize", {"model": self.model, "prompt": "a"})
            return isinstance(told.get("count"), int) and isinstance(told.get("tokens"), list)
        except (_Again, BackendFailed):
            return False

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text by the server's tokenizer: asked once a text and concurrently, or many at once by the
        same tokenizer in the model's folder, where the server is on this machine.
        """
        if not self._tokenizes:
            return tokens.count_many(texts)
        keys = [hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest() for text in texts]
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._counts}
        if unknown:
            self._counts.update(zip(unknown, self._counted(list(unknown.values())), strict=True))
        return [self._counts[key] for key in keys]

    def _counted(self, texts: list[str]) -> list[int]:
        if len(texts) < FROM:
            return _run(self._count(texts))
        if self._folder is not None:
            self._local, self._folder = local_counter(self._folder), None
            if self._local and self._local(texts[:COMPARED]) != _run(self._count(texts[:COMPARED])):
                self._local = None
        return self._local(texts) if self._local else _run(self._count(texts))

    async def _count(self, texts: Sequence[str]) -> list[int]:
        gate = _Gate()

        async def one(client: httpx.AsyncClient, text: str) -> int:
            told = await self._tokenize(client, gate, {"prompt": text, "add_special_tokens": False})
            return int(told["count"])

        async with self._client() as client:
            return list(await _gathered(one(client, text) for text in texts))

    async def _tokenize(self, client: httpx.AsyncClient, gate: _Gate, what: dict[str, Any]) -> dict[str, Any]:
        async def call() -> dict[str, Any]:
            reply = await client.post("/tokenize", json={"model": self.model, **what})
            self._check(reply.status_code, reply.text, reply.headers.get("retry-after"))
            told: dict[str, Any] = reply.json()
            return told

        return await self._tried(call, gate)

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        """All tasks, concurrently; completions in the tasks' order.

        Raises DoesNotFit for a prompt that is longer than the window, BackendFailed after retries.
        """
        return _run(self._complete_all(tasks, max_tokens))

    async def _complete_all(self, tasks: Sequence[Task], max_tokens: int) -> list[Completion]:
        gate = _Gate()
        speak = self.on_token if len(tasks) == 1 and tasks[0].role in ("answer", "synthesise") else None
        async with self._client() as client:
            done = _gathered(self._complete(client, gate, task, max_tokens, speak) for task in tasks)
            watch = asyncio.create_task(self._watch_queue(client, gate)) if len(tasks) > FIRST_LIMIT else None
            try:
                return list(await done)
            finally:
                if watch is not None:
                    watch.cancel()

    async def _watch_queue(self, client: httpx.AsyncClient, gate: _Gate) -> None:
        """Back off while requests wait inside the server: what queues there only holds its memory."""
        import httpx

        while True:
            await asyncio.sleep(1.0)
            try:
                reply = await client.get("/metrics")
            except httpx.HTTPError:
                return
            waiting = metric(reply.text, "vllm:num_requests_waiting") if reply.status_code == 200 else None
            if waiting is None:
                return
            if waiting > 0:
                gate.was_busy()

    async def _complete(
        self,
        client: httpx.AsyncClient,
        gate: _Gate,
        task: Task,
        max_tokens: int,
        speak: Callable[[str], None] | None,
    ) -> Completion:
        messages = prompts.messages(task)
        ids = await self._fitting(client, task, messages, max_tokens)
        begun = time.perf_counter()
        spoken = _Speaker(speak)

        async def call() -> _Reply:
            reply = _Reply()
            async for piece in self._stream(client, self._body(task, messages, ids, max_tokens), reply):
                spoken.say(piece)
            if reply.finish is None:
                raise _Again("the reply broke off")
            return reply

        reply = await self._tried(call, gate, final=lambda: spoken.spoke)
        usage = reply.usage
        details = usage.get("prompt_tokens_details") or {}
        text = prompts.parse_verdict(reply.text) if task.role == "judge" else without_thinking(reply.text)
        if reply.text.strip() and not text.strip():
            raise self._failed(f"all {max_tokens:,} tokens of the reply went into thinking")
        return Completion(
            text=text.strip(),
            usage=Usage(
                input_tokens=int(usage.get("prompt_tokens") or 0),
                cached_tokens=int(details.get("cached_tokens") or 0),
                output_tokens=int(usage.get("completion_tokens") or 0),
                calls=1,
                seconds=time.perf_counter() - begun,
            ),
            finish="length" if reply.finish == "length" else "stop",
        )

    def _body(
        self, task: Task, messages: list[dict[str, str]], ids: list[int] | None, max_tokens: int
    ) -> dict[str, Any]:
        by_ids = ids is not None and self._takes_ids and task.role != "judge"
        body: dict[str, Any] = {
            "model": self.model,
            **({"prompt": ids} if by_ids else {"messages": messages}),
            "max_tokens": max_tokens,
            "temperature": self.sampling.temperature,
            "seed": self.sampling.seed,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if task.role == "judge" and self._structured:
            schema = {"name": "verdict", "schema": prompts.JUDGE_SCHEMA, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    async def _fitting(
        self, client: httpx.AsyncClient, task: Task, messages: list[dict[str, str]], max_tokens: int
    ) -> list[int] | None:
        """Refuse what is longer than the window before it is sent: some servers cut a long prompt without a word.

        The ids of a long prompt, where the server tells them; None for a short one.
        """
        text = "".join(message["content"] for message in messages)
        fits = len(text.encode("utf-8", "replace")) + 64 + max_tokens <= self.window  # a token is at least one byte
        if fits and (len(text) < IDS_FROM or not (self._tokenizes and self._takes_ids)):
            return None
        ids = await self._prompt_ids(client, task) if self._tokenizes else None
        needed = tokens.count(text) if ids is None else len(ids)
        if needed + max_tokens > self.window:
            raise DoesNotFit(
                f"the prompt of {needed:,} tokens and {max_tokens:,} for the answer exceed the window of "
                f"{self.window:,} tokens",
                tokens=needed + max_tokens,
                window=self.window,
                hint="--pipeline chunk_rag or --pipeline chain_of_agents",
            )
        return ids

    async def _prompt_ids(self, client: httpx.AsyncClient, task: Task) -> list[int]:
        gate = _Gate()

        async def tokenize(messages: list[dict[str, str]]) -> list[int]:
            short = len(messages[-1]["content"]) < IDS_FROM
            more = {"add_generation_prompt": True, "return_token_strs": short}
            told = await self._tokenize(client, gate, {"messages": messages, **more})
            if THINK in "".join(told.get("token_strs") or ())[-64:]:
                self._takes_ids = False  # the template opens the thinking, which only the chat's own path takes out
            return [int(one) for one in told["tokens"]]

        return await self._ids.of(task, tokenize)

    async def _stream(self, client: httpx.AsyncClient, body: dict[str, Any], reply: _Reply) -> AsyncIterator[str]:
        path = "/v1/completions" if "prompt" in body else "/v1/chat/completions"
        async with client.stream("POST", path, json=body) as response:
            if response.status_code != 200:
                said = (await response.aread()).decode("utf-8", "replace")
                if response.status_code in (400, 404, 405) and "prompt" in body:
                    self._takes_ids = False
                    raise _Again("no token ids here")
                if response.status_code == 400 and "response_format" in body:
                    self._structured = False
                    raise _Again("no structured outputs here")
                self._check(response.status_code, said, response.headers.get("retry-after"))
            async for line in response.aiter_lines():
                if not line.startswith("data:"):
                    continue
                data = line.removeprefix("data:").strip()
                if data == "[DONE]":
                    return
                yield self._piece(data, reply)

    @staticmethod
    def _piece(data: str, reply: _Reply) -> str:
        try:
            event = json.loads(data)
            if "error" in event:
                raise _Again(f"the server says: {_said(data)}")
            reply.usage = event.get("usage") or reply.usage
            piece = ""
            for choice in event.get("choices") or []:
                piece += choice.get("text") or (choice.get("delta") or {}).get("content") or ""
                reply.finish = choice.get("finish_reason") or reply.finish
        except (ValueError, AttributeError, TypeError) as error:
            raise _Again(f"a reply that is no JSON of the kind expected: {data[:80]!r}") from error
        reply.text += piece
        return piece

    async def _tried(
        self, call: Callable[[], Coroutine[Any, Any, T]], gate: _Gate, final: Callable[[], bool] = lambda: False
    ) -> T:
        """``call``, again after faults that may pass: exponential waits with jitter. ``final()``: no more tries."""
        import httpx

        reason = ""
        for attempt in range(TRIES):
            try:
                async with gate:
                    value = await call()
            except _Again as error:
                reason, after = str(error), error.after
                if error.busy:
                    gate.was_busy()
            except (httpx.TransportError, httpx.DecodingError) as error:
                reason, after = f"{type(error).__name__}: {error}".rstrip(": "), None
            else:
                gate.went_well()
                return value
            if final():
                break
            if attempt + 1 < TRIES:
                wait = self._backoff * 2**attempt
                await asyncio.sleep(after if after is not None else wait * random.uniform(0.5, 1.5))
        raise self._failed(reason)

    def _failed(self, reason: str) -> BackendFailed:
        where = f"its log: {self.log}" if self.log else f"look at the log of the server at {self.root}"
        return BackendFailed(f"the server at {self.root} failed: {reason}", hint=where)

    def _check(self, status: int, said: str, after: str | None) -> None:
        if status == 200:
            return
        if status in RETRIED:
            wait = float(after) if after and after.isdigit() else None
            raise _Again(f"HTTP {status}: {_said(said)}", busy=status in BUSY, after=wait)
        if status in (401, 403):
            raise NotAvailable(
                f"the server at {self.root} refuses the key (HTTP {status})", hint="export LCRAG_API_KEY=…"
            )
        raise self._failed(f"HTTP {status}: {_said(said)}")

    def _client(self) -> httpx.AsyncClient:
        import httpx

        return httpx.AsyncClient(
            base_url=self.root,
            headers=_headers(),
            timeout=httpx.Timeout(self._timeout, connect=5.0),
            limits=httpx.Limits(max_connections=LIMIT + 8),
            verify=self.root.startswith("https:"),  # reading the certificates takes 15 ms
            trust_env=False,
        )

    def _get(self, path: str) -> dict[str, Any]:
        return self._once("GET", path, None)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._once("POST", path, body)

    def _once(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        import httpx

        try:
            reply = httpx.request(
                method, self.root + path, json=body, headers=_headers(), timeout=10.0, trust_env=False
            )
            self._check(reply.status_code, reply.text, None)
            value = reply.json()
        except (httpx.HTTPError, ValueError) as error:
            raise _Again(str(error) or type(error).__name__) from error
        if not isinstance(value, dict):
            raise _Again("no JSON object")
        return value


class _Speaker:
    """Passes pieces on, but neither the thinking at the front of a reply nor the words that say nothing was found."""

    def __init__(self, say: Callable[[str], None] | None) -> None:
        self._say = say
        self._held = ""
        self._open = False
        self.spoke = False

    def say(self, piece: str) -> None:
        if self._say is None or not piece:
            return
        if not self._open:
            self._held += piece
            start = without_thinking(self._held) if END in self._held else self._held
            if _may_be(start.lstrip()):
                return
            self._open = True
            piece = start.lstrip()
        if piece:
            self.spoke = True
            self._say(piece)


THINK, END = "<think>", "</think>"


def _may_be(start: str) -> bool:
    """Whether what begins so may still turn out to be thinking, or NOT FOUND."""
    return THINK.startswith(start[: len(THINK)]) or prompts.NOT_FOUND.startswith(start.rstrip(".").upper())


def without_thinking(text: str) -> str:
    """The answer of a reasoning model whose server does not take the thinking out of the reply."""
    if text.lstrip().startswith(THINK):
        return text.partition(END)[2]
    return text


def metric(text: str, name: str) -> float | None:
    """The sum of a metric over its labels in Prometheus' text format; None when it is not there."""
    values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))]
    return sum(values) if values else None


def _said(body: str) -> str:
    """The message in an error reply, or its first line."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)[:300]
    except (ValueError, KeyError, TypeError):
        return body.strip().split("\n")[0][:300]


def _headers() -> dict[str, str]:
    key = os.environ.get("LCRAG_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


async def _gathered(calls: Any) -> list[Any]:
    """All results in order; the first failure cancels the rest."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(call) for call in calls]
    return [task.result() for task in running]


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end from synchronous code, also where a loop runs already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _flat(work)
    result: list[T] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            result.append(_flat(work))
        except BaseException as error:  # noqa: BLE001  handed to the caller's thread below
            failure.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def _flat(work: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` with the first error of a task group instead of the group."""
    try:
        return asyncio.run(work)
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
