"""What a notebook shows: readable in light and dark, and harmless whatever the documents hold."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from lxml import html as parser
from support import values
from support.hostile import HOSTILE
from support.results import analysed, many, small

from lcrag.report.notebook import answer_html, comparison_html, plan_html
from lcrag.report.terminal import printable
from lcrag.types import Answer, Plan, Statement, Status, Usage

PLAN = values.plan("Who kept the light?")
ANSWER = values.answer("It was Anna [1]. So they say [2][7].\n\nMore.", "docs/a.md", "Anna Holm")


def words(text: str) -> str:
    return "".join(text.split())


def elements(html: str) -> set[tuple[str, str]]:
    return {
        (str(element.tag), str(name))
        for element in parser.fragment_fromstring(html).iter()
        for name in ("", *element.attrib)
    }


def hostile(text: str) -> tuple[Answer, Plan]:
    citation = replace(ANSWER.citations[0], source=text, quote=text, part=text)
    answer = replace(ANSWER, text=f"It was Anna [1]. {text}", citations=(citation,))
    return answer, replace(PLAN, question=text, reason=text, counterfactuals=(text,), options={"tokens": 2000})


def test_answer_html_links_each_marker_to_its_citation() -> None:
    tree = parser.fragment_fromstring(answer_html(ANSWER, PLAN))
    links = tree.findall(".//a")
    assert [link.text for link in links] == ["[1]", "[2]"]
    for link, place, quote in zip(links, ("docs/a.md:7", "docs/b.pdf p. 3"), ("Anna Holm", "two"), strict=True):
        [item] = tree.xpath("//li[@id=$id]", id=link.get("href").removeprefix("#"))
        assert link.get("title") == place
        assert item.text.split("]")[1].strip() == place
        assert item.find("q").text == quote
    assert tree.find("p").text_content() == ANSWER.text
    assert "chunk_rag tokens=2000: the evidence is likely near the top. 1,800 tokens read" in tree.text_content()


def test_answer_html_of_another_answer_has_other_anchors() -> None:
    ids = [re.findall(r'id="([^"]+)"', answer_html(answer, None)) for answer in (ANSWER, replace(ANSWER, text="x [1]"))]
    assert len({*ids[0], *ids[1]}) == 4


def test_answer_html_marks_what_is_not_supported() -> None:
    answer = replace(ANSWER, text="She sang.", statements=(Statement(0, 9, False, ()),))
    assert "She sang. [unsupported]" in answer_html(answer, PLAN)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("not_found", "Not in these documents."),
        ("not_retrieved", "Not in the 900 tokens that were read."),
        ("refused_by_budget", "No route fits the budget."),
    ],
)
def test_answer_html_says_why_there_is_no_answer(status: Status, message: str) -> None:
    assert message in answer_html(Answer("", status, (), Usage(), 900), None)


def test_plan_html_marks_the_chosen_route_and_says_why() -> None:
    tree = parser.fragment_fromstring(plan_html(PLAN))
    [row] = [row for row in tree.findall(".//tbody/tr") if "✓" in row.text_content()]
    assert [cell.text_content() for cell in row] == ["✓ chunk_rag tokens=2000", "2,100", "1", "0.3", "~0.71", "yes"]
    text = " ".join(tree.text_content().split())
    assert "P(correct), not measured" in text
    assert "2 more in plan.forecasts" in text
    assert "✓ the evidence is likely near the top" in text
    assert "full_context if quality mattered most" in text


def test_comparison_html_shows_accuracy_interval_and_tokens_of_every_route() -> None:
    value = analysed(*many())
    tree = parser.fragment_fromstring(comparison_html(value))
    table = [[cell.text_content() for cell in row][:4] for row in tree.findall(".//tbody/tr")]
    assert [row[0].split()[0] for row in table] == ["router", "full_context", "chunk_rag", "random", "oracle"]
    assert table[1] == ["full_context ★", "0.750", "0.47–0.91", "9,000"]
    assert "Use full_context" in tree.text_content()


def test_comparison_html_of_few_questions_shows_the_answers_side_by_side() -> None:
    tree = parser.fragment_fromstring(comparison_html(analysed(*small())))
    text = " ".join(tree.text_content().split())
    assert "accuracy" not in text
    assert "Both routes agree *chunk_rag (tokens=1000) Ann [1] a.txt:1 full_context (tokens=1000) It is Ann" in text
    assert "right answer: there is no answer in the documents" in text
    tables = [[cell.text_content() for cell in row] for row in tree.findall(".//tbody/tr")]
    assert tables[0] == ["* chunk_rag", "1,000", "1,000", "1,000", "0.10", "0.50", "1", "10", "~0.75", "right"]
    assert tables[-1] == ["full_context", "3 of 4", "4 of 4", "9,000", "0.90"]


COMPARISONS = [comparison_html(analysed(*made)) for made in (small(), many())]


@pytest.mark.parametrize("html", [answer_html(ANSWER, PLAN), plan_html(PLAN), *COMPARISONS])
def test_html_has_no_script_no_style_sheet_and_no_address(html: str) -> None:
    assert {tag for tag, _ in elements(html)} <= set("a code div li ol p q table tbody td th thead tr".split())
    assert not re.search(r"(?:src|href)=[\"'](?!#)|url\(|https?://", html)
    assert not re.search(r"[^-]color:|background: (?!none)", html)  # the theme's


@pytest.mark.parametrize("name", HOSTILE)
def test_html_keeps_hostile_text_as_text(name: str) -> None:
    text = HOSTILE[name]
    answer, plan = hostile(text)
    questions, stored = small()
    for one in stored.values():
        if one["answer"]:
            one["answer"] = one["short"] = text
        for citation in one["citations"]:
            citation["source"] = text
    value = analysed(questions, stored)
    value["made_with"] |= {"model": text}
    plain_answer, plain_plan = hostile("plain")
    pairs = [
        (answer_html(answer, plan), answer_html(plain_answer, plain_plan)),
        (plan_html(plan), plan_html(plain_plan)),
        (comparison_html(value), comparison_html(analysed(*small()))),
    ]
    for html, plain in pairs:
        assert elements(html) <= elements(plain)
        html.encode("utf-8")
        assert printable(html) == html
        assert words(printable(text)).rstrip("\0") in words(parser.fragment_fromstring(html).text_content())
