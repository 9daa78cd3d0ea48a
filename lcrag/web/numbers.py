"""What the server counts, as Prometheus reads it: requests, questions, seconds, tokens. No text of anybody."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from lcrag.types import Answer
from lcrag.web.guard import App, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from lcrag.web.pool import Pool


disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the page


class Numbers:
    """Of one server."""

    def __init__(self, pool: Pool) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "lcrag_requests_total", "Requests by path and status", ("path", "status"), registry=self._registry
        )
        self._answers = Counter(
            "lcrag_answers_total", "Answers by status and route", ("status", "route"), registry=self._registry
        )
        self._tokens = Counter(
            "lcrag_tokens_total", "Tokens of all prompts and replies", ("kind",), registry=self._registry
        )
        self._seconds = Histogram(
            "lcrag_request_seconds",
            "Seconds of a request, its wait included",
            ("path",),
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
            registry=self._registry,
        )
        running = Gauge("lcrag_questions_running", "Questions that are being answered", registry=self._registry)
        waiting = Gauge("lcrag_questions_waiting", "Questions that wait for a thread", registry=self._registry)
        running.set_function(lambda: pool.running)
        waiting.set_function(lambda: pool.waiting)

    def request(self, path: str, status: int, seconds: float) -> None:
        self._requests.labels(path, status).inc()
        self._seconds.labels(path).observe(seconds)

    def answer(self, answer: Answer) -> None:
        self._answers.labels(answer.status, answer.steps[-1].pipeline if answer.steps else "").inc()
        for kind, tokens in (
            ("read", answer.usage.input_tokens),
            ("cached", answer.usage.cached_tokens),
            ("written", answer.usage.output_tokens),
        ):
            self._tokens.labels(kind).inc(tokens)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)


class Counting:
    """Around everything else: counts each request under its route's path, "other" where it has none or was refused."""

    def __init__(self, app: App, numbers: Numbers) -> None:
        self.app = app
        self.numbers = numbers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        status = 499  # as nginx has it: the client hung up before there was an answer

        async def watch(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            route = scope.get("route")
            path = "other" if route is None else str(route.path)
            self.numbers.request(path, status, time.perf_counter() - begun)
