"""`lcrag plan` and `lcrag index`."""

from __future__ import annotations

import pytest
from support import fake_run
from support.invocation import Lcrag

from lcrag.types import Policy


def test_plan_fits_80_columns(lcrag: Lcrag) -> None:
    result = lcrag("plan", "docs", "who was it?", "--all")
    assert result.code == 0
    lines = result.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in result.out
    (chosen,) = [line for line in lines if line.startswith("* chunk_rag")]
    assert chosen.split() == ["*", "chunk_rag", "tokens=2000", "2,100", "1", "0.3", "~0.71", "yes"]
    agents = next(line for line in lines if "chain_of_agents" in line)
    assert "1,124,100" in agents
    assert agents.split()[-1] == "no"
    assert "\n* the evidence is likely near the top\n" in result.out
    assert "full_context if quality mattered most" in result.out
    assert "profile: builtin-embedded, not measured" in result.out


def test_plan_in_a_pipe_is_160_columns_wide(lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    lines = lcrag("plan", "docs", "who?", "--all").out.splitlines()
    assert "worker_tokens=8000 sources=a,b" in next(line for line in lines if "chain_of_agents" in line)


def test_plan_hides_routes_that_are_no_better_in_any_way(lcrag: Lcrag) -> None:
    result = lcrag("plan", "docs", "who?")
    assert "* chunk_rag" in result.out
    assert "chain_of_agents" not in result.out
    assert "\n  2 more: lcrag plan --all\n" in result.out


def test_plan_json_has_every_route(lcrag: Lcrag) -> None:
    plan = lcrag("plan", "docs", "who?", "--json").json
    keys = "schema question pipeline options reason counterfactuals estimate forecasts profile"
    assert list(plan) == keys.split()
    assert plan["estimate"]["coverage"] == {
        "1000": 0.55,
        "2000": pytest.approx(0.55 + 0.31 / 3),
        "4000": 0.86,
        "8000": pytest.approx(0.86 + 0.11 / 3),
        "16000": 0.97,
    }
    keys = (
        "pipeline options input_tokens output_tokens calls seconds quality fits cached_tokens kv_tokens evidence chosen"
    )
    assert list(plan["forecasts"][0]) == keys.split()
    assert [forecast["chosen"] for forecast in plan["forecasts"]] == [True, False, False]
    assert plan["profile"] == {"name": "builtin-embedded", "measured": False}
    assert not fake_run.asked


def test_plan_history_shows_how_far_forecasts_were_off(lcrag: Lcrag) -> None:
    result = lcrag("plan", "--history")
    assert result.code == 0
    assert result.out.splitlines()[1].split() == ["chunk_rag", "12", "4%", "21%", "0.71", "75%"]
    assert "it alone answered 1, both gave the same answer to 2, for 3.5 times the tokens" in result.out
    assert lcrag("plan", "--history", "--json").json["routes"][0]["asked"] == 12
    assert lcrag("plan", "docs", "who?", "--history").code == 2


def test_plan_without_a_route_exits_with_4(lcrag: Lcrag) -> None:
    assert lcrag("plan", "docs", "budget", "--max-tokens", "10").code == 4
    assert lcrag("plan", "docs", "budget", "--json").json["hint"] == "--max-tokens 2100"


def test_plan_passes_the_policy_on(lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch) -> None:
    policies: list[Policy] = []
    monkeypatch.setattr(
        fake_run.Session, "plan", lambda self, question, policy: policies.append(policy) or fake_run.plan(question)
    )
    lcrag("plan", "docs", "who?", "--prefer", "quality", "--max-tokens", "5")
    assert policies == [Policy("quality", 5)]


def test_index_prints_what_changed(lcrag: Lcrag) -> None:
    result = lcrag("index", "docs", "more")
    assert result.out == "3 documents, 40 chunks, 24,000 tokens: 2 added, 1 changed, 9 unchanged, 2 skipped\n"
    assert "cannot read docs/broken" in result.err
    assert fake_run.opened == [fake_run.Settings(("docs", "more"))]


@pytest.mark.parametrize(("dense", "filled"), [("auto", 0), ("off", 0), ("on", 1)])
def test_index_dense_on_embeds_at_once(lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch, dense: str, filled: int) -> None:
    calls: list[None] = []
    monkeypatch.setattr(fake_run.Session, "fill", lambda self: calls.append(None))
    assert lcrag("index", "docs", "--dense", dense).code == 0
    assert len(calls) == filled


def test_index_status_changes_nothing(lcrag: Lcrag) -> None:
    result = lcrag("index", "docs", "--status")
    assert "documents: 3\nchunks: 40\ntokens: 24,000 (cl100k_base)\ncopies: 1\n" in result.out
    assert "vectors of all-MiniLM-L6-v2: 12 of 40" in result.out
    assert "not read: docs/broken[1m.pdf: not a readable pdf file" in result.out
    assert not fake_run.opened
    assert lcrag("index", "new", "--status").code == 2
    assert lcrag("index", "--status", "--index", "here").code == 0


def test_index_clear_removes_the_index(lcrag: Lcrag) -> None:
    assert lcrag("index", "docs", "--clear").err == "the index is removed\n"
    assert lcrag("index", "new", "--clear").err == "there was no index\n"
    assert lcrag("index", "new", "--clear").code == 0
    assert lcrag("index", "docs", "--clear", "--status").code == 2
    assert not fake_run.opened
