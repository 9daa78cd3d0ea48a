"""`lcrag plan` and `lcrag index`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support import values
from support.fakes import HashingEmbedder
from support.invocation import Lcrag
from support.scripted import KEEPER, QuestionBackend

from lcrag.session import Session
from lcrag.types import Plan, Policy


@pytest.fixture
def policies(monkeypatch: pytest.MonkeyPatch) -> list[Policy]:
    """Every session has the plan of ``support.values``; the policies that it is asked for."""
    policies: list[Policy] = []

    def plan(session: Session, question: str, policy: Policy, **options: Any) -> Plan:
        policies.append(policy)
        return values.plan(question)

    monkeypatch.setattr(Session, "plan", plan)
    return policies


@pytest.mark.usefixtures("policies")
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


@pytest.mark.usefixtures("policies")
def test_plan_in_a_pipe_is_160_columns_wide(lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    lines = lcrag("plan", "docs", "who?", "--all").out.splitlines()
    assert "worker_tokens=8000 sources=a,b" in next(line for line in lines if "chain_of_agents" in line)


@pytest.mark.usefixtures("policies")
def test_plan_hides_routes_that_are_no_better_in_any_way(lcrag: Lcrag) -> None:
    result = lcrag("plan", "docs", "who?")
    assert "* chunk_rag" in result.out
    assert "chain_of_agents" not in result.out
    assert "\n  2 more: lcrag plan --all\n" in result.out


@pytest.mark.usefixtures("policies")
def test_plan_json_has_every_route(lcrag: Lcrag) -> None:
    plan = lcrag("plan", "docs", "who?", "--json").json
    keys = "schema question pipeline options reason counterfactuals tokenizer estimate forecasts profile"
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
    assert plan["profile"] == {"name": "builtin-embedded", "measured": False, "logged": 0, "known": 0}


def test_plan_calls_no_model(lcrag: Lcrag, backend: QuestionBackend) -> None:
    plan = lcrag("plan", "docs", "who?", "--json").json
    assert plan == lcrag("ask", "docs", "who?", "--json").json["plan"]
    assert plan["forecasts"][0].keys() == lcrag("plan", "docs", "nowhere", "--json").json["forecasts"][0].keys()
    assert len(backend.tasks) == 1


def test_plan_history_shows_how_far_forecasts_were_off(lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.planning.history.read_record", lambda: values.RECORD)
    result = lcrag("plan", "--history")
    assert result.code == 0
    assert result.out.splitlines()[1].split() == ["chunk_rag", "12", "4%", "21%", "0.71", "75%"]
    assert "it alone answered 1, both gave the same answer to 2, for 3.5 times the tokens" in result.out
    lines = result.out.splitlines()
    assert lines[3:8] == [
        "",
        "calibration on vllm (m), profile measured: 12 forecasts",
        "forecast P(correct)    asked   mean  answered         right   0                   1",
        "0.4 to 0.6                 4   0.50       25%                 -----     |",
        "0.8 to 1.0                 8   0.81      100%      50% of 4   ==========      |",
    ]
    assert lines[10] == "two routes answered 3 of the questions, 2 of them alike"
    value = lcrag("plan", "--history", "--json").json
    assert value["routes"][0]["asked"] == 12
    assert value["backends"][0]["bins"][1]["answered"] == 1.0
    assert lcrag("plan", "docs", "who?", "--history").code == 2


def test_plan_without_a_route_exits_with_4(lcrag: Lcrag) -> None:
    assert lcrag("plan", "docs", "who?", "--max-tokens", "10").code == 4
    error = lcrag("plan", "docs", "who?", "--max-tokens", "10", "--json").json
    assert (error["kind"], error["code"]) == ("OverBudget", 4)
    needed = re.search(r"needs ([\d,]+) tokens", error["message"])
    assert needed is not None
    assert lcrag("plan", "docs", "who?", "--max-tokens", needed[1].replace(",", "")).code == 0


def test_plan_passes_the_policy_on(lcrag: Lcrag, policies: list[Policy]) -> None:
    lcrag("plan", "docs", "who?", "--prefer", "quality", "--max-tokens", "5")
    assert policies == [Policy("quality", 5)]


def test_index_prints_what_changed(lcrag: Lcrag) -> None:
    first = lcrag("index", "docs")
    assert first.out.startswith("6 documents, ")
    assert first.out.endswith(" tokens: 6 added, 2 skipped\n")
    assert "cannot read docs/broken" in first.err
    Path("docs/b.md").write_text("Another text.\n")
    assert lcrag("index", "docs").out.endswith(" tokens: 1 changed, 5 unchanged, 2 skipped\n")


@pytest.mark.parametrize("dense", ["auto", "off", "on"])
def test_index_dense_on_embeds_at_once(lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch, dense: str) -> None:
    monkeypatch.setattr("lcrag.session.session.open_embedder", lambda dense, name, emit: HashingEmbedder())
    assert lcrag("index", "docs", "--dense", dense).code == 0
    assert ("vectors of hashing" in lcrag("index", "docs", "--status").out) == (dense == "on")


def test_index_sums_up_sections_once_and_says_what_is_read_for_it(lcrag: Lcrag) -> None:
    refused = lcrag("ask", "docs", "who was it?", "--pipeline", "summary_rag")
    assert refused.code == 3
    assert "lcrag index PATH... --layers section" in refused.err
    first = lcrag("index", "docs", "--layers", "section")
    assert first.code == 0
    assert re.search(r"sections to sum up: 6, up to 2,\d+ tokens to read\n", first.err)
    assert "sections to sum up: 0, up to 0 tokens to read" in lcrag("index", "docs", "--layers", "section").err
    assert "summaries: 6 sections\n" in lcrag("index", "docs", "--status").out
    answer = lcrag("ask", "docs", "who was it?", "--pipeline", "summary_rag")
    assert (answer.code, answer.out) == (0, f"{KEEPER} [1].\n\n[1] docs/a.md:3  “{KEEPER}”\n")


def test_index_names_what_is_read_in_part(lcrag: Lcrag) -> None:
    parts = "--B\n\nx\n--B\nContent-Type: image/png\n\nx\n--B--"
    Path("docs/mail.eml").write_text(f"From: a@x.org\nContent-Type: multipart/mixed; boundary=B\n\n{parts}")
    warning = "lcrag: only a part is read of docs/mail.eml: attached and not read: image/png\n"
    assert warning in lcrag("index", "docs").err
    assert warning in lcrag("index", "docs").err, "also when nothing has changed"
    assert warning not in lcrag("ask", "docs", "who?").err
    assert "  docs/mail.eml: attached and not read: image/png" in lcrag("ask", "docs", "nowhere").err
    assert "read in part: docs/mail.eml: attached and not read" in lcrag("index", "docs", "--status").out


def test_index_status_changes_nothing(lcrag: Lcrag) -> None:
    assert lcrag("index", "docs", "--status").code == 2
    lcrag("index", "docs", "--index", "here")
    Path("docs/b.md").unlink()
    result = lcrag("index", "docs", "--index", "here", "--status")
    assert result.out.startswith("documents: 6\nchunks: ")
    assert "\ncopies: 0\n" in result.out
    assert "not read: docs/broken\\x1b[1m.pdf: not a readable pdf file" in result.out
    assert lcrag("index", "--status", "--index", "here").out == result.out


@pytest.mark.parametrize("option", ["--layers=section", "--ray=local"])
@pytest.mark.parametrize("flag", ["--status", "--clear"])
def test_index_takes_no_work_together_with_status_or_clear(
    lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch, option: str, flag: str
) -> None:
    lcrag("index", "docs")
    name, value = option.removeprefix("--").split("=")
    refused = lcrag("index", "docs", flag, option)
    assert (refused.code, refused.out) == (2, "")
    assert f"{flag} and --{name} do not go together" in refused.err
    assert lcrag("index", "docs", "--status").out.startswith("documents: 6\n")
    monkeypatch.setenv(f"LCRAG_{name.upper()}", value)
    assert lcrag("index", "docs", flag).code == 0, "what is set for every command is not meant"


def test_index_clear_removes_the_index(lcrag: Lcrag) -> None:
    lcrag("index", "docs")
    assert lcrag("index", "docs", "--clear").err == "the index is removed\n"
    again = lcrag("index", "docs", "--clear")
    assert (again.code, again.err) == (0, "there was no index\n")
    assert lcrag("index", "docs", "--clear", "--status").code == 2
