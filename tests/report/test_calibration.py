"""A profile as text and as an SVG file."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from support import values

from lcrag.planning.profile import builtin_profile
from lcrag.report.calibration import profile_report, profile_svg
from lcrag.types import Profile

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("profile", [values.PROFILE, builtin_profile("embedded", "extractive", 1_000_000)])
def test_profile_svg_draws_use_in_both_surroundings_and_seconds(profile: Profile) -> None:
    root = ElementTree.fromstring(profile_svg(profile))
    panels = root.findall(f"{SVG}svg/{SVG}svg")
    titles = [panel.findtext(f"{SVG}title") for panel in panels]
    assert titles == ["Use of consecutive text", "Use of best-ranked passages", "Seconds to read a prompt"]
    labels = [text.text for text in panels[2].iter(f"{SVG}text") if "label" in text.get("class", "")]
    assert labels == ["cold", "warm"]


def test_profile_svg_escapes_a_name() -> None:
    root = ElementTree.fromstring(profile_svg(replace(values.PROFILE, name="</text><script>&")))
    assert root.findtext(f"{SVG}text") == "</text><script>&"
    assert root.find(f".//{SVG}script") is None


def test_profile_svg_of_a_small_window_has_no_seconds() -> None:
    root = ElementTree.fromstring(profile_svg(replace(values.PROFILE, window=256)))
    assert len(root.findall(f"{SVG}svg/{SVG}svg")) == 2


def test_profile_report_says_whether_it_was_measured() -> None:
    assert profile_report(values.PROFILE).startswith(f"profile: {values.PROFILE.name}, measured\n")
    assert ", not measured\n" in profile_report(replace(values.PROFILE, measured=False))
