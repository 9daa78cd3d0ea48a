"""`lcrag calibrate`, and what `ask --explain` prints after the answer."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.invocation import Lcrag
from support.values import PROFILE

from lcrag.planning.profile import from_object
from lcrag.types import Emit, Event, Profile, Settings


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, bool]]:
    """The settings and ``quick`` of each measurement, which gives PROFILE."""
    calls: list[tuple[Settings, bool]] = []

    def measure(settings: Settings, emit: Emit, *, quick: bool) -> tuple[Profile, Path]:
        calls.append((settings, quick))
        emit(Event("calibrate", {"part": "cost", "done": 1, "total": 9}))
        emit(Event("calibrate", {"part": "use", "tokens": 512, "done": 1}))
        return PROFILE, Path("profiles/m.json")

    monkeypatch.setattr("lcrag.calibrate.calibrate_backend", measure)
    monkeypatch.setattr("lcrag.calibrate.known_profile", lambda settings, emit: PROFILE)
    return calls


def test_calibrate_prints_the_profile(lcrag: Lcrag, measured: list[tuple[Settings, bool]]) -> None:
    result = lcrag("calibrate", "--quick", "--docs", "docs", "--backend", "server")
    assert result.code == 0
    assert measured == [(Settings(("docs",), dense="off", reader="off", backend="server"), True)]
    assert "written: profiles/m.json" in result.err
    assert "\x1b" not in result.out
    fact = next(line for line in result.out.splitlines() if line.startswith("fact"))
    assert fact.split() == ["fact", "█", ".98", "▇", ".90", "▂", ".20", "4,096"]
    assert "made up an answer that was not there: 10%" in result.out
    assert "median error of the fit: 4.0%" in result.out


def test_calibrate_show_measures_nothing_and_draws(
    lcrag: Lcrag, measured: list[tuple[Settings, bool]], tmp_path: Path
) -> None:
    chart = tmp_path / "chart.svg"
    result = lcrag("calibrate", "--show", "--chart", str(chart))
    assert result.code == 0
    assert not measured
    drawn = ElementTree.fromstring(chart.read_text(encoding="utf-8"))
    assert sum(element.tag.endswith("polyline") for element in drawn.iter()) == 4


def test_calibrate_json_is_the_profile(lcrag: Lcrag, measured: list[tuple[Settings, bool]]) -> None:
    assert from_object(lcrag("calibrate", "--show", "--json").json) == PROFILE


def test_ask_explain_prints_forecast_and_actual_cost(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "who was it?", "--explain", "--no-log")
    assert not lcrag.settings[-1].log
    rows = {line.split()[0]: line.split() for line in result.err.splitlines() if line.strip()}
    answer = lcrag("ask", "docs", "who was it?", "--json", "--no-log").json
    [forecast] = [forecast for forecast in answer["plan"]["forecasts"] if forecast["chosen"]]
    assert rows["forecast"][1:4] == [forecast["pipeline"], f"{forecast['input_tokens']:,}", "0"]
    assert rows["forecast"][4:6] == [f"{forecast['output_tokens']}", f"{forecast['calls']:g}"]
    assert rows["forecast"][-1] == f"~{forecast['quality']:.2f}"
    usage = answer["usage"]
    assert rows["actual"][1:] == [
        *(answer["steps"][0]["pipeline"], f"{usage['input_tokens']:,}", "0", f"{usage['output_tokens']}"),
        *(f"{usage['calls']}", rows["actual"][-2], "answered"),
    ]
