"""The charts: axes with round numbers, points and labels inside."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as parser

from lcrag.report import charts

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=40)
"""Without control characters: what a parser makes of them is its own."""


@given(TEXTS, TEXTS)
def test_element_gives_back_the_text_and_attributes_it_was_given(text: str, attribute: str) -> None:
    [parsed] = parser.fragments_fromstring(str(charts.element("p", text, charts.element("i"), title=attribute)))
    assert parsed.text_content() == text
    assert parsed.get("title") == attribute
    assert [child.tag for child in parsed] == ["i"]


def test_element_writes_attributes_as_svg_has_them() -> None:
    assert charts.element("text", "<", None, class_="a", text_anchor="end", x=2.0, viewBox="0 0 1 1") == (
        '<text class="a" text-anchor="end" x="2" viewBox="0 0 1 1">&lt;</text>'
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0.13, 0.31, [0.15, 0.2, 0.25, 0.3]), (3, 3, [3])],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert charts.ticks(low, high) == pytest.approx(expected)


def test_decades_thin_out_over_long_ranges() -> None:
    assert charts.decades(800, 30_000) == [1000, 2000, 5000, 10_000, 20_000]
    assert charts.decades(0.01, 1000) == pytest.approx([0.01, 0.1, 1, 10, 100, 1000])


def test_short_writes_numbers_for_an_axis() -> None:
    assert [charts.short(value) for value in (0.05, 500, 2000, 1.5e6)] == ["0.05", "500", "2k", "1.5M"]


points = st.lists(
    st.builds(
        lambda name, cost, score, front: charts.Point(
            name, cost, score, (score / 2, (1 + score) / 2), front, "constant"
        ),
        st.sampled_from(["chunk_rag", "chain_of_agents", "router"]),
        st.floats(0, 1e7),
        st.floats(0, 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=9,
)


@given(points)
def test_pareto_draws_every_point_inside(listed: list[charts.Point]) -> None:
    chart = parser.fragment_fromstring(str(charts.pareto(listed, cost="tokens", title="t")))
    _, _, width, height = map(float, chart.get("viewbox", chart.get("viewBox")).split())
    circles = chart.findall(".//circle")
    assert len(circles) == len(listed)
    for circle in circles:
        assert 0 <= float(circle.get("cx")) <= width
        assert 0 <= float(circle.get("cy")) <= height


@pytest.mark.parametrize("quantiles", [[0.0] * 5, [0.001, 0.1, 1, 10, 1000]])
def test_latency_draws_any_seconds(quantiles: list[float]) -> None:
    chart = str(charts.latency([("router", quantiles, "router")], title="t"))
    assert "nan" not in chart
    assert "inf" not in chart


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_curves_label_every_line_inside_and_apart(ends: list[float]) -> None:
    listed = {f"kind {place}": [(500, 0.5), (8000, end)] for place, end in enumerate(ends)}
    chart = parser.fragment_fromstring(str(charts.curves(listed, score="use", highest=1.0, title="t")))
    labels = [text for text in chart.findall(".//text") if "label" in text.get("class")]
    assert [label.text for label in labels] == list(listed)
    assert len(chart.findall(".//polyline")) == len(listed)
    heights = sorted(float(label.get("y")) for label in labels)
    assert heights[0] > 0
    assert heights[-1] <= charts.HEIGHT - charts.BOTTOM + 4
    assert all(below - above > charts.LINE - 0.01 for above, below in pairwise(heights))


def test_curves_of_a_single_length_have_an_axis() -> None:
    assert "nan" not in str(charts.curves({"fact": [(500, 0.5)]}, score="use", highest=1.0, title="t"))
