"""The shipped schemas accept what the command line prints and refuse what breaks the contract."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from support import values

from lcrag import schemas
from lcrag.report.objects import answer_object, error_object, plan_object
from lcrag.types import Answer, Usage

INDEX = {"documents": 3, "chunks": 40, "tokens": 24000, "skipped": 2}


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files("lcrag").joinpath(f"schemas/{name}-1.json").read_text(encoding="utf-8"))
    return loaded


def accepts(name: str, value: object) -> bool:
    validator = jsonschema.Draft202012Validator(schema(name))
    return validator.is_valid(json.loads(json.dumps(value)))


def answer(given: Answer, planned: bool = True, id: str | int | None = None) -> dict[str, Any]:
    plan = values.plan("who?") if planned else None
    return answer_object("who?", given, plan, id=id, backend="embedded", model="extractive", index=INDEX)


FOUND = answer(values.answer("Anna [1].", "a.md", "Anna"))
PLAN = plan_object(values.plan("who?"))
ERROR = error_object(3, "NotInstalled", "no model", "pip install x")


@pytest.mark.parametrize("name", ["answer", "plan", "error"])
def test_schema_is_one_and_has_its_id(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert schema(name)["title"] == schema(name)["properties"]["schema"]["const"] == getattr(schemas, name.upper())


def test_schema_of_an_answer_contains_that_of_a_plan() -> None:
    plan = {key: value for key, value in schema("plan").items() if key != "$schema"}
    assert schema("answer")["$defs"]["plan"] == plan


def test_schemas_accept_what_is_printed() -> None:
    assert accepts("answer", FOUND)
    assert accepts("answer", answer(Answer("", "not_found", (), Usage(), 9)))
    assert accepts("answer", answer(Answer("", "not_retrieved", (), Usage(), 9), id="q1"))
    assert accepts("answer", answer(Answer("Yes. No.", "contradictory", (), Usage(), 9), id=7))
    assert accepts("answer", answer(Answer("", "refused_by_budget", (), Usage(), 0), planned=False))
    assert accepts("answer", FOUND | {"session": {"name": None, "question": "who?", "statements": ["I sail."]}})
    assert not accepts("answer", FOUND | {"session": {"name": "work"}})
    assert accepts("plan", PLAN)
    assert accepts("error", ERROR)
    assert accepts("error", ERROR | {"id": "q1"})


def required(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every key, except those of options and features, which may be any."""
    if isinstance(value, dict):
        return [
            inner_path
            for key, inner in value.items()
            if path[-1:] not in (("options",), ("features",))
            for inner_path in [(*path, key), *required(inner, (*path, key))]
        ]
    return required(value[0], (*path, 0)) if isinstance(value, list) and value else []


@pytest.mark.parametrize(("name", "value"), [("answer", FOUND), ("plan", PLAN), ("error", ERROR)])
def test_schemas_require_and_type_every_key(name: str, value: dict[str, Any]) -> None:
    paths = required(value)
    assert len(paths) > 4
    for path in paths:
        for change in (
            lambda parent, key: parent.pop(key),
            lambda parent, key: parent.update({key: value_of_no_type()}),
        ):
            broken = copy.deepcopy(value)
            parent: Any = broken
            for key in path[:-1]:
                parent = parent[key]
            change(parent, path[-1])
            assert not accepts(name, broken), path


def value_of_no_type() -> list[list[int]]:
    """A value that no key of the three may have."""
    return [[1]]


@pytest.mark.parametrize(
    ("name", "break_it"),
    [
        ("answer", lambda value: value.update(status="maybe")),
        ("answer", lambda value: value.update(answer="")),
        ("answer", lambda value: value.update(plan=None)),
        ("answer", lambda value: value.update(schema="lcrag.answer/2")),
        ("answer", lambda value: value["citations"][0].update(line=0)),
        ("answer", lambda value: value["citations"][0].update(quote="")),
        ("answer", lambda value: value["steps"][0].update(status="maybe")),
        ("answer", lambda value: value["usage"].update(calls=-1)),
        ("answer", lambda value: value["plan"].update(forecasts=[])),
        ("plan", lambda value: value["estimate"].update(diffusion=1.1)),
        ("plan", lambda value: value["estimate"]["coverage"].update({"32000": 1})),
        ("plan", lambda value: value["forecasts"][0].update(chosen=False)),
        ("plan", lambda value: value["forecasts"][1].update(chosen=True)),
        ("plan", lambda value: value["forecasts"][0].update(quality=-0.1)),
        ("error", lambda value: value.update(code=1)),
    ],
)
def test_schemas_refuse_what_breaks_the_contract(name: str, break_it: Callable[[dict[str, Any]], None]) -> None:
    broken = copy.deepcopy({"answer": FOUND, "plan": PLAN, "error": ERROR}[name])
    break_it(broken)
    assert not accepts(name, broken)
