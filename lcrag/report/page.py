"""A comparison as one page for a browser: nothing is loaded from anywhere, and text of documents stays text.

Summary, tables and charts are made here; the table of questions is made by the page's script from data that the page
carries, a page of rows at a time, so that thousands of questions open at once. The script may run by its hash alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from lcrag.report import comparison
from lcrag.report import sections as html_parts
from lcrag.report.comparison import count
from lcrag.report.markup import Markup, printable, tag

Value = Mapping[str, Any]

SECTIONS: Final = (
    ("summary", "Summary"),
    ("routes", "Routes"),
    ("cost", "Accuracy against cost"),
    ("where", "Where each route wins"),
    ("trust", "Forecasts and seconds"),
    ("pairs", "Differences"),
    ("questions", "Questions"),
    ("method", "Method"),
)


def page(value: Value) -> str:
    """``lcrag.compare/1`` as a whole HTML document; the same value gives the same bytes."""
    script, style = _asset("report.js"), _asset("report.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"lcrag compare: {comparison.headline(value)}"),
        tag("style", Markup(style)),
    )
    light, heavy = _data(value)
    body = tag(
        "body",
        tag("a", "Skip to the questions", href="#questions", class_="skip"),
        _header(value),
        tag(
            "main",
            html_parts.summary(value),
            html_parts.routes(value),
            html_parts.cost(value),
            html_parts.where(value),
            html_parts.trust(value),
            html_parts.pairs(value),
            _questions(value),
            html_parts.method(value),
        ),
        tag("script", _json(light), type="application/json", id="items"),
        tag("script", _json(heavy), type="application/json", id="details"),
        tag("script", Markup(script)),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _header(value: Value) -> Markup:
    links = [tag("a", name, href=f"#{place}") for place, name in SECTIONS[1:]]
    return tag(
        "header",
        tag("h1", "Which route answers best?"),
        tag("p", f"{comparison.headline(value)}; {comparison.scored_by(value)}.", class_="quiet"),
        tag("nav", links, aria_label="Parts of this page"),
    )


def _questions(value: Value) -> Markup:
    names = html_parts.names(value)
    sources = sorted({item["dataset"] for item in value["items"]})
    options = (
        ("all", "all questions"),
        ("wrong", "the router is wrong"),
        ("right", "the router is right"),
        ("regret", "another route does better than the router"),
        ("disagree", "routes disagree"),
        ("hopeless", "every route is wrong"),
        ("absent", "there is no answer in the documents"),
    )
    controls = [
        tag(
            "label",
            "Search questions and answers",
            tag("input", type="search", id="search", autocomplete="off"),
            class_="wide",
        ),
        tag("label", "Show", tag("select", [tag("option", text, value=key) for key, text in options], id="filter")),
    ]
    if len(sources) > 1:
        listed = [tag("option", "every source", value=""), *(tag("option", name, value=name) for name in sources)]
        controls.append(tag("label", "Source", tag("select", listed, id="source")))
    columns = [("question", "question"), ("diffusion", "diffusion"), ("scope", "scope")]
    columns += [(f"route-{place}", name) for place, name in enumerate(names)]
    heads = [
        tag(
            "th",
            tag("button", html_parts.breakable(name), type="button", class_="sort"),
            scope="col",
            data_key=key,
            aria_sort="none",
        )
        for key, name in columns
    ]
    return tag(
        "section",
        tag("h2", "Questions"),
        tag(
            "p",
            "● right, ○ wrong, – nothing found, a fraction where the measure has degrees. Open a question for its "
            "answers and the passages that they cite.",
            class_="quiet",
        ),
        tag("div", controls, class_="controls", role="search"),
        tag(
            "div",
            tag("table", tag("thead", tag("tr", heads)), tag("tbody", id="rows"), class_="questions"),
            class_="scroll",
            tabindex=0,
            role="region",
            aria_label="Questions",
        ),
        tag(
            "div",
            tag("button", "Back", type="button", id="before"),
            tag("button", "Next", type="button", id="after"),
            tag("span", count(len(value["items"]), "question"), id="count", role="status", aria_live="polite"),
            class_="pager",
        ),
        id="questions",
    )


def _data(value: Value) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the table needs at once, and what it needs when a question is opened or searched for."""
    names = html_parts.names(value)
    light = [
        {
            "id": item["id"],
            "question": item["question"],
            "dataset": item["dataset"],
            "metric": item["metric"],
            "gold": item["answers"],
            "unanswerable": item["unanswerable"],
            "tokens": item["tokens"],
            "diffusion": item["diffusion"],
            "scope": item["scope_tokens"],
            "scores": [item["routes"][name]["score"] for name in names],
            "statuses": [item["routes"][name]["status"] for name in names],
        }
        for item in value["items"]
    ]
    return {"routes": names, "items": light}, [_answers(item, names) for item in value["items"]]


def _answers(item: Value, names: list[str]) -> dict[str, Any]:
    """A question's answers. Routes often cite the same passage, which is carried once."""
    passages: dict[str, int] = {}
    held: list[dict[str, Any]] = []
    said = []
    for name in names:
        one = item["routes"][name]
        citations = []
        for citation in [] if one["same_as"] else one["citations"]:
            key = json.dumps(citation["around"])
            if key not in passages:
                passages[key] = len(held)
                held.append(_utf16(citation["around"]))
            kept = {field: citation[field] for field in ("marker", "source", "line", "page")}
            citations.append(kept | {"passage": passages[key]})
        said.append(
            {
                "answer": None if one["same_as"] else one["answer"],
                "took": _took(one),
                **{key: one[key] for key in ("same_as", "input_tokens", "seconds", "predicted", "evidence", "verdict")},
                "citations": citations,
            }
        )
    return {"routes": said, "passages": held}


def _took(one: Value) -> str:
    """The plan's route with its options, and what was run for it where that is something else."""
    options = " ".join(f"{key} {option}" for key, option in (one["options"] or {}).items())
    plan = f"{one['pipeline'] or ''} {options}".strip()
    return plan if one["steps"] in ([], [one["pipeline"]]) else f"{plan}: {' → '.join(one['steps'])}"


def _utf16(around: Value) -> dict[str, Any]:
    """The passage with its places counted as the script counts them, in units of UTF-16."""
    text, start, end = around["text"], around["start"], around["end"]

    def units(part: str) -> int:
        return len(part.encode("utf-16-le", "surrogatepass")) // 2

    return {"text": text, "start": units(text[:start]), "end": units(text[:end])}


def _json(value: object) -> Markup:
    """JSON that cannot end the script element it stands in, nor begin another one."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029")):
        text = text.replace(character, escaped)
    return Markup(printable(text))


@cache
def _asset(name: str) -> str:
    return files("lcrag.report").joinpath("assets", name).read_text(encoding="utf-8")
