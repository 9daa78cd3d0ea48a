"""A comparison as a person reads it in a terminal, and the sentences that sum it up, here and in a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lcrag.report.text import printable

BAR: Final = 16
LEVEL: Final = 0.05
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"

Value = Mapping[str, Any]


def report(value: Value, *, width: int, colour: bool) -> str:
    """The table of routes with bars of accuracy, what it says, and the pairs that differ. ``width`` in columns."""
    from io import StringIO

    from rich.console import Console

    buffer = StringIO()
    console = Console(
        file=buffer, width=width, force_terminal=colour, no_color=not colour, highlight=False, markup=False, emoji=False
    )
    console.print(printable(headline(value)), style="bold")
    console.print(scored_by(value) + "\n")
    console.print(_table(value, bars=width >= 110))
    console.print("* nothing reads less and scores at least as much\n")
    for sentence in verdicts(value):
        console.print(printable(sentence))
    return "".join(line.rstrip() + "\n" for line in buffer.getvalue().splitlines())


def headline(value: Value) -> str:
    """How much was compared, and on what."""
    made = value["made_with"]
    routes = len(value["routes"])
    return f"{count(value['questions'], 'question')}, {count(routes, 'route')} and the router, on {backend(made)}"


def backend(made: Mapping[str, Any]) -> str:
    return f"{made['backend']} ({made['model']})"


def count(n: int, name: str) -> str:
    return f"{n:,} {name}{'' if n == 1 else 's'}"


def scored_by(value: Value) -> str:
    """Which measures were used on how many questions."""
    listed = ", ".join(f"{one['metric']} {one['n']:,}" for one in value["scoring"]["metrics"])
    judged = "judged by the backend itself, for want of gold answers" if value["scoring"]["judged"] else "scored by"
    return judged if value["scoring"]["judged"] else f"{judged} {listed}"


def rows(value: Value) -> list[tuple[str, Mapping[str, Any]]]:
    """The rows of the table of routes with their kind: constant, router, reference."""
    constants = sorted(value["routes"], key=lambda row: (-row["accuracy"], row["input_tokens"]))
    references = [("reference", value["random"]), ("reference", value["oracle"])]
    return [("router", value["router"]), *(("constant", row) for row in constants), *references]


def _table(value: Value, *, bars: bool) -> object:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("  route", no_wrap=True)
    if bars:
        table.add_column("", no_wrap=True)
    for name in ("accuracy", "95%", "tokens", "seconds", "not found", "tokens / correct"):
        table.add_column(name, justify="right", no_wrap=True)
    kinds = [kind for kind, _ in rows(value)]
    for place, (kind, row) in enumerate(rows(value)):
        cells = [f"{row['accuracy']:.3f}", interval(row["ci95"]), number(row["input_tokens"])]
        cells += [f"{row['seconds']:.2f}", percent(row["not_found"]), number(row["tokens_per_correct"])]
        table.add_row(
            f"{'*' if row.get('pareto') else ' '} {row['pipeline']}",
            *([bar(row["accuracy"])] if bars else []),
            *cells,
            style={"router": "bold green", "reference": "dim"}.get(kind, ""),
            end_section=place + 1 < len(kinds) and kinds[place + 1] != kind,
        )
    return table


def bar(share: float) -> str:
    """A bar of BAR columns, filled to an eighth of one."""
    eighths = round(share * BAR * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(BAR, "·")


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def interval(ci95: Sequence[float]) -> str:
    return f"{ci95[0]:.2f}–{ci95[1]:.2f}"


def signed(value: float, digits: int = 3) -> str:
    """With its sign, a true minus, and no sign at nothing."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def span(ci95: Sequence[float]) -> str:
    return f"{signed(ci95[0])} to {signed(ci95[1])}"


def p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def pair_of(value: Value, a: str, b: str) -> Mapping[str, Any] | None:
    return next((pair for pair in value["pairs"] if {pair["a"], pair["b"]} == {a, b}), None)


def verdicts(value: Value) -> list[str]:
    """What the numbers say, in sentences that claim no more than the tests do."""
    best, router = value["constant_best"], value["router"]
    pair = pair_of(value, best["pipeline"], "router")
    said = []
    if pair is not None:
        lead = router["accuracy"] - best["accuracy"]
        ci95 = sorted((-bound if pair["b"] == "router" else bound) for bound in pair["ci95"])
        verdict = (
            "no difference is shown" if pair["p_holm"] > LEVEL else f"the router is {'better' if lead > 0 else 'worse'}"
        )
        said.append(
            f"Router against the best constant route, {best['pipeline']}: {signed(lead)} (95% {span(ci95)}), "
            f"{pair['test']} p {p_value(pair['p'])}, after Holm {p_value(pair['p_holm'])}: {verdict}. "
            f"It reads {_times(router['input_tokens'], best['input_tokens'])} as many tokens."
        )
    regret = value["regret"]["oracle"]
    said.append(
        f"Regret against the oracle, which knows the best route for each question: {regret['difference']:.3f} "
        f"(95% {interval(regret['ci95'])})."
    )
    differ = [one for one in value["pairs"] if one["p_holm"] <= LEVEL]
    if differ:
        listed = "; ".join(_better(one) for one in sorted(differ, key=lambda one: one["p_holm"])[:6])
        more = f"; and {len(differ) - 6} more" if len(differ) > 6 else ""
        said.append(f"Of {count(len(value['pairs']), 'pair')}, {len(differ)} differ after Holm: {listed}{more}.")
    else:
        said.append(f"Of {count(len(value['pairs']), 'pair')} of routes none differs after Holm's correction.")
    dominated = [row["pipeline"] for row in (*value["routes"], router) if not row["pareto"]]
    if dominated:
        said.append(f"Dominated, another reads no more and scores no less: {', '.join(dominated)}.")
    if value["left_out"]:
        said.append(f"Left out, for no question can be asked of them here: {', '.join(value['left_out'])}.")
    if value["unscored"]:
        said.append(f"{count(value['unscored'], 'question')} without a gold answer, not scored.")
    return said


def _better(pair: Mapping[str, Any]) -> str:
    winner, loser = (pair["a"], pair["b"]) if pair["difference"] > 0 else (pair["b"], pair["a"])
    return f"{winner} over {loser} by {abs(pair['difference']):.3f} (p {p_value(pair['p_holm'])})"


def _times(one: float, other: float) -> str:
    return f"{one / other:.2f} times" if other else "incomparably"
