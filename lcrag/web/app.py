"""The HTTP API: lcrag's own questions, and the pages around them. ``chat`` has the part that speaks OpenAI's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

import lcrag
from lcrag import queries
from lcrag.report.question_page import plan_view, question_page
from lcrag.report.templating import render, source
from lcrag.session import Session
from lcrag.types import Answer, Emit, Policy, ignore
from lcrag.web.failures import Failure, Json, failure_of, refusal
from lcrag.web.fields import MaxTokens, Only, Prefer, Question, Route, Since
from lcrag.web.numbers import Numbers
from lcrag.web.pool import Pool

T = TypeVar("T")

ABOUT: Final = """\
Answers from your own documents. Send the token as `Authorization: Bearer TOKEN`. An error is an object
`lcrag.error/1` (`code`, `kind`, `message`, `hint`), under /v1 one of OpenAI's shape: 400 what was asked makes no sense,
401 no token, 404 no such page, file or model, 413 a body over 1 MB, 422 no route fits the budget, 429 too many
questions wait (`Retry-After` says when to come back), 502 the model's server failed, 503 something is not installed or
not running, 504 the question took too long.
"""


@dataclass(frozen=True, slots=True)
class Service:
    """What every part of the app needs. ``policy``: where a question says nothing else."""

    pool: Pool
    policy: Policy
    numbers: Numbers

    async def ask(
        self,
        question: str,
        policy: Policy,
        escalate: bool | None = None,
        listen: Emit = ignore,
        chosen: Callable[[Session], Session] = lambda session: session,
    ) -> tuple[Answer, dict[str, Any]]:
        """As ``queries.ask``; raises what ``Pool.run`` raises. ``chosen``: the session on the documents to read."""
        answer, value = await self.pool.run(
            lambda session: queries.ask(chosen(session), question, policy, escalate), listen
        )
        self.numbers.answer(answer)
        return answer, value


class Chosen(BaseModel):
    """Which documents to read; what is not given is as the server was started with."""

    model_config = ConfigDict(extra="forbid")

    only: Only = None
    since: Since = None

    def of(self, session: Session) -> Session:
        """The session, on these documents until its next question."""
        return queries.choose(session, self.only, self.since)


class Asked(Chosen):
    """A question, and how to choose a route; what is not given is as the server was started with."""

    question: Question
    pipeline: Route = None
    prefer: Prefer = None
    max_tokens: MaxTokens = None
    min_quality: Annotated[float | None, Field(ge=0, le=1, description="Refuse routes with P(correct) under it.")] = (
        None
    )

    def policy(self, default: Policy) -> Policy:
        return queries.policy_with(
            default, self.model_dump(include={"pipeline", "prefer", "max_tokens", "min_quality"})
        )


class AskedOnce(Asked):
    escalate: Annotated[
        bool | None, Field(description="When nothing is found, try the next route that reads more.")
    ] = None


class Searched(Chosen):
    question: Annotated[str, Field(description="A question, or words.")]
    limit: Annotated[int, Field(ge=1, le=queries.MOST_HITS, description="So many passages at most.")] = 10


class Shown(BaseModel):
    model_config = ConfigDict(extra="forbid")

    place: Annotated[str, Field(description="FILE:LINE, FILE:pPAGE, FILE:START-END (characters), or FILE.")]
    quote: Annotated[str | None, Field(description="Words to find there, as the file has them.")] = None


def own_routes(service: Service) -> APIRouter:
    """/ask, /plan, /search, /show."""
    routes = APIRouter(tags=["lcrag"])
    pool = service.pool

    @routes.post("/ask", summary="Answer a question, with citations and the plan (lcrag.answer/1).")
    async def ask(asked: AskedOnce, request: Request) -> Response:
        policy = asked.policy(service.policy)

        async def answer() -> dict[str, Any]:
            return (await service.ask(asked.question, policy, asked.escalate, chosen=asked.of))[1]

        return await reply(request, answer)

    @routes.post("/plan", summary="Every route with tokens, seconds and P(correct) (lcrag.plan/1); no model is called.")
    async def plan(asked: Asked, request: Request) -> Response:
        policy = asked.policy(service.policy)
        return await reply(request, lambda: pool.run(lambda own: queries.plan(asked.of(own), asked.question, policy)))

    @routes.post("/plan/view", summary="The same as a part of a page: a chart and a table (HTML).")
    async def plan_as_html(asked: Asked, request: Request) -> Response:
        policy = asked.policy(service.policy)

        async def view() -> Response:
            return HTMLResponse(plan_view(await pool.run(lambda own: asked.of(own).plan(asked.question, policy))))

        return await reply(request, view)

    @routes.post("/search", summary="The passages that match best, with file, line or page, and score.")
    async def search(asked: Searched, request: Request) -> Response:
        return await reply(
            request, lambda: pool.run(lambda own: queries.search(asked.of(own), asked.question, asked.limit))
        )

    @routes.post("/show", summary="The passage that a citation names, with the lines around it.")
    async def show(asked: Shown, request: Request) -> Response:
        return await reply(request, lambda: pool.run(lambda own: queries.show(own, asked.place, asked.quote)))

    return routes


async def reply(request: Request, work: Callable[[], Awaitable[dict[str, Any] | Response]]) -> Response:
    """What the work gives, an object as JSON; or its error."""
    try:
        result = await work()
        return result if isinstance(result, Response) else Json(result)
    except Exception as error:  # noqa: BLE001  phrased for the client; a fault is logged
        return failure_of(error).response(request.url.path)


def pages(service: Service, app: FastAPI) -> APIRouter:
    """The page for people, the API's page, /health and /metrics."""
    routes = APIRouter(tags=["server"])

    @routes.get("/", summary="A page to ask on.")
    async def page() -> HTMLResponse:
        html, policy = question_page()
        return HTMLResponse(html, headers={"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"})

    @routes.get("/health", summary="Whether the server answers.")
    async def health() -> Response:
        return Json({"status": "ok", "version": lcrag.__version__})

    @routes.get("/metrics", summary="Numbers for Prometheus.")
    async def metrics() -> Response:
        return Response(service.numbers.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @routes.get("/api", summary="This page.")
    async def api() -> HTMLResponse:
        return HTMLResponse(render("web/api.html", style=source("comparison/report.css"), api=app.openapi()))

    return routes


def create_app(service: Service, *more: APIRouter) -> FastAPI:
    """The app, still open to everybody: ``guard.Guard`` goes around it."""
    app = FastAPI(title="lcrag", version=lcrag.__version__, description=ABOUT, docs_url=None, redoc_url=None)
    for routes in (own_routes(service), *more, pages(service, app)):
        app.include_router(routes)

    def answer_with(failure: Failure, request: Request) -> Response:
        return failure.response(request.url.path)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> Response:
        return answer_with(refusal(400, _what_is_wrong(error)), request)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        known = error.status_code in (404, 405)
        message = f"there is no {request.method} {request.url.path}" if known else str(error.detail)
        return answer_with(
            refusal(error.status_code, message, "GET /api lists what there is" if known else ""), request
        )

    return app


def _what_is_wrong(error: RequestValidationError) -> str:
    """The first problem of a body: ``question: Field required``."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return f"{where}: {first['msg']}" if where else str(first["msg"])
