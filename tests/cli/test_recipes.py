"""``lcrag recipes``, and routes by name with their options."""

from __future__ import annotations

import pytest
from support.invocation import Lcrag

from lcrag.pipelines import RECIPES


def test_recipes_lists_every_one_with_its_paper(lcrag: Lcrag) -> None:
    out = lcrag("recipes").out
    rows = lcrag("recipes", "--json").json["recipes"]
    assert [row["name"] for row in rows] == list(RECIPES)
    for row in rows:
        assert {row["route"], row["paper"]} == {RECIPES[row["name"]].route, RECIPES[row["name"]].paper}
        assert row["route"] in out
        assert row["paper"] in out


def test_plan_offers_a_route_exactly_as_named(lcrag: Lcrag) -> None:
    plan = lcrag("plan", "docs", "who kept the light?", "--pipeline", "chunk_rag:tokens=77", "--json").json
    assert (plan["pipeline"], plan["options"]) == ("chunk_rag", {"tokens": 77})
    assert [row["options"] for row in plan["forecasts"] if row["pipeline"] == "chunk_rag"] == [{"tokens": 77}]


def test_ask_takes_a_recipe(lcrag: Lcrag) -> None:
    plan = lcrag("plan", "docs", "who?", "--pipeline", "self_route", "--json").json
    assert (plan["pipeline"], plan["options"]) == ("escalate", {"tokens": 2000, "steps": 1})
    assert lcrag("ask", "docs", "who?", "--pipeline", "self_route").code == 0


@pytest.mark.parametrize("command", ["ask", "plan"])
def test_unknown_option_is_wrong_input(lcrag: Lcrag, command: str) -> None:
    result = lcrag(command, "docs", "who?", "--pipeline", "chunk_rag:token=3")
    assert result.code == 2
    assert "chunk_rag has no option 'token'" in result.err
    assert "tokens=N from 1" in result.err
