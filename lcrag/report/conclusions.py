"""What a comparison with gold answers and enough questions allows to say: sentences that claim no more than the tests.

Which route to use and how sure that is; what the best constant route would have been worth against the router; which
cheaper route is not shown to be worse; what nobody can reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lcrag.report.figures import p_value, percent, quantity, signed

LEVEL: Final = 0.05
"""Of significance."""
MOST_PAIRS: Final = 6
"""Pairs of routes that are named; the rest are counted."""
SAME: Final = 0.02
"""Right answers that are as good as none: accuracies are rounded, which is a hundredth of an answer in 20,000."""
ROUTER: Final = "router"

Value = Mapping[str, Any]
"""``lcrag.compare/1``, or a row of it."""


def conclusions(value: Value) -> list[str]:
    """The sentences, the most important first. Only of comparisons with ``enough_questions``."""
    sentences = [_use(value), *_router_against_constant(value), *_cheaper(value), _oracle(value), _differences(value)]
    return [*sentences, *remarks(value)]


def remarks(value: Value) -> list[str]:
    """What was not compared."""
    sentences = []
    if value["left_out"]:
        sentences.append(f"Left out, because no question here could use them: {', '.join(value['left_out'])}.")
    if value["unscored"] and not value["scoring"]["judged"]:
        sentences.append(f"{quantity(value['unscored'], 'question')} without a gold answer, not scored.")
    return sentences


def rows(value: Value) -> list[Value]:
    """The rows of the router and of the constant routes."""
    return [value["router"], *value["routes"]]


def best(value: Value) -> Value:
    """The row with the best accuracy; of equal ones that which reads least, the router first."""
    return max(rows(value), key=lambda row: (row["accuracy"], -row["input_tokens"], row["pipeline"] == ROUTER))


def _use(value: Value) -> str:
    """Which route to use and how sure that is."""
    row = best(value)
    name, share = row["pipeline"], percent(row["best_in_resamples"])
    if row["accuracy"] * row["n"] < SAME:
        return f"No route is right on any of the {row['n']:,} questions."
    advice = "Let the router choose (no --pipeline)" if name == ROUTER else f"Use {name} (--pipeline {name})"
    low, high = (bound * row["n"] for bound in row["ci95"])
    return (
        f"{advice}: {_right(row)} (95% {low:.1f} to {high:.1f}). How sure: with these questions drawn again at random, "
        f"no other route does better in {share} of the draws; {_lead(value, row)}."
    )


def _right(row: Value) -> str:
    """``right on 21 of 36 questions``; with partly right answers the sum of their shares."""
    correct = row["accuracy"] * row["n"]
    if abs(correct - round(correct)) < SAME:
        return f"right on {correct:.0f} of {row['n']:,} questions"
    return f"{correct:.1f} right answers to {row['n']:,} questions, partly right ones counted in part"


def _lead(value: Value, row: Value) -> str:
    """Over which of the others the route's lead is more than chance by the paired tests, and which are as good."""
    name = row["pipeline"]
    others = [other for other in rows(value) if other["pipeline"] != name]
    equal = [other["pipeline"] for other in others if (row["accuracy"] - other["accuracy"]) * row["n"] < SAME]
    behind = [other["pipeline"] for other in others if other["pipeline"] not in equal]
    over = [other for other in behind if (pair := _pair(value, name, other)) and pair["p_holm"] <= LEVEL]
    unsure = [other for other in behind if other not in over]
    said = [f"as good, but no cheaper: {', '.join(equal)}"] if equal else []
    for names, chance in ((over, "is more than chance"), (unsure, "may be chance")):
        if names:
            rivals = "every other route" if len(names) == len(others) else ", ".join(names)
            said.append(f"its lead over {rivals} {chance}")
    return "; ".join(said)


def _router_against_constant(value: Value) -> list[str]:
    """What always taking the best constant route would have been worth; nothing where that pair was not tested."""
    constant, router = value["constant_best"], value["router"]
    name, n = constant["pipeline"], router["n"]
    pair = _pair(value, name, ROUTER)
    if pair is None:
        return []
    more = pair["difference"] * n
    if more > SAME:
        lead = f"Always taking {name} would have been better than the router by {_answers(more)}"
    elif more < -SAME:
        lead = f"No constant route is better than the router: always taking {name}, the best, loses {_answers(-more)}"
    else:
        lead = f"Always taking {name}, the best constant route, gives as much as the router"
    low, high = (bound * n for bound in pair["ci95"])
    shown = "is more than" if pair["p_holm"] <= LEVEL else "may be"
    return [
        f"{lead}, and {_tokens(constant, router)}. It is better on {quantity(pair['wins'], 'question')} and worse on "
        f"{pair['losses']:,}, which {shown} chance ({pair['test']}, p {p_value(pair['p'])}, after Holm's correction "
        f"{p_value(pair['p_holm'])}; 95% {signed(low, 1)} to {signed(high, 1)}). The best constant route is known only "
        "afterwards, which flatters it."
    ]


def _answers(number: float) -> str:
    shown = f"{number:.0f}" if abs(number - round(number)) < SAME else f"{number:.1f}"
    return f"{shown} right answer{'' if shown == '1' else 's'}"


def _tokens(row: Value, other: Value) -> str:
    """``reads 0.18 times as many tokens``."""
    if not other["input_tokens"]:
        return f"reads {row['input_tokens']:,.0f} tokens a question"
    return f"reads {row['input_tokens'] / other['input_tokens']:.2f} times as many tokens"


def _cheaper(value: Value) -> list[str]:
    """The routes that read less than the best one and are not shown to be worse."""
    top = best(value)
    named = []
    for row in sorted(rows(value), key=lambda row: row["input_tokens"]):
        pair = _pair(value, top["pipeline"], row["pipeline"])
        if pair and row["pareto"] and row["input_tokens"] < top["input_tokens"] and pair["p_holm"] > LEVEL:
            loss = _answers(pair["difference"] * row["n"])
            named.append(f"{row['pipeline']}, which {_tokens(row, top)} and gives {loss} less")
    return [f"Cheaper and not shown to be worse: {'; '.join(named)}."] if named else []


def _oracle(value: Value) -> str:
    oracle, router = value["oracle"], value["router"]
    more = value["regret"]["oracle"]["difference"] * router["n"]
    low, high = (bound * router["n"] for bound in value["regret"]["oracle"]["ci95"])
    return (
        f"The best route for each question, known only afterwards, would have given {_answers(more)} more than the "
        f"router (95% {low:.1f} to {high:.1f}) and read {oracle['input_tokens']:,.0f} tokens a question."
    )


def _differences(value: Value) -> str:
    pairs = quantity(len(value["pairs"]), "pair")
    differing = sorted((pair for pair in value["pairs"] if pair["p_holm"] <= LEVEL), key=lambda pair: pair["p_holm"])
    if not differing:
        return f"Of {pairs} of routes none differs by more than chance may give (paired tests, Holm's correction)."
    more = f"; and {len(differing) - MOST_PAIRS} more" if len(differing) > MOST_PAIRS else ""
    named = "; ".join(map(_better, differing[:MOST_PAIRS]))
    return f"Of {pairs} of routes {len(differing)} differ by more than chance (Holm's correction): {named}{more}."


def _better(pair: Value) -> str:
    winner, loser = (pair["a"], pair["b"]) if pair["difference"] > 0 else (pair["b"], pair["a"])
    return f"{winner} over {loser} by {abs(pair['difference']):.3f} (p {p_value(pair['p_holm'])})"


def _pair(value: Value, a: str, b: str) -> dict[str, Any] | None:
    """The pair seen from ``a``: its difference, interval, wins and losses; None where it was not tested."""
    found = next((pair for pair in value["pairs"] if {pair["a"], pair["b"]} == {a, b}), None)
    if found is None or found["a"] == a:
        return found
    return {
        **found,
        "difference": -found["difference"],
        "ci95": _turned(found["ci95"]),
        "wins": found["losses"],
        "losses": found["wins"],
    }


def _turned(ci95: Sequence[float]) -> list[float]:
    return [-ci95[1], -ci95[0]]
