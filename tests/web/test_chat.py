"""OpenAI's own client talks to the documents, unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from support.scripted import KEEPER, QuestionBackend
from support.web import TOKEN, Served, asking, served, until

from lcrag.errors import BackendFailed
from lcrag.types import Completion, OnToken, Task


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=TOKEN, max_retries=0) as client:
        yield client


def user(*contents: Any) -> list[Any]:
    return [{"role": "user", "content": content} for content in contents]


def test_models_are_lcrag_and_its_routes(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[0] == "lcrag"
    assert {"lcrag/chunk_rag", "lcrag/full_context", "lcrag/self_route"} <= set(names)
    assert client.models.retrieve("lcrag/chunk_rag:tokens=500").owned_by == "lcrag"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-7")


def test_chat_answers_the_last_message_with_sources(client: openai.OpenAI) -> None:
    chat = client.chat.completions.create(model="lcrag", messages=user("nowhere", "who?"), temperature=0.7)
    [choice] = chat.choices
    text = choice.message.content
    assert text is not None
    assert text.startswith(f"{KEEPER} [1].\n\n[1] ")
    assert "a.md:3" in text
    assert choice.finish_reason == "stop"
    assert chat.model_extra is not None
    [citation] = chat.model_extra["lcrag"]["citations"]
    assert (citation["marker"], citation["line"]) == (1, 3)
    assert chat.usage is not None
    assert chat.usage.prompt_tokens > 0


def test_chat_streams_the_same_text(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="lcrag", messages=user("who?")).choices[0].message.content
    chunks = list(
        client.chat.completions.create(
            model="lcrag", messages=user("who?"), stream=True, stream_options={"include_usage": True}
        )
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks[:-1]]
    assert "".join(pieces) == whole
    assert len([piece for piece in pieces if piece]) > 3
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert chunks[-2].model_extra is not None
    assert chunks[-2].model_extra["lcrag"]["status"] == "answered"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 0


def test_chat_stream_ends_with_done(server: Served) -> None:
    body = {"messages": user("who?"), "stream": True}
    lines = [line for line in server.client.post("/v1/chat/completions", json=body).text.splitlines() if line]
    assert lines[-1] == "data: [DONE]"
    assert all(json.loads(line.removeprefix("data: "))["object"] == "chat.completion.chunk" for line in lines[:-1])


def test_chat_corrected_after_streaming_is_written_again(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="lcrag", messages=user("restream"), stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text.startswith("The keeper was Berta")
    assert f"\n\n{KEEPER} [1].\n\n[1] " in text


def test_chat_takes_the_route_of_the_models_name(client: openai.OpenAI) -> None:
    chat = client.chat.completions.create(model="lcrag/full_context", messages=user("who?"))
    assert chat.model == "lcrag/full_context"
    assert chat.model_extra is not None
    assert chat.model_extra["lcrag"]["plan"]["pipeline"] == "full_context"


def test_chat_says_that_nothing_was_found(client: openai.OpenAI) -> None:
    chat = client.chat.completions.create(model="lcrag", messages=user("nowhere"))
    assert (chat.choices[0].message.content or "").startswith("Not in ")
    assert "--" not in (chat.choices[0].message.content or "")


def test_chat_takes_text_in_parts(client: openai.OpenAI) -> None:
    chat = client.chat.completions.create(model="lcrag", messages=user([{"type": "text", "text": "who?"}]))
    assert (chat.choices[0].message.content or "").startswith(KEEPER)


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ({"messages": []}, openai.BadRequestError, "no message of the user"),
        ({"messages": user("  ")}, openai.BadRequestError, "no message of the user"),
        ({"messages": user([{"type": "image_url"}])}, openai.BadRequestError, "not image_url"),
        ({"messages": user("who?"), "n": 2}, openai.BadRequestError, "n: Input should be less than or equal to 1"),
        ({"messages": user("who?"), "response_format": {"type": "json_object"}}, openai.BadRequestError, "POST /ask"),
        ({"messages": user("who?"), "model": "gpt-7"}, openai.NotFoundError, "there is no model 'gpt-7'"),
        ({"messages": user("who?"), "model": "lcrag/nix"}, openai.BadRequestError, "no pipeline 'nix'"),
        ({"messages": user("who?"), "model": "lcrag/chunk_rag:x=1"}, openai.BadRequestError, "x"),
        ({"messages": user("backend")}, openai.InternalServerError, "failed three times"),
        ({"messages": user("backend"), "stream": True}, openai.InternalServerError, "failed three times"),
        ({"messages": user("bug")}, openai.InternalServerError, "a fault in lcrag"),
    ],
)
def test_chat_refuses_with_openais_errors(
    client: openai.OpenAI, body: dict[str, Any], kind: type[openai.APIStatusError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        client.chat.completions.create(**{"model": "lcrag", **body})


def test_chat_without_the_token_is_refused(server: Served) -> None:
    with (
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="another", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError, match="the token is missing or wrong"),
    ):
        client.models.list()


class BreaksOff(QuestionBackend):
    """Fails after the first words."""

    def run(self, tasks: Any, *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        if on_token is None:
            return super().run(tasks, max_tokens=max_tokens)
        on_token("The keeper")
        raise BackendFailed("the engine died")


def test_chat_stream_that_breaks_off_says_so(docs: Path) -> None:
    body = {"model": "lcrag/chunk_rag:tokens=500", "messages": user("who?"), "stream": True}
    with served(docs, BreaksOff(concurrency=2)) as server:
        text = server.client.post("/v1/chat/completions", json=body).text
        with (
            openai.OpenAI(base_url=f"{server.url}/v1", api_key=TOKEN, max_retries=0) as client,
            pytest.raises(openai.APIError, match="the engine died"),
        ):
            list(client.chat.completions.create(**body))
    *chunks, done = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert done == "[DONE]"
    last = json.loads(chunks[-1])
    assert last["choices"][0]["finish_reason"] == "error"
    assert last["error"]["message"] == "the engine died"
    assert "The keeper" in text


def test_chat_client_that_hangs_up_stops_the_question(docs: Path) -> None:
    import threading

    gate, asked = threading.Event(), []
    backend = QuestionBackend()

    def reply(task: Task) -> str:
        asked.append(task.question)
        if task.question == "slow":
            gate.wait(30)
        return f"{KEEPER} [1]."

    backend.script(reply)
    with served(docs, backend) as server:
        with asking(server.url, "/v1/chat/completions", {"messages": user("slow")}):
            until(lambda: asked)
        hung_up = 'lcrag_requests_total{path="/v1/chat/completions",status="499"} 1.0'
        until(lambda: hung_up in server.client.get("/metrics").text)
        gate.set()
        assert server.client.post("/ask", json={"question": "who?"}).json()["status"] == "answered"
        assert server.client.post("/ask", json={"question": "who?"}).json()["status"] == "answered"
        assert 'lcrag_answers_total{route="chunk_rag",status="answered"}' in server.client.get("/metrics").text
    assert asked.count("slow") == 1
