"""The page in a real browser, wide and narrow, light and dark: an answer, the passages behind it, the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.chromium import chromium, find, needs_chromium, open_page
from support.scripted import KEEPER, QuestionBackend
from support.web import TOKEN, Served, served, until

pytestmark = needs_chromium

EVIL = "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Documents, a file name and a reply that would run if they were not escaped."""
    folder = tmp_path_factory.mktemp("hostile") / "docs"
    folder.mkdir()
    (folder / "<img src=x onerror=alert(1)>.md").write_text(f"Anna said {EVIL} to the keeper.\n")
    backend = QuestionBackend()
    backend.script(lambda task: f"Anna said {EVIL} to the keeper. [1]")
    with served(folder, backend) as running:
        yield running


def ask(browser: Any, server: Served, question: str, width: int = 1280, dark: bool = False) -> None:
    browser.get("about:blank")  # a change of the fragment alone loads nothing
    open_page(browser, f"{server.url}/#token={TOKEN.replace(' ', '%20')}", width, dark)
    box = find(browser, "#question")[0]
    box.send_keys(question)
    box.send_keys("\ue007")  # Enter
    until(lambda: find(browser, "#send")[0].is_enabled())


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_page_answers_within_its_width(browser: Any, server: Served, width: int, dark: bool) -> None:
    ask(browser, server, "who?", width, dark)
    for button in find(browser, ".source > button"):
        button.click()
    until(lambda: find(browser, "#sources mark"))
    assert browser.execute_script("return innerWidth") == width
    assert browser.execute_script("const e = document.documentElement; return e.scrollWidth <= e.clientWidth")
    assert browser.get_log("browser") == []
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(21, 23, 26)") == dark


def test_page_shows_the_passage_behind_a_marker(browser: Any, server: Served) -> None:
    ask(browser, server, "who?")
    assert find(browser, "#said")[0].text == f"{KEEPER} [1]."
    [source] = find(browser, ".source > button")
    assert source.text.endswith("a.md:3")
    [marker] = find(browser, "#said button")
    marker.send_keys("\ue007")
    until(lambda: find(browser, "#sources mark"))
    assert "The keeper of the light was" in find(browser, "#sources mark")[0].text
    assert "The light on the Calf cost" in find(browser, "#sources blockquote")[0].text
    assert source.get_attribute("aria-expanded") == "true"
    source.click()
    until(lambda: not find(browser, "#sources blockquote"))
    assert source.get_attribute("aria-expanded") == "false"


def test_page_shows_the_plan_as_a_chart_and_a_table(browser: Any, server: Served) -> None:
    ask(browser, server, "who?")
    until(lambda: find(browser, "#plan svg"))
    assert len(find(browser, "#plan svg circle.router")) == 1
    assert len(find(browser, "#plan svg circle")) == len(find(browser, "#plan tbody tr"))
    assert "P(correct)" in find(browser, "#plan svg")[0].get_attribute("textContent")


def test_page_says_what_is_wrong(browser: Any, server: Served) -> None:
    ask(browser, server, "backend")
    assert find(browser, "#note")[0].text == "the backend failed three times: lcrag doctor"
    assert not find(browser, "#cited")[0].is_displayed()
    ask(browser, server, "nowhere")
    assert find(browser, "#said")[0].text.startswith("Not in ")
    assert not find(browser, "#cited")[0].is_displayed()


def test_page_keeps_the_token_out_of_the_address_and_asks_for_a_wrong_one(browser: Any, server: Served) -> None:
    ask(browser, server, "who?")
    assert TOKEN.split()[1] not in browser.current_url
    browser.execute_script("sessionStorage.setItem('token', 'wrong')")
    find(browser, "#send")[0].click()
    until(lambda: find(browser, "#token")[0].is_displayed())
    assert "the token is missing or wrong" in find(browser, "#note")[0].text
    find(browser, "#token")[0].send_keys(TOKEN)
    find(browser, "#send")[0].click()
    until(lambda: find(browser, "#said")[0].text == f"{KEEPER} [1].")


def test_page_does_not_run_the_text_of_documents(browser: Any, hostile: Served) -> None:
    ask(browser, hostile, "What did Anna say to the keeper?")
    find(browser, ".source > button")[0].click()
    until(lambda: find(browser, "#sources mark"))
    assert browser.title == "lcrag"
    assert EVIL in find(browser, "#said")[0].text
    assert find(browser, "main img, main script, iframe") == []
    assert browser.get_log("browser") == []


def test_page_is_reached_by_keyboard_and_every_control_has_a_name(browser: Any, server: Served) -> None:
    ask(browser, server, "who?")
    for css in ("a", "button", "input", "select", "textarea"):
        for element in filter(lambda element: element.is_displayed(), find(browser, css)):
            assert element.accessible_name, element.get_attribute("outerHTML")


def test_api_page_has_nothing_wider_than_itself(browser: Any, server: Served) -> None:
    browser.get(f"{server.url}/api")
    assert "POST /v1/chat/completions" in find(browser, "main")[0].text
    assert browser.execute_script("const e = document.documentElement; return e.scrollWidth <= e.clientWidth")
    assert browser.get_log("browser") == []
