"""`lcrag calibrate`, and what `ask --explain` shows after the answer."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from support import fake_run
from support.invocation import Lcrag

from lcrag.planning.profile import from_object


def test_what_was_measured_is_shown_and_kept(lcrag: Lcrag) -> None:
    result = lcrag("calibrate", "--quick", "--docs", "docs", "--backend", "server")
    assert result.code == 0
    assert fake_run.opened == [fake_run.Settings(("docs",), backend="server")]
    assert "kept in profiles/m.json" in result.err
    assert "\x1b" not in result.out
    fact = next(line for line in result.out.splitlines() if line.startswith("fact"))
    assert fact.split() == ["fact", "█", ".98", "▇", ".90", "▂", ".20", "4,096"]
    assert "made up an answer that was not there: 10%" in result.out
    assert "median error of the fit: 4.0%" in result.out


def test_show_measures_nothing_and_draws(lcrag: Lcrag, tmp_path: Path) -> None:
    chart = tmp_path / "chart.svg"
    result = lcrag("calibrate", "--show", "--chart", str(chart))
    assert result.code == 0
    assert not fake_run.opened
    drawn = ElementTree.fromstring(chart.read_text(encoding="utf-8"))
    assert sum(element.tag.endswith("polyline") for element in drawn.iter()) == 4


def test_json_is_the_profile(lcrag: Lcrag) -> None:
    assert from_object(lcrag("calibrate", "--show", "--json").json) == fake_run.PROFILE


def test_explain_puts_forecast_and_actual_side_by_side(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "who was it?", "--explain", "--no-log")
    rows = {line.split()[0]: line.split() for line in result.err.splitlines() if line.strip()}
    assert rows["forecast"] == ["forecast", "chunk_rag", "2,100", "0", "200", "1", "0.31", "~0.71"]
    assert rows["actual"] == ["actual", "chunk_rag", "1,800", "0", "40", "1", "0.25", "answered"]
    assert not fake_run.opened[-1].log
