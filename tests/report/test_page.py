"""The page as text: one file, nothing from outside, nothing of a document that is more than text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from lxml import html as parser
from support.results import analysed, many, question, rows, small

from lcrag.report.page import page

EVIL = "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\"> & <b>bold</b> \u2028"


def value_with(text: str) -> dict[str, Any]:
    questions, stored = small()
    for row in stored.values():
        if row["answer"]:
            row["answer"] += text
            row["citations"][0] |= {"source": f"docs/{text}", "around": {"text": f"{text}Ann", "start": 0, "end": 3}}
    return analysed(questions, stored)


def data(text: str, id: str) -> Any:
    return json.loads(re.findall(f'<script type="application/json" id="{id}">(.*?)</script>', text, re.DOTALL)[0])


def test_page_escapes_the_text_of_documents() -> None:
    text = page(value_with(EVIL))
    assert "<script>document" not in text
    assert "<img" not in text
    assert text.count("<script") == 3
    assert EVIL in data(text, "details")[0]["routes"][1]["text"]
    tree = parser.fromstring(text)
    assert len(tree.findall(".//script")) == 3


def test_page_escapes_names_in_titles_tables_and_options() -> None:
    plain = [question(str(number), "Ann", dataset="ab"[number % 2]) for number in range(12)]
    answers = {one.id: dict.fromkeys(("chunk_rag", "full_context", "router"), "Ann") for one in plain}

    def elements(names: list[str], model: str) -> list[str]:
        questions = [replace(one, dataset=names[place % 2]) for place, one in enumerate(plain)]
        value = analysed(questions, rows(answers))
        value["made_with"]["model"] = model
        tree = parser.fromstring(page(value))
        assert model in tree.find(".//title").text
        assert [option.get("value") for option in tree.findall(".//select[@id='source']/option")] == ["", *names]
        return [str(element.tag) for element in tree.iter()]

    assert elements([EVIL, f"{EVIL}2"], EVIL) == elements(["a", "b"], "m")


def test_page_allows_its_own_script_alone() -> None:
    tree = parser.fromstring(page(analysed(*small())))
    script = tree.findall(".//script")[-1].text
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in tree.find(".//meta[@http-equiv]").get("content")


def test_page_loads_nothing() -> None:
    text = page(analysed(*small()))
    assert not re.search(r"(?:src|href)=[\"'](?!#)|url\(|@import|https?://", text)
    assert "default-src 'none'" in parser.fromstring(text).find(".//meta[@http-equiv]").get("content")
    assert "innerHTML" not in text


def test_page_of_the_same_value_is_the_same() -> None:
    assert page(analysed(*small())) == page(analysed(*small()))


def test_page_carries_equal_answers_and_passages_once() -> None:
    details = data(page(analysed(*small())), "details")
    assert details[0]["routes"][0] is None  # the router's answer is that of chunk_rag
    assert details[0]["choice"] == 1
    assert details[0]["groups"] == [{"title": "Both routes agree", "said": [[1], [2]]}]
    assert len(details[0]["passages"]) == 1


def test_page_opens_with_the_answers_whatever_the_number_of_questions() -> None:
    for value in (analysed(*small()), analysed(*many())):
        tree = parser.fromstring(page(value))
        assert tree.find(".//main/section").get("id") == "answers"
        assert len(data(page(value), "details")) == len(value["items"])


def test_page_of_few_questions_shows_no_accuracy() -> None:
    questions, stored = small()
    text = parser.fromstring(page(analysed(questions, stored))).find(".//main").text_content()
    assert not re.search("accuracy|95%|McNemar|oracle|judge", text)
    assert " ".join(text.split("All questions")[1].split())[:200].count("of 4") == 6
    without = [replace(one, answers=(), unanswerable=False) for one in questions]
    text = parser.fromstring(page(analysed(without, stored))).find(".//main").text_content()
    assert not re.search("accuracy|95%|McNemar|oracle", text)
    assert "judge: the embedded backend's own verdict" in text


def test_page_of_many_judged_questions_shows_verdicts_and_no_scores() -> None:
    questions, stored = many()
    for one in stored.values():
        one["verdict"] = "yes" if one["answer"] else None
    text = page(analysed([replace(one, answers=(), unanswerable=False) for one in questions], stored))
    tree = parser.fromstring(text)
    assert not re.search("accuracy|95%|McNemar|oracle", tree.find(".//main").text_content())
    assert [option.get("value") for option in tree.findall(".//select[@id='filter']/option")] == ["all", "disagree"]
    assert {score for item in data(text, "items")["items"] for score in item["scores"]} == {None}
    assert data(text, "details")[0]["costs"]["heads"][-1] == "judge"


def test_page_counts_offsets_in_utf16() -> None:
    questions, stored = small()
    stored["1", "chunk_rag"]["citations"][0]["around"] = {"text": "🦭🦭 Ann 🦭", "start": 3, "end": 6}
    [passage, _] = data(page(analysed(questions, stored)), "details")[0]["passages"]
    units = passage["text"].encode("utf-16-le")
    assert units[2 * passage["start"] : 2 * passage["end"]].decode("utf-16-le") == "Ann"


def test_page_shows_a_file_name_that_is_not_utf8_with_a_replacement_character() -> None:
    text = page(value_with("\udcff\0"))
    text.encode("utf-8")
    assert "\0" not in text
    assert data(text, "details")[0]["routes"][1]["citations"][0]["place"] == "[1] docs/\ufffd:1"


@pytest.mark.parametrize(("value", "charts"), [(analysed(*small()), 0), (analysed(*many()), 4)])
def test_page_has_every_section_linked_and_every_chart_titled(value: dict[str, Any], charts: int) -> None:
    tree = parser.fromstring(page(value))
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    sections = [section.get("id") for section in tree.findall(".//main/section")]
    assert [link.get("href").removeprefix("#") for link in tree.findall(".//nav/a")] == sections
    for chart in tree.findall(".//svg"):
        assert chart.get("aria-hidden") or chart.find("title").text
    assert len([chart for chart in tree.findall(".//svg") if chart.get("role") == "img"]) == charts
