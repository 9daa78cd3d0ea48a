"""``lcrag help``: topics, and commands by another way."""

from __future__ import annotations

import pytest
from support.invocation import Lcrag

from lcrag.cli.help import _complete
from lcrag.cli.topics import TOPICS
from lcrag.session import every_pipeline


def test_help_lists_the_topics(lcrag: Lcrag) -> None:
    result = lcrag("help")
    assert result.code == 0
    assert [line.split()[0] for line in result.out.split("\n\n")[0].splitlines()] == list(TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_help_prints_a_topic_in_80_columns(lcrag: Lcrag, topic: str) -> None:
    out = lcrag("help", topic).out
    assert out.startswith(f"# {TOPICS[topic].title}\n\n")
    assert len(out.splitlines()) > 5
    assert max(map(len, out.splitlines())) <= 80


def test_help_routes_has_every_pipeline_with_its_options(lcrag: Lcrag) -> None:
    out = lcrag("help", "routes").out
    assert [line for line in every_pipeline() if f"- `{line}`: " not in out] == []
    assert "`worker_tokens=N from 1" in out


def test_help_prints_the_help_of_a_command(lcrag: Lcrag) -> None:
    assert lcrag("help", "history").out.startswith("Usage: lcrag history ")


def test_help_of_nothing_known_is_wrong_usage(lcrag: Lcrag) -> None:
    result = lcrag("help", "such")
    assert (result.code, result.out) == (2, "")
    assert "topics: exit-codes, configuration" in result.err


def test_help_completes_topics_and_commands() -> None:
    assert _complete("co") == ["configuration", "compare"]
