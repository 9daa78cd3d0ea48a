"""``--format``, and that ``--json`` and ``--ndjson`` are short for two of its values."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.invocation import Lcrag
from support.scripted import COST, KEEPER


def test_ask_format_json_and_ndjson_are_the_flags(lcrag: Lcrag) -> None:
    value = lcrag("ask", "docs", "who?", "--format", "json").json
    assert value["schema"] == "lcrag.answer/1"
    assert list(value) == list(lcrag("ask", "docs", "who?", "--json").json)
    events = [event["event"] for event in lcrag("ask", "docs", "who?", "--format=ndjson").lines]
    assert events == [event["event"] for event in lcrag("ask", "docs", "who?", "--ndjson").lines]
    assert lcrag("ask", "docs", "who?", "--format", "md", "--json").json["schema"] == "lcrag.answer/1"


def test_ask_format_plain_is_the_default(lcrag: Lcrag) -> None:
    assert lcrag("ask", "docs", "who?", "--format", "plain").out == lcrag("ask", "docs", "who?").out


@pytest.mark.parametrize("form", [["--format", "json"], ["--format=json"], ["--format", "ndjson"]])
def test_wrong_usage_with_a_json_format_is_one_object(lcrag: Lcrag, form: list[str]) -> None:
    result = lcrag("ask", "docs", "who?", "--such", *form)
    assert (result.code, result.json["code"], result.json["schema"]) == (2, 2, "lcrag.error/1")


def test_ask_format_md_is_a_section(lcrag: Lcrag) -> None:
    assert lcrag("ask", "docs", "who was *it*?", "--format", "md", "--stream").out == (
        f"## who was \\*it\\*?\n\n{KEEPER} [1].\n\n- \\[1\\] [docs/a.md:3](docs/a.md) “{KEEPER}”\n\n"
    )
    assert "docs/a.md" not in lcrag("ask", "docs", "who?", "--format", "md", "--no-sources").out
    assert "contradict each other: \\[1\\] 1860" in lcrag("ask", "docs", COST, "--format", "md").out
    missing = lcrag("ask", "docs", "nowhere", "--format", "md")
    assert (missing.code, missing.out) == (1, "")


def test_ask_format_md_of_many_questions_has_a_section_for_each(lcrag: Lcrag) -> None:
    Path("q.txt").write_text("who?\nnowhere\nbudget\nbackend\n")
    result = lcrag("ask", "docs", "--questions", "q.txt", "--format", "md")
    sections = result.out.split("## ")[1:]
    assert [section.split("\n\n")[0] for section in sections] == ["who?", "nowhere", "budget"]
    assert sections[0].split("\n\n")[1] == f"{KEEPER} [1]."
    assert sections[1].split("\n\n")[1].startswith("Not in the ")
    assert sections[2].split("\n\n")[1] == "No route fits the budget."
    assert "the backend failed three times" in result.err
    assert result.code == 5
