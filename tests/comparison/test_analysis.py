"""The analysis of answers: by hand for a few questions, by the schema, by properties of any answers."""

from __future__ import annotations

import json
import random
from importlib.resources import files
from typing import Any

import jsonschema
import numpy as np
import pytest
from support.results import ROUTES, analysed, many, question, refused, rows, small

from lcrag.comparison.analysis import ENOUGH
from lcrag.comparison.dataset import Question
from lcrag.comparison.significance import mcnemar
from lcrag.errors import BackendFailed, OverBudget
from lcrag.report import tables as csv_table
from lcrag.report.conclusions import remarks


def check_schema(value: dict[str, Any]) -> None:
    schema = json.loads(files("lcrag").joinpath("schemas/compare-1.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(value, allow_nan=False)))


def test_analyse_of_a_small_comparison_by_hand() -> None:
    value = analysed(*small())
    check_schema(value)
    chunk, full = value["routes"]
    assert (chunk["pipeline"], chunk["accuracy"], full["accuracy"]) == ("chunk_rag", 0.5, 0.75)
    assert (chunk["input_tokens"], chunk["tokens_per_correct"], full["tokens_per_correct"]) == (
        1000,
        2020,
        12013.333333,
    )
    assert (chunk["not_found"], chunk["false_refused"], chunk["false_found"]) == (0.5, 0.333333, 0.0)
    assert (full["not_found"], full["false_refused"], full["false_found"]) == (0.0, 0.0, 1.0)
    assert value["router"]["accuracy"] == 0.5
    assert value["random"]["accuracy"] == 0.625
    assert value["random"]["input_tokens"] == 5000
    assert value["oracle"]["accuracy"] == 1.0
    assert value["oracle"]["input_tokens"] == (1000 + 9000 + 9000 + 1000) / 4
    assert value["constant_best"]["pipeline"] == "full_context"
    assert value["regret"]["oracle"]["difference"] == 0.5
    assert value["regret"]["constant_best"]["difference"] == 0.25
    assert (chunk["pareto"], full["pareto"], value["router"]["pareto"]) == (True, True, True)
    assert [one["metric"] for one in value["scoring"]["metrics"]] == ["abstention", "contains"]
    [pair] = [pair for pair in value["pairs"] if {pair["a"], pair["b"]} == set(ROUTES)]
    assert (pair["wins"], pair["ties"], pair["losses"], pair["difference"]) == (1, 1, 2, -0.25)
    assert value["router"]["same_as"] == {"chunk_rag": 4}
    assert chunk["brier"] == pytest.approx((2 * 0.25**2 + 2 * 0.75**2) / 4)
    assert value["reliability"]["bins"] == [
        {"low": 0.7, "high": 0.8, "n": 8, "predicted": 0.75, "observed": 0.625},
    ]
    assert value["grid"]["cells"] == [
        {"diffusion": 2, "scope": 1, "n": 4, "accuracy": {"chunk_rag": 0.5, "full_context": 0.75, "router": 0.5}}
    ]


def test_analyse_depends_on_the_seed_alone() -> None:
    questions, stored = small()
    backwards = dict(reversed(stored.items()))
    assert json.dumps(analysed(questions, stored)) == json.dumps(analysed(questions, backwards))
    gold = "some longer answer of so many more words that nobody ever repeats all of them"
    graded = [question(str(number), gold) for number in range(9)]
    words = gold.split()
    table = {
        one.id: {route: " ".join(words[: 2 + place]) for route in (*ROUTES, "router")}
        for place, one in enumerate(graded)
    }
    first, other = (analysed(graded, rows(table), seed=seed) for seed in (1, 2))
    assert first["routes"][0]["ci95"] != other["routes"][0]["ci95"]


def test_analyse_leaves_out_questions_that_the_backend_failed_at_for_every_route() -> None:
    questions, stored = small()
    stored["2", "full_context"]["error"] = {"kind": "BackendFailed", "message": "gone", "hint": ""}
    del stored["3", "router"]
    value = analysed(questions, stored)
    check_schema(value)
    assert value["failed"] == ["2", "3"]
    assert {row["n"] for row in (*value["routes"], value["router"], value["random"], value["oracle"])} == {2}


def test_analyse_leaves_out_a_route_that_never_runs_and_scores_0_where_one_is_refused() -> None:
    questions, stored = small()
    for id in "1234":
        stored[id, "compression"] = refused(id, "compression")
    stored["1", "full_context"] = refused("1", "full_context")
    value = analysed(questions, stored, (*ROUTES, "compression"))
    check_schema(value)
    assert value["left_out"] == ["compression"]
    assert [row["pipeline"] for row in value["routes"]] == list(ROUTES)
    assert (value["routes"][1]["accuracy"], value["routes"][1]["refused"]) == (0.5, 0.25)
    assert any("compression" in sentence for sentence in remarks(value))


def test_analyse_raises_over_budget_with_the_numbers_if_every_route_is_refused() -> None:
    questions, stored = small()
    reason = "the cheapest route (chunk_rag) needs 512 tokens, 511 more than the limit of 1"
    stored = {(id, route): refused(id, route, reason) for id, route in stored}
    with pytest.raises(OverBudget, match=r"every route for every question.*needs 512 tokens, 511 more") as raised:
        analysed(questions, stored)
    assert raised.value.exit_code == 4


def test_analyse_raises_backend_failed_if_no_question_is_complete() -> None:
    questions, stored = small()
    for one in stored.values():
        one["error"] = {"kind": "BackendFailed", "message": "the engine died", "hint": ""}
    with pytest.raises(BackendFailed, match="no question has an answer by every route: the engine died"):
        analysed(questions, stored)


def test_analyse_compares_questions_a_linear_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    comparisons = 0
    equal = Question.__eq__

    def counted(a: Question, b: object) -> bool:
        nonlocal comparisons
        comparisons += 1
        return equal(a, b)

    monkeypatch.setattr(Question, "__eq__", counted)
    questions = [question(str(number), "Ann") for number in range(200)]
    analysed(questions, rows({one.id: dict.fromkeys((*ROUTES, "router"), "Ann") for one in questions}))
    assert comparisons <= len(questions)


def test_analyse_without_gold_scores_by_the_verdict_of_the_backend() -> None:
    questions = [question("1"), question("2")]
    stored = rows({one.id: {"chunk_rag": "Ann", "full_context": "Ann", "router": "Ann"} for one in questions})
    for (id, route), one in stored.items():
        one["verdict"] = "yes" if id == "1" or route == "full_context" else "no"
    value = analysed(questions, stored)
    check_schema(value)
    assert value["scoring"]["judged"]
    assert [row["accuracy"] for row in value["routes"]] == [0.5, 1.0]
    assert not value["enough_questions"]
    mixed = analysed([question("1", "Ann"), question("2")], stored)
    assert (mixed["scoring"]["judged"], mixed["questions"], mixed["unscored"]) == (False, 1, 1)
    assert len(mixed["items"]) == 2


@pytest.mark.parametrize("number", [9, 10])
def test_analyse_has_enough_questions_from_ten_gold_answers_on(number: int) -> None:
    gold = [question(str(place), "Ann") for place in range(number)]
    without = [question(str(place)) for place in range(number)]
    stored = rows({one.id: dict.fromkeys((*ROUTES, "router"), "Ann") for one in gold})
    assert analysed(gold, stored)["enough_questions"] == (number >= ENOUGH)
    assert not analysed(without, stored)["enough_questions"]


def test_enough_is_the_fewest_questions_that_can_show_a_difference_among_fifteen_pairs() -> None:
    assert min(n for n in range(1, 20) if 15 * mcnemar(n, 0) <= 0.05) == ENOUGH


def test_analyse_groups_the_routes_and_tells_the_forecast() -> None:
    [item, *_] = analysed(*small())["items"]
    assert item["groups"] == [{"routes": ["chunk_rag", "full_context", "router"], "found": True, "short": None}]
    assert item["routes"]["full_context"]["forecast"] == {"input_tokens": 9000, "seconds": 0.5, "quality": 0.75}


def test_analyse_tells_how_often_each_route_is_best_in_resamples() -> None:
    value = analysed(*many())
    chunk, full = value["routes"]
    assert value["router"]["best_in_resamples"] == chunk["best_in_resamples"] < full["best_in_resamples"] < 1
    assert chunk["best_in_resamples"] + full["best_in_resamples"] >= 1  # ties count for both


def test_analyse_reports_agreement_of_words_and_of_abstaining() -> None:
    questions = [question("1", "x"), question("2", "x")]
    stored = rows(
        {
            "1": {"chunk_rag": "red apple", "full_context": "red pear", "router": "red apple"},
            "2": {"chunk_rag": "", "full_context": "pear", "router": ""},
        }
    )
    agreement = analysed(questions, stored)["agreement"]
    assert agreement["matrix"] == [[1.0, 0.25, 1.0], [0.25, 1.0, 0.25], [1.0, 0.25, 1.0]]
    assert agreement["consistency"]["chunk_rag"] == 0.25


def test_analyse_breaks_accuracy_down_by_group() -> None:
    questions, stored = small()
    questions[0] = question("1", "Ann", dataset="other", task_type=None)
    value = analysed(questions, stored)
    groups = {(one["by"], one["group"]): one for one in value["breakdown"]}
    assert groups["source", "other"]["accuracy"] == {"chunk_rag": 1.0, "full_context": 1.0, "router": 1.0}
    assert groups["task", "not stated"]["n"] == 1
    assert groups["length", "4,000–16,000 tokens"]["n"] == 4
    assert sum(one["n"] for key, one in groups.items() if key[0] == "measure") == 4


def test_analyse_ranks_random_between_the_routes_and_the_oracle_above_all() -> None:
    draw = random.Random(3)
    questions = [question(str(number), "Ann") for number in range(60)]
    names = ("chunk_rag", "full_context", "router")
    stored = rows({one.id: {name: draw.choice(["Ann", "Ben", ""]) for name in names} for one in questions})
    value = analysed(questions, stored)
    accuracies = [row["accuracy"] for row in value["routes"]]
    assert min(accuracies) <= value["random"]["accuracy"] <= max(accuracies) <= value["oracle"]["accuracy"]
    assert value["random"]["accuracy"] == pytest.approx(np.mean(accuracies), abs=1e-6)


def test_table_quotes_formulas_of_a_document() -> None:
    questions, stored = small()
    stored["1", "chunk_rag"]["answer"] = '=HYPERLINK("http://x")'
    stored["2", "chunk_rag"]["answer"] = "two\nlines, with a comma"
    text = csv_table.table(analysed(questions, stored))
    assert "\"'=HYPERLINK(" in text
    assert '"two\nlines, with a comma"' in text
    assert text.splitlines()[0].split(",")[:3] == ["id", "dataset", "task_type"]
    assert text.count("\r\n") == 1 + 4 * 3
