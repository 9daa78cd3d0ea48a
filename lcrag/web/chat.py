"""OpenAI's chat API: any of its clients asks the documents as if they were a model.

The last message of the user is the question. ``model`` is "lcrag", or "lcrag/" and a route. The answer's text ends with
its sources; the whole ``lcrag.answer/1`` is in the field ``lcrag``, of a stream in its last chunk. What steers sampling
is ignored: the server was started with it.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from lcrag import queries
from lcrag.errors import InputError
from lcrag.pipelines import every_pipeline, named
from lcrag.report.objects import dumps
from lcrag.report.streamed import Streamed
from lcrag.session import RECIPES
from lcrag.types import Answer, Event, Policy
from lcrag.web.app import Service, reply
from lcrag.web.failures import Json, failure_of, refusal

MODEL: Final = "lcrag"
STARTED: Final = int(time.time())


class Part(BaseModel):
    type: str
    text: str = ""


class Message(BaseModel):
    role: str
    content: str | list[Part] | None = None

    def words(self) -> str:
        """Raises InputError for anything but text."""
        if not isinstance(self.content, list):
            return self.content or ""
        if other := {part.type for part in self.content} - {"text"}:
            raise InputError(f"lcrag reads text, not {', '.join(sorted(other))}")
        return "\n".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    include_usage: bool = False


class Chat(BaseModel):
    """Fields that steer sampling are ignored."""

    model_config = ConfigDict(extra="allow")

    messages: Annotated[list[Message], Field(description="The last message of the user is the question.")]
    model: Annotated[str, Field(description="lcrag, or lcrag/ROUTE. Example: lcrag/chunk_rag:tokens=500")] = MODEL
    prefer: Annotated[
        Literal["quality", "balanced", "speed"] | None, Field(description="lcrag's own: what to favour.")
    ] = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int | None, Field(ge=1, le=1, description="lcrag gives one answer.")] = None
    response_format: Annotated[
        dict[str, Any] | None, Field(description='Nothing but {"type": "text"}; POST /ask gives JSON.')
    ] = None

    def question(self) -> str:
        """Raises InputError if there is none."""
        asked = [message.words() for message in self.messages if message.role == "user"]
        if not asked or not asked[-1].strip():
            raise InputError("there is no message of the user to answer")
        if self.response_format is not None and self.response_format.get("type") != "text":
            raise InputError("lcrag answers in text; POST /ask gives JSON")
        return asked[-1]


class _NoModel(InputError):
    """A model that is not in the list."""


def policy_of(model: str, default: Policy) -> Policy:
    """The policy for a model's name. Raises InputError for one that is not there."""
    if model == MODEL:
        return default
    before, _, route = model.partition("/")
    if before != MODEL or not route:
        raise _NoModel(f"there is no model {model!r}", hint="lcrag, or lcrag/ROUTE; GET /v1/models lists them")
    named(route)
    return queries.policy_with(default, {"pipeline": route})


def chat_routes(service: Service) -> APIRouter:
    """/v1/models and /v1/chat/completions."""
    routes = APIRouter(prefix="/v1", tags=["OpenAI"])

    @routes.get("/models", summary="lcrag, and lcrag/ROUTE for each route and recipe.")
    async def models() -> dict[str, Any]:
        names = [MODEL, *(f"{MODEL}/{route}" for route in (*every_pipeline(), *RECIPES))]
        return {"object": "list", "data": [_model(name) for name in names]}

    @routes.get("/models/{name:path}", summary="One of them.")
    async def model(name: str, request: Request) -> Response:
        try:
            policy_of(name, service.policy)
        except InputError as error:
            return _refused(error, request)
        return Json(_model(name))

    @routes.post("/chat/completions", summary="Answer the last message of the user; a stream if asked for.")
    async def completions(chat: Chat, request: Request) -> Response:
        try:
            question = chat.question()
            policy = queries.policy_with(policy_of(chat.model, service.policy), {"prefer": chat.prefer})
        except InputError as error:
            return _refused(error, request)
        if chat.stream:
            return await _stream(service, chat, question, policy, request)

        async def whole() -> dict[str, Any]:
            answer, value = await service.ask(question, policy)
            message = {"role": "assistant", "content": queries.answer_text(answer), "refusal": None}
            choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
            return {**_head(chat, "chat.completion"), "choices": [choice], "usage": _usage(answer), "lcrag": value}

        return await reply(request, whole)

    return routes


def _refused(error: InputError, request: Request) -> Response:
    if isinstance(error, _NoModel):
        return refusal(404, str(error), error.hint, reason="model_not_found").response(request.url.path)
    return failure_of(error).response(request.url.path)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": STARTED, "owned_by": MODEL}


def _head(chat: Chat, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": chat.model}


def _usage(answer: Answer) -> dict[str, Any]:
    usage = answer.usage
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


Whole = tuple[Answer, dict[str, Any]]


async def _stream(service: Service, chat: Chat, question: str, policy: Policy, request: Request) -> Response:
    """The answer as server-sent events; an error before its first word has a status of its own."""
    pieces = _pieces(service, question, policy)
    try:
        first = await anext(pieces)
    except Exception as error:  # noqa: BLE001  phrased for the client; a fault is logged
        return failure_of(error).response(request.url.path)
    return StreamingResponse(
        _events(chat, first, pieces), media_type="text/event-stream", headers={"Cache-Control": "no-cache"}
    )


async def _pieces(service: Service, question: str, policy: Policy) -> AsyncIterator[str | Whole]:
    """The text as it is written, then the whole answer."""
    loop = asyncio.get_running_loop()
    came: asyncio.Queue[str | None] = asyncio.Queue()
    streamed = Streamed()

    def listen(event: Event) -> None:
        if piece := streamed.event(event):
            loop.call_soon_threadsafe(came.put_nowait, piece)

    asking = asyncio.ensure_future(service.ask(question, policy, listen=listen))
    asking.add_done_callback(lambda _: came.put_nowait(None))
    try:
        while (piece := await came.get()) is not None:
            yield piece
        answer, value = await asking
        if rest := streamed.rest(queries.answer_text(answer)):
            yield rest
        yield answer, value
    finally:
        asking.cancel()


async def _events(chat: Chat, first: str | Whole, pieces: AsyncIterator[str | Whole]) -> AsyncIterator[str]:
    """A stream always ends with a ``finish_reason``: "stop", or "error" next to what went wrong."""
    head = _head(chat, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _event({**head, "choices": [choice], **more})

    yield chunk({"role": "assistant", "content": ""})
    try:
        piece = first
        while isinstance(piece, str):
            yield chunk({"content": piece})
            piece = await anext(pieces)
        answer, value = piece
        yield chunk({}, "stop", lcrag=value)
        if chat.stream_options is not None and chat.stream_options.include_usage:
            yield _event({**head, "choices": [], "usage": _usage(answer)})
    except Exception as error:  # noqa: BLE001  phrased for the client; a fault is logged
        yield chunk({}, "error", error=failure_of(error).openai())
    yield "data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> str:
    return f"data: {dumps(value)}\n\n"
