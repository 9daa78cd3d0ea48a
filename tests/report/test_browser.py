"""The page in a real browser: no errors, no overflow; answers, sorting, filters, by mouse and keyboard; quick."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chromium import chromium, find, needs_chromium, open_page
from support.results import HEADER, question, row

from lcrag.comparison.analysis import analyse
from lcrag.report.page import page

pytestmark = needs_chromium

ROUTES = ("chunk_rag", "compression", "full_context", "chain_of_agents", "escalate")
EVIL = "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def value(number: int, gold: bool = True) -> dict[str, Any]:
    """Questions whose answers differ from route to route, with text that would run if it were not escaped."""
    questions = [question(str(at), *(("Ann",) if gold else ()), dataset="ab"[at % 2]) for at in range(number)]
    rows = {}
    for at, asked in enumerate(questions):
        for place, route in enumerate((*ROUTES, "router")):
            answer = f"{'Ann' if (at + place) % 3 else 'Ben'} said {at}. {EVIL} [1]" if (at + place) % 7 else ""
            text = f"{'Before it. ' * 20}{EVIL}Ann{' After it.' * 20}"
            start = text.index("Ann")
            stored = row(asked.id, route, answer, same_as=None)
            stored["forecast"]["quality"] = ((at * 7 + place * 3) % 10) / 10
            stored["estimate"] = {"diffusion": at % 10 / 10, "scope_tokens": 20 * (at % 60)}
            for citation in stored["citations"]:
                citation["around"] = {
                    "text": f"{at} {text}",
                    "start": start + len(f"{at} "),
                    "end": start + len(f"{at} ") + 3,
                }
            rows[asked.id, route] = stored
    return analyse(questions, rows, ROUTES, seed=0, header=HEADER)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(value(60)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "few.html"
    path.write_text(page(value(3, gold=False)), encoding="utf-8")
    return path


def show(browser: Any, path: Path, width: int = 1280, dark: bool = False) -> float:
    """Open the page at this width; returns the seconds until its table is there."""
    begun = time.perf_counter()
    open_page(browser, path.as_uri(), width, dark)
    return time.perf_counter() - begun


def click(browser: Any, css: str) -> None:
    browser.execute_script("arguments[0].click()", find(browser, css)[0])


def column(browser: Any, label: str) -> list[str]:
    return [cell.get_attribute("textContent") for cell in find(browser, f'#rows td[data-label="{label}"]')]


@pytest.mark.parametrize("size", ["small", "few"])
@pytest.mark.parametrize("width", [1280, 768, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_page_has_no_error_and_nothing_wider_than_itself(
    browser: Any, small: Path, few: Path, size: str, width: int, dark: bool
) -> None:
    show(browser, {"small": small, "few": few}[size], width, dark)
    for button in find(browser, ".open")[:2]:
        browser.execute_script("arguments[0].click()", button)
    browser.execute_script("document.querySelectorAll('#cards details').forEach((one) => (one.open = true))")
    assert browser.execute_script("return innerWidth") == width
    assert browser.execute_script("const e = document.documentElement; return e.scrollWidth <= e.clientWidth")
    assert browser.get_log("browser") == []
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(21, 23, 26)") == dark


def test_page_does_not_run_the_text_of_documents(browser: Any, small: Path) -> None:
    show(browser, small)
    for button in find(browser, ".open")[:5]:
        browser.execute_script("arguments[0].click()", button)
    assert browser.title.startswith("lcrag compare")
    assert find(browser, "img, iframe, object, main script") == []
    assert EVIL in find(browser, ".route-answer .answer")[0].text
    assert EVIL in find(browser, ".route-answer blockquote")[0].get_attribute("textContent")


def test_page_of_few_questions_opens_with_all_answers_grouped_and_the_routers_choice_marked(
    browser: Any, few: Path
) -> None:
    show(browser, few)
    assert [card.text for card in find(browser, ".card h3")] == [f"{at + 1}. Question {at}?" for at in range(3)]
    first = ".card:first-child"
    assert [head.text for head in find(browser, f"{first} .group h4")] == [
        *("4 of 6 routes agree", "1 of 6 routes", "1 of 6 routes: no answer"),
    ]
    names = [name.text.split()[0].rstrip(":") for name in find(browser, f"{first} .name")]
    assert sorted(names) == sorted(["router", *ROUTES])
    assert len(find(browser, f"{first} .choice")) == 1
    assert len(find(browser, f"{first} table tbody tr")) == 6
    assert find(browser, "#questions, .pager") == []
    assert find(browser, f"{first} mark")[0].text == ""  # closed
    click(browser, f"{first} summary")
    assert find(browser, f"{first} mark")[0].text == "Ann"


def test_page_of_many_questions_opens_with_the_answers_to_one_at_a_time(browser: Any, small: Path) -> None:
    show(browser, small)
    assert [card.text for card in find(browser, ".card h3")] == ["1. Question 0?"]
    assert find(browser, "#previous")[0].get_attribute("disabled")
    find(browser, "#next")[0].send_keys("\ue007")  # Enter
    assert [card.text for card in find(browser, ".card h3")] == ["2. Question 1?"]
    assert find(browser, "#shown")[0].text == "Question 2 of 60"
    assert find(browser, ".card .s1, .card .s0") != []


def test_question_opens_to_its_answers_and_marked_citations(browser: Any, small: Path) -> None:
    show(browser, small)
    [opened] = find(browser, ".open")[:1]
    opened.send_keys("\ue007")  # Enter
    assert opened.get_attribute("aria-expanded") == "true"
    names = [name.text.split()[0].rstrip(":") for name in find(browser, ".detail .name")]
    assert sorted(names) == sorted(["router", *ROUTES])
    browser.execute_script("document.querySelectorAll('.detail details').forEach((one) => (one.open = true))")
    assert {mark.text for mark in find(browser, ".detail mark")} == {"Ann"}
    assert find(browser, f"#{opened.get_attribute('aria-controls')}") != []
    opened.send_keys(" ")
    assert opened.get_attribute("aria-expanded") == "false"
    assert find(browser, ".detail") == []


def test_table_sorts_both_ways(browser: Any, small: Path) -> None:
    show(browser, small)
    head = '.questions th[data-key="diffusion"]'
    click(browser, f"{head} .sort")
    shown = [float(text) for text in column(browser, "diffusion")]
    assert shown == sorted(shown)
    assert find(browser, head)[0].get_attribute("aria-sort") == "ascending"
    click(browser, f"{head} .sort")
    shown = [float(text) for text in column(browser, "diffusion")]
    assert shown == sorted(shown, reverse=True)
    assert find(browser, head)[0].get_attribute("aria-sort") == "descending"


def test_table_searches_and_filters(browser: Any, small: Path) -> None:
    show(browser, small)
    assert find(browser, "#count")[0].text == "1–25 of 60"
    click(browser, "#after")
    assert find(browser, "#count")[0].text == "26–50 of 60"
    find(browser, "#search")[0].send_keys("said 17.")
    wait(lambda: find(browser, "#count")[0].text == "1–1 of 1")
    assert "Question 17?" in find(browser, "#rows")[0].text
    find(browser, "#search")[0].clear()
    find(browser, "#search")[0].send_keys("no such word")
    wait(lambda: find(browser, "#count")[0].text == "0–0 of 0")
    browser.execute_script("arguments[0].value = ''", find(browser, "#search")[0])
    choose(browser, "filter", "wrong")
    assert all("wrong" in text or "nothing" in text for text in column(browser, "router"))
    choose(browser, "filter", "right")
    assert all("right" in text for text in column(browser, "router"))
    choose(browser, "filter", "all")
    choose(browser, "filter", "disagree")
    assert find(browser, "#rows tr") != []
    choose(browser, "filter", "all")
    choose(browser, "source", "b")
    assert find(browser, "#count")[0].text == "1–25 of 30"


def choose(browser: Any, id: str, option: str) -> None:
    script = (
        "const e = document.getElementById(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('change'))"
    )
    browser.execute_script(script, id, option)


def wait(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_page_is_reached_by_keyboard_and_every_control_has_a_name(browser: Any, small: Path) -> None:
    show(browser, small)
    for css in ("a", "button", "input", "select", '[tabindex="0"]'):
        for element in filter(lambda element: element.is_displayed(), find(browser, css)):
            assert element.accessible_name, element.get_attribute("outerHTML")
    browser.execute_script("document.activeElement.blur()")
    body = find(browser, "body")[0]
    body.send_keys("\ue004")  # Tab
    assert browser.execute_script("return document.activeElement.className") == "skip"


@pytest.mark.slow
def test_page_of_two_thousand_questions_opens_at_once(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "big.html"
    path.write_text(page(value(2000)), encoding="utf-8")
    assert path.stat().st_size > 5_000_000
    seconds = min(show(browser, path) for _ in range(3))
    rows = find(browser, "#rows tr")
    assert len(rows) == 25
    assert seconds < 20  # 0.6 s on an idle machine
