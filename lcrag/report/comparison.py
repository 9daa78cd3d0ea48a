"""A comparison as a person reads it in a terminal, and the sentences that sum it up, here and in a browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lcrag.report.figures import fixed, interval, number, p_value, percent, quantity, signed, span
from lcrag.report.terminal import new_table, printable, render

if TYPE_CHECKING:
    from rich.table import Table

BAR: Final = 16
LEVEL: Final = 0.05
"""Of significance."""
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"

Value = Mapping[str, Any]
"""``lcrag.compare/1``."""


def report(value: Value, *, width: int, colour: bool) -> str:
    """The table of routes with bars of accuracy, the conclusions, and the pairs that differ. ``width`` in columns."""
    from rich.text import Text

    return render(
        Text(printable(headline(value)), style="bold"),
        f"{scored_by(value)}\n",
        _table(value, bars=width >= 110),
        "* no other route reads fewer tokens and scores at least as high\n",
        *map(printable, verdicts(value)),
        width=width,
        colour=colour,
    )


def headline(value: Value) -> str:
    """How much was compared, and on which backend."""
    setup = value["made_with"]
    asked, compared = quantity(value["questions"], "question"), quantity(len(value["routes"]), "route")
    return f"{asked}, {compared} and the router, on {setup['backend']} ({setup['model']})"


def scored_by(value: Value) -> str:
    """Which metrics were used, and on how many questions."""
    if value["scoring"]["judged"]:
        return "judged by the backend itself, as there are no gold answers"
    return "scored by " + ", ".join(f"{metric['metric']} {metric['n']:,}" for metric in value["scoring"]["metrics"])


def rows(value: Value) -> list[tuple[str, Mapping[str, Any]]]:
    """The rows of the table of routes with their kind: constant, router, reference."""
    constants = sorted(value["routes"], key=lambda row: (-row["accuracy"], row["input_tokens"]))
    references = [("reference", value["random"]), ("reference", value["oracle"])]
    return [("router", value["router"]), *(("constant", row) for row in constants), *references]


def _table(value: Value, *, bars: bool) -> Table:
    table = new_table()
    table.add_column("  route", no_wrap=True)
    if bars:
        table.add_column("", no_wrap=True)
    for name in ("accuracy", "95%", "tokens", "seconds", "not found", "tokens / correct"):
        table.add_column(name, justify="right", no_wrap=True)
    listed = rows(value)
    kinds = [kind for kind, _ in listed]
    for place, (kind, row) in enumerate(listed):
        table.add_row(
            f"{'*' if row.get('pareto') else ' '} {row['pipeline']}",
            *([bar(row["accuracy"])] if bars else []),
            fixed(row["accuracy"], 3),
            interval(row["ci95"]),
            number(row["input_tokens"]),
            fixed(row["seconds"]),
            percent(row["not_found"]),
            number(row["tokens_per_correct"]),
            style={"router": "bold green", "reference": "dim"}.get(kind, ""),
            end_section=place + 1 < len(kinds) and kinds[place + 1] != kind,
        )
    return table


def bar(share: float) -> str:
    """A bar BAR columns wide, filled to the nearest eighth of a column."""
    full, eighths = divmod(round(share * BAR * 8), 8)
    return ("█" * full + (_EIGHTHS[eighths] if eighths else "")).ljust(BAR, "·")


def verdicts(value: Value) -> list[str]:
    """The conclusions, in sentences that claim no more than the tests do."""
    sentences = [*_router_verdict(value), _regret(value), _differences(value)]
    dominated = [row["pipeline"] for row in (*value["routes"], value["router"]) if not row["pareto"]]
    if dominated:
        sentences.append(f"Dominated (another reads no more and scores no lower): {', '.join(dominated)}.")
    if value["left_out"]:
        sentences.append(f"Left out, because no question here could use them: {', '.join(value['left_out'])}.")
    if value["unscored"]:
        sentences.append(f"{quantity(value['unscored'], 'question')} without a gold answer, not scored.")
    return sentences


def _router_verdict(value: Value) -> list[str]:
    """How the router compares with the best constant route; nothing where that pair was not tested."""
    best, router = value["constant_best"], value["router"]
    wanted = {best["pipeline"], "router"}
    pair = next((pair for pair in value["pairs"] if {pair["a"], pair["b"]} == wanted), None)
    if pair is None:
        return []
    lead = router["accuracy"] - best["accuracy"]
    ci95 = sorted((-bound if pair["b"] == "router" else bound) for bound in pair["ci95"])
    verdict = f"the router is {'better' if lead > 0 else 'worse'}"
    if pair["p_holm"] > LEVEL:
        verdict = "no difference is shown"
    times = ""
    if best["input_tokens"]:
        times = f" It reads {router['input_tokens'] / best['input_tokens']:.2f} times as many tokens."
    return [
        f"Router against the best constant route, {best['pipeline']}: {signed(lead)} (95% {span(ci95)}), "
        f"{pair['test']} p {p_value(pair['p'])}, after Holm {p_value(pair['p_holm'])}: {verdict}.{times}"
    ]


def _regret(value: Value) -> str:
    regret = value["regret"]["oracle"]
    return (
        f"Regret against the oracle, which knows the best route for each question: {regret['difference']:.3f} "
        f"(95% {interval(regret['ci95'])})."
    )


def _differences(value: Value) -> str:
    pairs = quantity(len(value["pairs"]), "pair")
    differing = sorted((pair for pair in value["pairs"] if pair["p_holm"] <= LEVEL), key=lambda pair: pair["p_holm"])
    if not differing:
        return f"Of {pairs} of routes none differs after Holm's correction."
    more = f"; and {len(differing) - 6} more" if len(differing) > 6 else ""
    return f"Of {pairs}, {len(differing)} differ after Holm: {'; '.join(map(_better, differing[:6]))}{more}."


def _better(pair: Mapping[str, Any]) -> str:
    winner, loser = (pair["a"], pair["b"]) if pair["difference"] > 0 else (pair["b"], pair["a"])
    return f"{winner} over {loser} by {abs(pair['difference']):.3f} (p {p_value(pair['p_holm'])})"
