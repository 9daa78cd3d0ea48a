"""The answers to a question side by side: which routes agree, what each says, read and cost, and the router's choice.

Of a router that took over the answer of a constant route (``same_as``), that route is marked; elsewhere the router is
a route of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lcrag.report.figures import fixed, number, percent
from lcrag.report.plans import options_text
from lcrag.report.text import place_text
from lcrag.types import Citation

ROUTER: Final = "router"
BUILT_IN: Final = "built-in"
"""The names of profiles that nobody measured begin so."""
POINTS: Final = (
    "Coverage: the share of the points that a good answer needs which what was read supports."
    " Density: coverage for each 1,000 tokens read."
)
NO_ANSWER: Final[Mapping[str, str]] = {
    "not_found": "not in these documents",
    "not_retrieved": "not in what was read",
}

Value = Mapping[str, Any]
"""Of ``lcrag.compare/1`` a part: an item, or a route's answer in it."""


@dataclass(frozen=True, slots=True)
class Table:
    """``heads`` of the columns after the route's name; of each route its name, whether it is marked, its cells."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, bool, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Routes that agree. ``title``: who, and what they say in short; ``said``: its routes, those with the same text and
    sources together."""

    title: str
    said: tuple[tuple[str, ...], ...]


def routes(item: Value) -> list[str]:
    """The routes that are shown, in order."""
    return [name for name, answer in item["routes"].items() if not answer["same_as"]]


def choice(item: Value) -> str:
    """The route whose answer a user gets who names none."""
    return item["routes"][ROUTER]["same_as"] or ROUTER


def groups(item: Value) -> list[Group]:
    """The groups of an item, each with its title."""
    total, answers = len(routes(item)), item["routes"]
    listed = []
    for group in item["groups"]:
        names = [name for name in group["routes"] if not answers[name]["same_as"]]
        said: dict[tuple[str, ...], list[str]] = {}
        for name in names:
            said.setdefault((said_text(answers[name]), *places(answers[name])), []).append(name)
        listed.append(Group(_title(group, names, total, answers), tuple(map(tuple, said.values()))))
    return listed


def _title(group: Value, names: list[str], total: int, answers: Value) -> str:
    status = answers[names[0]]["status"]
    everybody = f"{'Both' if total == 2 else f'All {total}'} routes" if total > 1 else names[0]
    who = everybody if len(names) == total else f"{len(names)} of {total} routes"
    if status == "refused_by_budget":
        return f"{who}: not run"
    if not group["found"]:
        return f"{who}: no answer"
    agree = " agree" if len(names) > 1 else ""
    says = "the documents contradict each other" if status == "contradictory" else group["short"]
    return f"{who}{agree}{f': {says}' if says else ''}"


def said_text(answer: Value) -> str:
    """What a route says, or why it says nothing."""
    return str(answer["reason"] or NO_ANSWER.get(answer["status"]) or answer["answer"])


def says_nothing(answer: Value) -> bool:
    """Whether ``said_text`` is a reason instead of an answer."""
    return bool(answer["reason"]) or answer["status"] in NO_ANSWER


def places(answer: Value) -> list[str]:
    """The sources of an answer with their markers, each place once: ``[1][3] docs/a.md:7``."""
    markers: dict[str, str] = {}
    for citation in answer["citations"]:
        text = place(citation)
        markers[text] = f"{markers.get(text, '')}[{citation['marker']}]"
    return [f"{marked} {text}" for text, marked in markers.items()]


def place(citation: Value) -> str:
    """Where a quote is: ``docs/a.md:7``."""
    known = {key: citation[key] for key in ("marker", "source", "start", "end", "quote", "line", "page", "part")}
    return place_text(Citation(document_id="", **known))


def label(name: str, answer: Value) -> str:
    """The route with the options that it took; of the router what it planned, and what followed."""
    options = options_text(answer["options"] or {})
    taken = f" ({options})" if options else ""
    if name != ROUTER:
        return f"{name}{taken}"
    later = "".join(f", then {step}" for step in answer["steps"][1:])
    return f"{name}: {answer['pipeline']}{taken}{later}" if answer["pipeline"] else name


def labels(item: Value, names: Sequence[str]) -> str:
    """Several routes on one line, the router's choice with a star."""
    marked = choice(item)
    return ", ".join(f"{'*' if name == marked else ''}{label(name, item['routes'][name])}" for name in names)


def verdict(item: Value, name: str) -> str:
    """Whether the answer is right, by its gold answer; of a judged item the judge's word; "" where neither is known."""
    answer = item["routes"][name]
    if item["metric"] == "judge":
        return answer["verdict"] or "–"
    if answer["score"] is None:
        return ""
    return {0.0: "wrong", 1.0: "right"}.get(answer["score"], f"{answer['score']:.2f}")


def gold(item: Value) -> str:
    """The right answer; "" where nobody knows it."""
    return "there is no answer in the documents" if item["unanswerable"] else " · ".join(item["answers"])


def costs(value: Value, item: Value, *, whole: bool) -> Table:
    """What each route read and took next to what was forecast, and whether it was right where that is known.

    ``whole``: with calls and tokens written.
    """
    judged = () if item["metric"] is None else ("judge",) if item["metric"] == "judge" else ("answer",)
    more = ("calls", "written") if whole else ()
    heads = ("read", "sent", "forecast", "seconds", "forecast", *more, "P(correct)", *judged)
    rows = []
    for name in routes(item):
        answer = item["routes"][name]
        forecast = answer["forecast"] or {"input_tokens": None, "seconds": None, "quality": None}
        approximate = "" if forecast["quality"] is None or measured(value) else "~"
        cells = (
            number(answer["read"]),
            number(answer["input_tokens"]),
            number(forecast["input_tokens"]),
            fixed(answer["seconds"]),
            fixed(forecast["seconds"]),
            *((number(answer["calls"]), number(answer["output_tokens"])) if whole else ()),
            f"{approximate}{fixed(forecast['quality'])}",
            *((verdict(item, name),) if judged else ()),
        )
        rows.append((name, name == choice(item), cells))
    return Table(heads, tuple(rows))


def totals(value: Value) -> Table:
    """Over all scored questions: how many each route got right, or its judge found sufficient, and its mean cost."""
    scored = value["questions"]
    rows = tuple(
        (
            row["pipeline"],
            row["pipeline"] == ROUTER,
            (
                f"{row['accuracy'] * scored:.3g} of {scored:,}",
                f"{(1 - row['not_found'] - row['refused']) * scored:.0f} of {scored:,}",
                number(row["input_tokens"]),
                fixed(row["seconds"]),
            ),
        )
        for row in (value["router"], *value["routes"])
    )
    return Table(("judge: yes" if value["scoring"]["judged"] else "right", "answered", "sent", "seconds"), rows)


def points(value: Value) -> Table | None:
    """Of each route how much of the points that are needed it read; None where no question names points."""
    if value["points"] is None:
        return None
    rows = tuple(
        (
            row["pipeline"],
            row["pipeline"] == ROUTER,
            (percent(row["coverage"]), fixed(row["density"]), number(row["read"])),
        )
        for row in value["points"]["routes"]
    )
    return Table(("coverage", "density", "read"), rows)


def measured(value: Value) -> bool:
    """Whether the forecasts of P(correct) in this comparison come from a measured profile."""
    return not str(value["made_with"].get("profile", BUILT_IN)).startswith(BUILT_IN)


def legend(value: Value) -> list[str]:
    """What the marks and columns of the view mean."""
    marks = [
        "* the router's choice, which lcrag ask takes",
        "read: tokens of the documents; sent: tokens of all prompts; forecast: of sent, of seconds",
    ]
    return marks if measured(value) else [*marks, "~ not measured: lcrag calibrate measures it"]


def judge_note(value: Value) -> str:
    """What a judge's verdicts are, where the comparison has them; else ""."""
    if not value["scoring"]["judged"]:
        return ""
    return (
        f"judge: the {value['made_with']['backend']} backend's own verdict on whether the passages that an answer cites"
        " suffice to answer. It is no measure of what is right."
    )
