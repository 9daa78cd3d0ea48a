"""An answer as a page: sections, markers that open passages, and text of documents that stays text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import html
from support.chromium import chromium, find, needs_chromium, resize

from lcrag.report.answer_page import answer_page
from lcrag.types import Answer, Citation, Document, Statement, Usage

EVIL = "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
WALL = "The sea wall was begun in 1959."
COST = "The repair cost £96,000."
TEXT = f"# The wall {EVIL}\n\nIt was long planned. {WALL} {EVIL} Then it rained.\n\n{COST}\n"
REPORT = f"## How it was built\n\n{WALL} [1]\n\n## What it <b>cost</b>\n\n{COST} [2] It was worth it."


def citation(marker: int, quote: str) -> Citation:
    start = TEXT.index(quote)
    return Citation(marker, "d", f"docs/{EVIL[:9]}wall.md", start, start + len(quote), quote, 3, None)


def report(text: str = REPORT, **more: Any) -> Answer:
    end = text.index("It was worth") if "It was worth" in text else 0
    statements = (Statement(end, len(text), False, ()),) if end else ()
    values: dict[str, Any] = {"statements": statements} | more
    return Answer(text, "answered", (citation(1, WALL), citation(2, COST)), Usage(calls=3), 900, **values)


def page(answer: Answer, question: str = "Write a report on the sea wall.") -> str:
    return answer_page(question, answer, {"d": Document("d", "docs/wall.md", TEXT)}.__getitem__)


def test_page_lists_the_sections_of_a_report() -> None:
    made = page(report())
    assert '<li><a href="#section-1">How it was built</a></li>' in made
    assert '<h2 id="section-2">What it &lt;b&gt;cost&lt;/b&gt;</h2>' in made
    assert '<a href="#section-2">What it &lt;b&gt;cost&lt;/b&gt;</a>' in made
    assert "Contents" not in page(report(f"{WALL} [1]"))


def test_page_shows_each_quote_in_its_passage() -> None:
    made = page(report())
    assert 'popovertarget="passage-2"' in made
    passage = made[made.index('<aside id="passage-1"') :]
    assert f"It was long planned. <mark>{WALL}</mark>" in passage
    assert "docs/&lt;/script&gt;wall.md:3" in passage


def test_page_says_what_is_without_support() -> None:
    made = page(report())
    assert "It was worth it. [unsupported]" in made
    assert "1 sentence, 1 without support" in made


def test_page_has_no_markup_but_its_own() -> None:
    made = page(
        report(f"{EVIL} [1] [9] ![x](http://a.example/x.png) [y](javascript:alert)\n\n[1]: http://b.example"), EVIL
    )
    elements = list(html.document_fromstring(made).iter())
    assert not {"script", "img", "iframe"} & {element.tag for element in elements}
    assert {name for element in elements for name in element.attrib if name.startswith(("src", "on"))} == set()
    assert all(element.get("href", "#").startswith("#") for element in elements)
    assert "[9]" in made
    assert "[y](javascript:alert)" in made
    assert "[1]</button>: http://b.example" in made


def test_page_of_lists_and_tables_is_not_raw_markdown() -> None:
    made = page(report("- **first** [1]\n- second\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"))
    assert "<li><strong>first</strong>" in made
    assert "<td>2</td>" in made


def test_page_of_no_answer_says_so() -> None:
    made = page(Answer("", "not_found", (), Usage(), 900), "Who?")
    assert "Not in these documents." in made
    assert "Sources" not in made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@needs_chromium[0]
@needs_chromium[1]
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_marker_opens_its_passage_within_the_page(browser: Any, tmp_path: Path, width: int, dark: bool) -> None:
    path = tmp_path / "report.html"
    path.write_text(page(report(f"{REPORT}\n\n" + f"{COST} [2] " * 200)), encoding="utf-8")
    resize(browser, width, dark)
    browser.get(path.as_uri())
    find(browser, "article .marker")[1].click()
    [passage] = find(browser, ":popover-open")
    assert f"{COST}" in passage.find_element("css selector", "mark").text
    box = passage.rect
    assert 0 <= box["x"] <= width - box["width"]
    assert browser.execute_script("const e = document.documentElement; return e.scrollWidth <= e.clientWidth")
    assert browser.title == "Write a report on the sea wall."
    assert browser.get_log("browser") == []
    background = browser.execute_script("return getComputedStyle(arguments[0]).backgroundColor", passage)
    assert (background == "rgb(27, 30, 34)") == dark
