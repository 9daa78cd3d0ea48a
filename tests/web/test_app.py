"""lcrag's own questions over HTTP: the objects that the command line prints, and its errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.scripted import KEEPER, QuestionBackend
from support.web import Served, served

import lcrag.schemas
from lcrag.types import Policy

SCHEMAS = Path(lcrag.schemas.__file__).parent


def check(value: dict[str, Any], name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}-1.json").read_text(encoding="utf-8"))
    plan = json.loads((SCHEMAS / "plan-1.json").read_text(encoding="utf-8"))
    from referencing import Registry, Resource

    registry: Any = Registry().with_resources(
        [(one["$id"], Resource.from_contents(one)) for one in (schema, plan) if "$id" in one]
    )
    jsonschema.Draft202012Validator(schema, registry=registry).validate(value)


def test_ask_gives_the_answer_object(server: Served) -> None:
    value = server.client.post("/ask", json={"question": "who?", "pipeline": "chunk_rag"}).json()
    check(value, "answer")
    assert value["answer"] == f"{KEEPER} [1]."
    assert value["plan"]["pipeline"] == "chunk_rag"
    assert value["index"]["documents"] == 6


def test_ask_takes_the_servers_policy_unless_told_otherwise(docs: Path) -> None:
    with served(docs, QuestionBackend(), policy=Policy(pipeline="full_context")) as server:
        own = server.client.post("/plan", json={"question": "who?"}).json()
        told = server.client.post("/plan", json={"question": "who?", "pipeline": "chunk_rag:tokens=500"}).json()
    check(own, "plan")
    assert (own["pipeline"], told["pipeline"]) == ("full_context", "chunk_rag")
    assert told["options"]["tokens"] == 500


def test_search_gives_places_and_texts(server: Served) -> None:
    value = server.client.post("/search", json={"question": "keeper of the light", "limit": 2}).json()
    assert len(value["hits"]) == 2
    assert value["hits"][0]["source"].endswith("a.md")
    assert "keeper of the light" in value["hits"][0]["text"]
    assert value["hits"][0]["score"] > value["hits"][1]["score"]


def test_show_gives_the_passage_of_a_citation(server: Served) -> None:
    [citation] = server.client.post("/ask", json={"question": "who?"}).json()["citations"]
    place = f"{citation['source']}:{citation['start']}-{citation['end']}"
    shown = server.client.post("/show", json={"place": place}).json()
    assert shown["quote"] == citation["quote"]
    assert shown["line"] == citation["line"] == 3
    assert "The light on the Calf cost" in shown["after"]
    by_line = server.client.post("/show", json={"place": f"{citation['source']}:5"}).json()
    assert by_line["quote"] == "The light on the Calf cost £1,860."


def test_show_gives_no_file_that_is_not_in_the_index(server: Served, docs: Path) -> None:
    (docs.parent / "secret.txt").write_text("nobody may read this")
    for place in (str(docs.parent / "secret.txt"), f"{docs}/../secret.txt", f"{docs}/a.bin", "/etc/passwd:1"):
        reply = server.client.post("/show", json={"place": place})
        assert reply.status_code == 404
        check(reply.json(), "error")
        assert "nobody" not in reply.text


@pytest.mark.parametrize(
    ("path", "body", "status", "kind", "message"),
    [
        ("/ask", {"question": " "}, 400, "InputError", "empty"),
        ("/search", {"question": " "}, 400, "InputError", "empty"),
        ("/ask", {}, 400, "InputError", "question: Field required"),
        ("/ask", {"question": "who?", "pipline": "x"}, 400, "InputError", "pipline: Extra inputs are not permitted"),
        ("/ask", {"question": "who?", "pipeline": "x"}, 400, "InputError", "no pipeline 'x'"),
        ("/ask", {"question": "who?", "max_tokens": 10}, 422, "OverBudget", "more than the limit"),
        ("/ask", {"question": "backend"}, 502, "BackendFailed", "failed three times"),
        ("/ask", {"question": "server"}, 503, "NotRunning", "no server"),
        ("/ask", {"question": "bug"}, 500, "ZeroDivisionError", "a fault in lcrag"),
        ("/search", {"question": "who?", "limit": 0}, 400, "InputError", "limit: Input should be greater"),
        ("/nix", {}, 404, "InputError", "there is no POST /nix"),
    ],
)
def test_errors_have_a_status_and_lcrags_shape(
    server: Served, path: str, body: dict[str, Any], status: int, kind: str, message: str
) -> None:
    reply = server.client.post(path, json=body)
    check(reply.json(), "error")
    assert (reply.status_code, reply.json()["kind"]) == (status, kind)
    assert message in reply.json()["message"]


def test_body_that_is_no_json_is_refused(server: Served) -> None:
    reply = server.client.post("/ask", content=b"{who", headers={"Content-Type": "application/json"})
    assert reply.status_code == 400
    assert "JSON" in reply.json()["message"]
    plain = server.client.post("/ask", content=b'{"question": "who?"}', headers={"Content-Type": "text/plain"})
    assert plain.status_code == 400  # a page elsewhere could send it without being asked


def test_documents_that_steer_terminals_become_json(server: Served) -> None:
    reply = server.client.post("/ask", json={"question": "evil"})
    assert reply.status_code == 200
    assert "\x1b" not in reply.text
    assert "\u202e" in reply.json()["answer"]


def test_openapi_describes_every_path(server: Served) -> None:
    paths = server.client.get("/openapi.json").json()["paths"]
    assert {"/ask", "/plan", "/search", "/show", "/health", "/metrics", "/v1/models", "/v1/chat/completions"} <= set(
        paths
    )
    page = server.client.get("/api").text
    assert all(path in page for path in paths)
    assert "src=" not in page


def test_metrics_count_requests_and_answers(docs: Path) -> None:
    with served(docs, QuestionBackend()) as server:
        server.client.post("/ask", json={"question": "who?"})
        server.client.post("/ask", json={"question": "backend"})
        server.client.get("/nix")
        server.client.get("/health", headers={"Host": "elsewhere"})
        text = server.client.get("/metrics").text
    assert 'lcrag_requests_total{path="/ask",status="200"} 1.0' in text
    assert 'lcrag_requests_total{path="/ask",status="502"} 1.0' in text
    assert 'lcrag_requests_total{path="other",status="404"} 1.0' in text
    assert 'lcrag_requests_total{path="other",status="403"} 1.0' in text
    assert 'lcrag_request_seconds_count{path="/ask"} 2.0' in text
    assert "lcrag_questions_running 0.0" in text
    assert 'status="answered"' in text


def test_questions_choose_documents_for_themselves(server: Served) -> None:
    """By path and by time; the next question reads all of them again; none is an error."""
    question = {"question": "keeper of the light", "limit": 100}

    def found(**more: object) -> set[str]:
        value = server.client.post("/search", json=question | more).json()
        return {Path(hit["source"]).name for hit in value["hits"]}

    every = found()
    assert len(every) > 1
    assert found(only=["a.md"]) == {"a.md"}
    assert found(since="2000-01-01") == every == found()
    asked = {"question": "who?", "pipeline": "full_context", "only": ["docs/a.md"]}
    assert server.client.post("/ask", json=asked).json()["index"]["documents"] == 1
    assert server.client.post("/plan", json=asked).status_code == 200
    none = server.client.post("/plan", json=asked | {"since": "2999-01-01"})
    assert (none.status_code, none.json()["kind"]) == (400, "InputError")
    assert "6 documents" in none.json()["message"]
    assert found() == every
