"""The parts of a comparison's page, each a section: a sentence that says what to look for, a chart, its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from lcrag.report import charts as svg
from lcrag.report import comparison
from lcrag.report.comparison import count, number, p_value, percent
from lcrag.report.markup import Child, Markup, tag

Value = Mapping[str, Any]

ROUTER: Final = "router"
MANY: Final = 12
"""More groups than this are folded away."""


def names(value: Value) -> list[str]:
    """The router, then the constant routes."""
    return [ROUTER, *(row["pipeline"] for row in value["routes"])]


def breakable(name: str) -> list[Child]:
    """A name that may break after its underscores."""
    first, *rest = name.split("_")
    return [first, *((Markup("_<wbr>"), part) for part in rest)]


def summary(value: Value) -> Markup:
    """The figures that matter and what they allow to be said."""
    router, best, oracle = value["router"], value["constant_best"], value["oracle"]
    judged = " (judged)" if value["scoring"]["judged"] else ""
    shown = (
        (f"router{judged}", f"{router['accuracy']:.3f}", f"95% {comparison.interval(router['ci95'])}", "lead"),
        (
            f"best constant: {best['pipeline']}",
            f"{best['accuracy']:.3f}",
            f"95% {comparison.interval(best['ci95'])}",
            "",
        ),
        ("oracle", f"{oracle['accuracy']:.3f}", "the best route of each question, known afterwards", ""),
        (
            "tokens a question, router",
            number(router["input_tokens"]),
            f"{best['pipeline']} {number(best['input_tokens'])}",
            "",
        ),
    )
    figures = [
        tag("div", tag("dt", name), tag("dd", figure, tag("small", more)), class_=style or None)
        for name, figure, more, style in shown
    ]
    first, *others = comparison.verdicts(value)
    return tag(
        "section",
        tag("h2", "Summary", class_="vh"),
        tag("dl", figures, class_="figures"),
        tag("p", first, class_="verdict"),
        [tag("p", sentence) for sentence in others],
        id="summary",
    )


COLUMNS: Final[tuple[tuple[str, Callable[[Value], str]], ...]] = (
    ("tokens", lambda row: number(row["input_tokens"])),
    ("seconds", lambda row: f"{row['seconds']:.2f}"),
    ("tokens per correct", lambda row: number(row["tokens_per_correct"])),
    (
        "seconds per correct",
        lambda row: "–" if row["seconds_per_correct"] is None else f"{row['seconds_per_correct']:.1f}",
    ),
    ("not found", lambda row: percent(row["not_found"])),
    ("false found", lambda row: percent(row.get("false_found"))),
    ("false refused", lambda row: percent(row.get("false_refused"))),
    ("evidence read", lambda row: percent(row.get("evidence_read"))),
    ("citation recall", lambda row: percent(row.get("citation_recall"))),
    ("citation precision", lambda row: percent(row.get("citation_precision"))),
    ("exact match", lambda row: percent(row.get("exact"))),
    ("token F1", lambda row: _fraction(row.get("f1"))),
    ("words an answer", lambda row: number(row.get("answer_words"))),
)


def _fraction(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def routes(value: Value) -> Markup:
    listed = comparison.rows(value)
    used = [(name, cell) for name, cell in COLUMNS if any(cell(row) != "–" for _, row in listed)]
    heads = [tag("th", name, scope="col") for name in ("route", "accuracy", "", "95%", *(name for name, _ in used))]
    lines = []
    for place, (kind, row) in enumerate(listed):
        style = kind if kind != "constant" else ""
        last = place + 1 < len(listed) and listed[place + 1][0] != kind
        cells = [
            tag("td", f"{row['accuracy']:.3f}"),
            tag("td", svg.forest(row["accuracy"], row["ci95"], (0, 1), zero=False, kind=kind)),
            tag("td", comparison.interval(row["ci95"])),
            *(tag("td", cell(row)) for _, cell in used),
        ]
        lines.append(tag("tr", tag("th", _name(row), scope="row"), cells, class_=f"{style} {'rule' if last else ''}"))
    return _section(
        "routes",
        "Routes",
        "Each dot is an accuracy with its 95% interval, from 0 to 1. A star: no route costs fewer tokens and scores as "
        "much. Random and oracle are what a blind and an all-knowing choice among the constant routes would give.",
        _scroll(tag("table", tag("thead", tag("tr", heads)), tag("tbody", lines), class_="routes"), "Routes"),
    )


def _name(row: Value) -> str:
    return f"{row['pipeline']} ★" if row.get("pareto") else str(row["pipeline"])


def cost(value: Value) -> Markup:
    figures = []
    for key, front, label in (
        ("input_tokens", "pareto", "tokens a question"),
        ("seconds", "pareto_seconds", "seconds"),
    ):
        points = [
            svg.Point(row["pipeline"], row[key], row["accuracy"], tuple(row["ci95"]), bool(row.get(front)), kind)
            for kind, row in comparison.rows(value)
        ]
        title = f"Accuracy against {label}: " + ", ".join(f"{p.name} {p.score:.2f} for {p.cost:,.3g}" for p in points)
        figures.append(tag("figure", svg.pareto(points, cost=label, title=title)))
    at_once = value["made_with"]["at_once"]
    under = f" Seconds were measured with {at_once} questions at a time." if at_once > 1 else ""
    return _section(
        "cost",
        "Accuracy against cost",
        "Up and to the left is better. The line joins the routes that nothing beats; hollow ones are dominated. "
        f"Whiskers are 95% intervals.{under}",
        tag("div", figures, class_="pair"),
    )


def where(value: Value) -> Markup:
    grid = value["grid"]
    heats = [_heat(name, grid) for name in names(value)] if grid["cells"] else []
    kinds = [kind for kind in ("source", "task", "measure", "length") if len(_groups(value, kind)) > 1]
    tables = [
        tag("details", tag("summary", f"By {kind}"), _breakdown(value, kind), open=len(_groups(value, kind)) <= MANY)
        for kind in kinds
    ]
    return _section(
        "where",
        "Where each route wins",
        "Accuracy by how far down the ranking the evidence lies (diffusion, 0 to 1) and how many tokens of evidence "
        "the answer needs (scope), both as estimated before answering. Small numbers count questions.",
        tag("div", heats, class_="heats"),
        tables,
    )


def _heat(name: str, grid: Value) -> Markup:
    cells = {(cell["diffusion"], cell["scope"]): cell for cell in grid["cells"]}
    down = sorted({place for place, _ in cells}, reverse=True)
    across = sorted({place for _, place in cells})
    lines = []
    for d in down:
        row = [tag("th", f"diffusion {grid['diffusion'][d]}", scope="row")]
        for s in across:
            cell = cells.get((d, s))
            row.append(tag("td", class_="none") if cell is None else _cell(cell["accuracy"][name], cell["n"]))
        lines.append(tag("tr", row))
    heads = [tag("td", class_="none"), *(tag("th", f"scope {grid['scope'][s]}", scope="col") for s in across)]
    return tag(
        "table",
        tag("caption", name),
        tag("thead", tag("tr", heads)),
        tag("tbody", lines),
        class_=f"heat {'router' if name == ROUTER else ''}",
    )


def _cell(share: float, n: int | None) -> Markup:
    style = f"--v:{share:.3f}"
    return tag(
        "td", f"{share:.2f}", tag("small", n) if n else None, style=style, class_="high" if share > 0.55 else None
    )


def _groups(value: Value, kind: str) -> list[Value]:
    return [one for one in value["breakdown"] if one["by"] == kind]


def _breakdown(value: Value, kind: str) -> Markup:
    columns = names(value)
    heads = [tag("th", breakable(text), scope="col") for text in (kind, "questions", *columns)]
    lines = []
    for one in _groups(value, kind):
        scores = one["accuracy"].values()
        best = max(scores) if len(set(scores)) > 1 else None
        cells = [
            tag("td", tag("strong", text) if one["accuracy"][name] == best else text)
            for name in columns
            for text in [f"{one['accuracy'][name]:.3f}"]
        ]
        lines.append(tag("tr", tag("th", one["group"], scope="row"), tag("td", f"{one['n']:,}"), cells))
    table = tag("table", tag("thead", tag("tr", heads)), tag("tbody", lines), class_="sticky")
    return _scroll(table, f"Accuracy by {kind}")


def trust(value: Value) -> Markup:
    bins = value["reliability"]["bins"]
    figures = []
    if bins:
        title = "Observed score against forecast P(correct): " + ", ".join(
            f"{one['predicted']:.2f} gave {one['observed']:.2f}" for one in bins
        )
        figures.append(
            _figure(
                svg.reliability(bins, title=title),
                "P(correct) as forecast and as it came out, over all constant routes; on the dotted line a forecast is "
                f"right. Mean distance {value['reliability']['error']:.3f}.",
            )
        )
    rows = [(row["pipeline"], row["seconds_quantiles"], kind) for kind, row in comparison.rows(value)[:-2]]
    title = "Seconds an answer: " + ", ".join(f"{name} median {quantiles[2]:.2f}" for name, quantiles, _ in rows)
    figures.append(
        _figure(
            svg.latency(rows, title=title),
            "Seconds an answer: the middle half as a bar, its median as a mark, 5% to 95% as a line.",
        )
    )
    return _section(
        "trust",
        "Forecasts and seconds",
        "Can the forecast that the router chooses by be trusted, and how long does one wait?",
        tag("div", figures, class_="pair"),
    )


def _figure(chart: Markup, caption: str) -> Markup:
    return tag("figure", chart, tag("figcaption", caption))


def pairs(value: Value) -> Markup:
    widest = max((max(map(abs, pair["ci95"])) for pair in value["pairs"]), default=1.0) or 1.0
    heads = ("pair", "", "difference", "95%", "p", "after Holm", "d", "wins", "ties", "losses")
    lines = [
        tag(
            "tr",
            tag("th", f"{pair['a']} − {pair['b']}", scope="row"),
            tag("td", svg.forest(pair["difference"], pair["ci95"], (-widest, widest), zero=True, kind=_kind(pair))),
            [
                tag("td", cell)
                for cell in (
                    comparison.signed(pair["difference"]),
                    comparison.span(pair["ci95"]),
                    p_value(pair["p"]),
                    tag("strong", p_value(pair["p_holm"])) if pair["p_holm"] <= 0.05 else p_value(pair["p_holm"]),
                    comparison.signed(pair["effect"], 2),
                    pair["wins"],
                    pair["ties"],
                    pair["losses"],
                )
            ],
        )
        for pair in sorted(value["pairs"], key=lambda pair: (pair["p_holm"], pair["p"]))
    ]
    tests = sorted({pair["test"] for pair in value["pairs"]})
    table = tag(
        "table",
        tag("thead", tag("tr", [tag("th", text, scope="col") for text in heads])),
        tag("tbody", lines),
        class_="sticky",
    )
    return _section(
        "pairs",
        "Differences",
        "Every two on the same questions; the dot is the mean difference, the line its 95% interval. "
        f"{' and '.join(tests)}, two-sided; Holm's correction is for all pairs. Bold: below 0.05 after it.",
        _scroll(table, "Differences"),
        tag(
            "details", tag("summary", "How alike the routes answer"), _agreement(value), open=value["scoring"]["judged"]
        ),
    )


def _kind(pair: Value) -> str:
    return ROUTER if ROUTER in (pair["a"], pair["b"]) else ""


def _agreement(value: Value) -> Markup:
    found = value["agreement"]
    heads = [tag("th", breakable(text), scope="col") for text in ("", *found["names"], "with the others")]
    lines = []
    for name, row in zip(found["names"], found["matrix"], strict=True):
        cells = [_cell(share, None) for share in row]
        mean = tag("td", f"{found['consistency'][name]:.2f}", class_="none")
        lines.append(tag("tr", tag("th", name, scope="row"), cells, mean))
    note = "Mean token F1 of two routes' answers; 1 where both found nothing. A route that agrees with the others is "
    return Markup(
        tag("p", f"{note}consistent with them (self-consistency), which is a hint, not a proof.", class_="quiet")
        + _scroll(
            tag("table", tag("thead", tag("tr", heads)), tag("tbody", lines), class_="heat sticky"),
            "Agreement of routes",
        )
    )


def method(value: Value) -> Markup:
    made = value["made_with"]
    terms: list[tuple[str, str]] = [
        (f"{one['metric']}, {count(one['n'], 'question')}", one["meaning"]) for one in value["scoring"]["metrics"]
    ]
    if not value["scoring"]["judged"]:
        terms.append(
            ("accuracy", "the mean of these scores, each from 0 to 1; of several gold answers the best counts")
        )
    same = ", ".join(f"{n:,} from {name}" for name, n in value["router"]["same_as"].items())
    terms += [
        (
            "constant routes",
            "for each question the options that the forecast thinks best for that route; no escalation",
        ),
        (
            "router",
            f"what a user gets who names no route, escalation included. Answers that a constant route had given "
            f"already, by the same plan, were not paid for again: {same or 'none'}.",
        ),
        ("random", "a route drawn at random for each question: the mean over the constant routes"),
        ("oracle", "of the constant routes the cheapest that scores best on the question, known only afterwards"),
        (
            "regret",
            f"oracle minus router {value['regret']['oracle']['difference']:.3f}; best constant minus router "
            f"{comparison.signed(value['regret']['constant_best']['difference'])} (95% "
            f"{comparison.span(value['regret']['constant_best']['ci95'])}). The best constant route is chosen in "
            "hindsight on these same questions, which flatters it.",
        ),
        ("intervals", "Wilson's for shares, else the expanded percentile bootstrap over questions, 10,000 resamples"),
        ("false found, false refused", "an answer where there is none; none where there is one"),
        ("evidence read", "share of the gold evidence's characters that reached a model"),
        ("citation recall, precision", "gold spans that a citation overlaps; citations that overlap a gold span"),
        ("made with", ", ".join(f"{key} {_plain(made[key])}" for key in made if made[key] is not None)),
    ]
    return _section(
        "method",
        "Method",
        "",
        tag("dl", [(tag("dt", term), tag("dd", text)) for term, text in terms], class_="terms"),
    )


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key} {inner}" for key, inner in value.items() if inner is not None)
    return str(value)


def _scroll(table: Markup, label: str) -> Markup:
    """A table that is scrolled sideways where it is wider than the page, with the keyboard too."""
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=label)


def _section(place: str, title: str, text: str, *children: Child) -> Markup:
    return tag("section", tag("h2", title), tag("p", text, class_="quiet") if text else None, children, id=place)
