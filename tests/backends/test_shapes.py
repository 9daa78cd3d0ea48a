"""The shape of a reply and the odds of its first token, as requests say them and as replies bring them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from support.fakes import HashingEmbedder
from support.faulty_server import faulty_server

from lcrag.backends.embedded import EmbeddedBackend
from lcrag.backends.openai_server import OpenAIServer
from lcrag.backends.shapes import first_odds, request_fields
from lcrag.text.shapes import parse_choice, parse_object
from lcrag.types import Passage, Shape, Task

PASSAGE = Passage(1, "d", "a.md", 0, 30, "The keeper of the light was Ann", 7)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
VLLM = {"data": [{"id": "m", "owned_by": "vllm", "max_model_len": 8192}]}
SHAPES: list[tuple[Shape, dict[str, Any]]] = [
    (("rag", "full"), {"choice": ["rag", "full"]}),
    (r"\[\d\]", {"regex": r"\[\d\]"}),
    (SCHEMA, {"json": SCHEMA}),
]


def task(shape: Shape | None = None, odds: int = 0) -> Task:
    return Task("answer", "Who was the keeper of the light?", (PASSAGE,), shape=shape, odds=odds)


@pytest.mark.parametrize(("shape", "said"), SHAPES)
def test_vllm_is_asked_for_every_shape_in_its_own_words(shape: Shape, said: dict[str, Any]) -> None:
    with faulty_server(models=VLLM) as server:
        OpenAIServer(server.url).run([task(shape)], max_tokens=9)
    assert server.seen[-1]["structured_outputs"] == said
    assert "response_format" not in server.seen[-1]


def test_other_servers_are_asked_for_a_schema_where_one_can_say_it() -> None:
    forms = [request_fields(task(shape), is_vllm=False) for shape, _ in SHAPES]
    [choice, json] = [form["response_format"]["json_schema"] for form in (forms[0], forms[2])]
    assert choice["schema"]["properties"]["choice"]["enum"] == ["rag", "full"]
    assert (json["schema"], forms[1]) == (SCHEMA, {})


@pytest.mark.parametrize("models", [None, VLLM])
@pytest.mark.parametrize("message", ["unknown field", "Grammar error: cannot compile", "{name} is not supported"])
def test_a_server_that_takes_no_shape_is_asked_without_once_and_for_all(models: Any, message: str) -> None:
    name = "structured_outputs" if models else "response_format"
    with faulty_server(models=models, refuses={name: message.format(name=name)}) as server:
        asking = OpenAIServer(server.url, backoff=60)
        for _ in range(2):
            assert asking.run([task(("rag", "full"))], max_tokens=9)[0].text == "Ann is here [1]."
    assert [name in body for body in server.seen] == [True, False, False]


@pytest.mark.parametrize("message", ["This model does not support logprobs", "top_logprobs must be at most 5", "no"])
def test_a_server_that_tells_no_odds_is_asked_without(message: str) -> None:
    with faulty_server(refuses={"logprobs": message}) as server:
        [done] = OpenAIServer(server.url, backoff=60).run([task(odds=20)], max_tokens=9)
    assert (done.text, done.odds) == ("Ann is here [1].", ())
    assert [body.get("top_logprobs") for body in server.seen] == [20, None]


def test_odds_are_those_of_the_first_token() -> None:
    def event(text: str, *top: tuple[str, float]) -> dict[str, Any]:
        tokens = [{"token": token, "logprob": logprob} for token, logprob in top]
        content = [{"token": text, "logprob": top[0][1], "top_logprobs": tokens}]
        return {"choices": [{"delta": {"content": text}, "logprobs": {"content": content}}]}

    events = [event("Ann", ("NOT", math.log(0.2)), ("Ann", math.log(0.7))), event(" is", (" was", 0.0)), "[DONE]"]
    with faulty_server(events=events) as server:
        [done] = OpenAIServer(server.url).run([task(odds=200)], max_tokens=9)
    assert server.seen[-1]["top_logprobs"] == 20
    assert [token for token, _ in done.odds] == ["Ann", "NOT"]
    assert [p for _, p in done.odds] == pytest.approx([0.7, 0.2])


@pytest.mark.parametrize("logprobs", [None, {}, [], {"content": []}, {"content": [{"top_logprobs": [{"token": 1}]}]}])
def test_first_odds_of_anything_else_are_none(logprobs: Any) -> None:
    assert first_odds(logprobs) == ()


def test_embedded_odds_are_that_the_answer_is_here() -> None:
    backend = EmbeddedBackend(HashingEmbedder())
    here, elsewhere = (
        dict(backend.run([Task("answer", question, (PASSAGE,), odds=1)], max_tokens=9)[0].odds)
        for question in ("Who was the keeper of the light?", "What does the ferry to Zanzibar cost?")
    )
    assert here["yes"] > 0.5 > elsewhere["yes"]
    assert here["yes"] + here["no"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("full", "full"),
        (" FULL.", "full"),
        ('{"choice": "rag"}', "rag"),
        ('{"choice": "full"', "full"),
        ("The way is rag, not full", "rag"),
        ("fragment, fully", None),
        ("", None),
    ],
)
def test_parse_choice_takes_the_first_that_is_named(text: str, choice: str | None) -> None:
    assert parse_choice(text, ("rag", "full")) == choice


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "x"}', {"a": "x"}),
        ('Sure! ```json\n{"a": {"b": 1}}\n``` done', {"a": {"b": 1}}),
        ('{this is none} {"a": 1}', {"a": 1}),
        ('{"a": "cut', {}),
        ("[1, 2]", {}),
        ("{" * 5000, {}),
    ],
)
def test_parse_object_takes_the_first_there_is(text: str, value: dict[str, Any]) -> None:
    assert parse_object(text) == value
