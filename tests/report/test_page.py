"""The page as text: one file, nothing from outside, nothing of a document that is more than text."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as parser
from support.results import analysed, small

from lcrag.report import charts as svg
from lcrag.report.markup import Markup, tag
from lcrag.report.page import page

EVIL = "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\"> & <b>bold</b> \u2028"
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=40)
"""Without control characters: what a browser makes of them is its own."""


def value_with(text: str) -> dict[str, Any]:
    questions, found = small()
    for row in found.values():
        if row["answer"]:
            row["answer"] += text
            row["citations"][0] |= {"source": f"docs/{text}", "around": {"text": f"{text}Ann", "start": 0, "end": 3}}
    return analysed(questions, found)


def data(text: str, id: str) -> Any:
    return json.loads(re.findall(f'<script type="application/json" id="{id}">(.*?)</script>', text, re.DOTALL)[0])


@given(TEXTS, TEXTS)
def test_whatever_is_put_in_comes_out_as_the_same_text(text: str, attribute: str) -> None:
    made = tag("p", text, tag("br"), title=attribute)
    [element] = parser.fragments_fromstring(str(made))
    assert element.text_content() == text
    assert element.get("title") == attribute
    assert [child.tag for child in element] == ["br"]


def test_attributes() -> None:
    assert tag("td", 1.5, None, [tag("i", "<"), "&"], class_="a", aria_hidden="true", open=False, hidden=True) == (
        '<td class="a" aria-hidden="true" hidden>1.5<i>&lt;</i>&amp;</td>'
    )
    assert tag("svg", viewbox="0 0 1 1", width=2.0) == '<svg viewBox="0 0 1 1" width="2"></svg>'
    assert isinstance(tag("p"), Markup)


def test_text_of_documents_stays_text() -> None:
    text = page(value_with(EVIL))
    assert "<script>document" not in text
    assert "<img" not in text
    assert text.count("<script") == 3
    assert EVIL in data(text, "details")[0]["routes"][1]["answer"]
    tree = parser.fromstring(text)
    assert len(tree.findall(".//script")) == 3


def test_nothing_is_loaded_from_anywhere() -> None:
    text = page(analysed(*small()))
    assert not re.search(r"(?:src|href)=[\"'](?!#)|url\(|@import|https?://", text)
    assert "default-src 'none'" in parser.fromstring(text).find(".//meta[@http-equiv]").get("content")
    assert "innerHTML" not in text


def test_the_same_value_gives_the_same_bytes() -> None:
    assert page(analysed(*small())) == page(analysed(*small()))


def test_the_routers_answer_is_not_carried_twice_and_passages_once() -> None:
    details = data(page(analysed(*small())), "details")
    assert details[0]["routes"][0]["same_as"] == "chunk_rag"
    assert details[0]["routes"][0]["answer"] is None
    assert len(details[0]["passages"]) == 1


def test_places_are_counted_as_a_browser_counts_them() -> None:
    questions, found = small()
    found["1", "chunk_rag"]["citations"][0]["around"] = {"text": "🦭🦭 Ann 🦭", "start": 3, "end": 6}
    [passage, _] = data(page(analysed(questions, found)), "details")[0]["passages"]
    units = passage["text"].encode("utf-16-le")
    assert units[2 * passage["start"] : 2 * passage["end"]].decode("utf-16-le") == "Ann"


def test_a_file_name_that_is_no_text_does_not_break_the_page() -> None:
    page(value_with("\udcff\0")).encode("utf-8")


def test_all_parts_are_there_and_links_lead_to_them() -> None:
    tree = parser.fromstring(page(analysed(*small())))
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for link in tree.findall(".//a"):
        assert link.get("href").removeprefix("#") in ids
    for chart in tree.findall(".//svg"):
        assert chart.get("aria-hidden") or chart.find("title").text
    assert len([chart for chart in tree.findall(".//svg") if chart.get("role") == "img"]) == 4


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0.13, 0.31, [0.15, 0.2, 0.25, 0.3]), (3, 3, [3])],
)
def test_ticks(low: float, high: float, expected: list[float]) -> None:
    assert svg.ticks(low, high) == pytest.approx(expected)


def test_ticks_of_logarithms_and_short_numbers() -> None:
    assert svg.decades(800, 30_000) == [1000, 2000, 5000, 10_000, 20_000]
    assert svg.decades(0.01, 1000) == pytest.approx([0.01, 0.1, 1, 10, 100, 1000])
    assert [svg.short(value) for value in (0.05, 500, 2000, 1.5e6)] == ["0.05", "500", "2k", "1.5M"]


points = st.lists(
    st.builds(
        lambda name, cost, score, front: svg.Point(name, cost, score, (score / 2, (1 + score) / 2), front, "constant"),
        st.sampled_from(["chunk_rag", "chain_of_agents", "router"]),
        st.floats(0, 1e7),
        st.floats(0, 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=9,
)


@given(points)
def test_every_point_is_inside_its_chart(listed: list[svg.Point]) -> None:
    chart = parser.fragment_fromstring(str(svg.pareto(listed, cost="tokens", title="t")))
    _, _, width, height = map(float, chart.get("viewbox", chart.get("viewBox")).split())
    circles = chart.findall(".//circle")
    assert len(circles) == len(listed)
    for circle in circles:
        assert 0 <= float(circle.get("cx")) <= width
        assert 0 <= float(circle.get("cy")) <= height


def test_seconds_of_nothing_and_of_much() -> None:
    for quantiles in ([0.0] * 5, [0.001, 0.1, 1, 10, 1000]):
        made = str(svg.latency([("router", quantiles, "router")], title="t"))
        assert "nan" not in made
        assert "inf" not in made
