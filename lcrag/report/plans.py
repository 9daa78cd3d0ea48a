"""Plans and what came of them, as a person reads them in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from lcrag.report.figures import quantity
from lcrag.report.terminal import new_table, printable, render
from lcrag.types import Answer, Forecast, Option, Plan, Profile, Usage

if TYPE_CHECKING:
    from rich.table import Table

    from lcrag.planning.history import Record
    from lcrag.planning.reliability import Bin, Calibration

BAR: Final = 20
"""Characters of a bar from 0 to 1."""


def plan_report(plan: Plan, *, width: int, colour: bool, show_all: bool = False) -> str:
    """The table of routes, why one was chosen, and what would have changed that. ``width`` in columns.

    Without ``show_all``: only the routes that no other beats, and how many more there are.
    """
    from rich.text import Text

    shown = plan.forecasts if show_all else unbeaten(plan)
    hidden = len(plan.forecasts) - len(shown)
    return render(
        Text(printable(" ".join(plan.question.split())), style="bold"),
        f"evidence: about {plan.estimate.scope_tokens:,} tokens, diffusion {plan.estimate.diffusion:.2f}",
        f"profile: {profile_text(plan.profile)}\n",
        _routes(plan, shown),
        *([f"  {hidden:,} more: lcrag plan --all"] if hidden else []),
        f"\n* {printable(plan.reason)}",
        *(f"  {printable(counterfactual)}" for counterfactual in plan.counterfactuals),
        width=width,
        colour=colour,
    )


def profile_text(profile: Profile) -> str:
    """Its name, whether it was measured, and how far the route log has moved it."""
    text = f"{profile.name}, {'' if profile.measured else 'not '}measured"
    if profile.learned is None:
        return text
    known = f", {profile.learned.known:,} with a right answer" if profile.learned.known else ""
    return f"{text}, moved by {quantity(profile.learned.questions, 'logged question')}{known}"


def unbeaten(plan: Plan) -> list[Forecast]:
    """The routes that no other beats, and the chosen one, in the plan's order.

    A route beats another if it fits, takes no more tokens and no more seconds, and its P(correct) is no lower. Of
    equal routes the first beats the others.
    """
    taken, routes = plan.chosen, list(enumerate(plan.forecasts))
    return [
        forecast
        for place, forecast in routes
        if forecast is taken
        or not any(
            _no_worse(other, forecast) and (at < place or not _no_worse(forecast, other))
            for at, other in routes
            if at != place
        )
    ]


def _no_worse(one: Forecast, other: Forecast) -> bool:
    return (
        one.fits
        and one.quality >= other.quality
        and one.input_tokens <= other.input_tokens
        and one.seconds <= other.seconds
    )


def _routes(plan: Plan, shown: Sequence[Forecast]) -> Table:
    table = _table("  route", "tokens", "calls", "seconds", _quality_head(plan.profile))
    table.add_column("fits")
    for forecast in shown:
        taken = forecast is plan.chosen
        table.add_row(
            f"{'*' if taken else ' '} {forecast.pipeline} {options_text(forecast.options)}",
            f"{forecast.input_tokens:,}",
            f"{forecast.calls:,.6g}",
            f"{forecast.seconds:,.1f}",
            quality_text(forecast, plan.profile),
            "yes" if forecast.fits else "no",
            style="bold green" if taken else "" if forecast.fits else "dim",
        )
    return table


def _table(first: str, *numbers: str) -> Table:
    table = new_table()
    table.add_column(first, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _quality_head(profile: Profile) -> str:
    return "P(correct)" if profile.measured else "P(correct),\nnot measured"


def quality_text(forecast: Forecast, profile: Profile) -> str:
    """P(correct), with ``~`` where the profile behind it was not measured."""
    return f"{'' if profile.measured else '~'}{forecast.quality:.2f}"


def options_text(options: Mapping[str, Option]) -> str:
    return " ".join(
        f"{name}={','.join(value) if isinstance(value, tuple) else value}" for name, value in options.items()
    )


def outcome_report(plan: Plan, answer: Answer, *, width: int, colour: bool) -> str:
    """The forecast of the chosen route, below it what each step took, then their sum."""
    forecast = plan.chosen
    table = _table("", "tokens", "cached", "written", "calls", "seconds", _quality_head(plan.profile))
    table.add_row(
        f"forecast {forecast.pipeline}",
        f"{forecast.input_tokens:,}",
        f"{forecast.cached_tokens:,}",
        f"{forecast.output_tokens:,}",
        f"{forecast.calls:,.6g}",
        f"{forecast.seconds:,.2f}",
        quality_text(forecast, plan.profile),
    )
    for step in answer.steps:
        table.add_row(*_actual(f"actual {step.pipeline}", step.usage), step.status.replace("_", " "))
    if len(answer.steps) > 1:
        table.add_row(*_actual("total", answer.usage), answer.status.replace("_", " "))
    return render(table, width=width, colour=colour)


def _actual(name: str, usage: Usage) -> tuple[str, ...]:
    return (
        name,
        f"{usage.input_tokens:,}",
        f"{usage.cached_tokens:,}",
        f"{usage.output_tokens:,}",
        f"{usage.calls:,}",
        f"{usage.seconds:,.2f}",
    )


def history_report(record: Record) -> str:
    """One line a route, then how the second routes of ``--shadow`` compared, then the calibration of each backend."""
    lines = [f"{'route':18}{'asked':>7}{'off by, tokens':>16}{'seconds':>9}{'P(correct)':>12}{'answered':>10}"]
    lines += [
        f"{route.pipeline:18}{route.asked:>7,}{route.tokens_error:>16.0%}{route.seconds_error:>9.0%}"
        f"{route.quality:>12.2f}{route.answered:>10.0%}"
        for route in record.routes
    ]
    if record.shadowed:
        ratio = "" if record.tokens_ratio is None else f", for {record.tokens_ratio:.1f} times the tokens"
        lines.append(
            f"a second route ran on {record.shadowed:,} questions: it alone answered {record.missed:,}, both gave the "
            f"same answer to {record.agreed:,}{ratio}"
        )
    for backend in record.backends:
        lines += ["", *_calibration(backend)]
    lines += [
        "",
        "| is the mean forecast, === what was right, by lcrag compare with right answers, --- what was only answered.",
    ]
    return "\n".join(lines) + "\n"


def _calibration(backend: Calibration) -> list[str]:
    """P(correct) as forecast against the share that was answered, and that was right, on one backend."""
    asked = quantity(backend.asked, "forecast")
    lines = [
        printable(f"calibration on {backend.backend} ({backend.model}), profile {backend.profile}: {asked}"),
        f"{'forecast P(correct)':21}{'asked':>7}{'mean':>7}{'answered':>10}{'right':>14}   0{'1':>{BAR}}",
    ]
    for one in backend.bins:
        lines.append(f"{f'{one.low:.1f} to {one.high:.1f}':21}{_reliability(one)}")
    lines.append(f"{'all':21}{_reliability(backend)}")
    lines.append(f"mean distance of forecast and answered {backend.error:.2f}")
    if backend.compared:
        lines.append(f"two routes answered {backend.compared:,} of the questions, {backend.agreed:,} of them alike")
    return lines


def _reliability(one: Bin | Calibration) -> str:
    """The figures of a bin, and a bar: as long as it was right, or answered where nobody knows; ``|`` at the mean
    forecast."""
    right = f"{one.right:.0%} of {one.known:,}" if one.right is not None else ""
    length = round(BAR * (one.answered if one.right is None else one.right))
    bar = ("=" if one.right is not None else "-") * length + " " * (BAR + 1 - length)
    mark = round(BAR * one.quality)
    bar = f"{bar[:mark]}|{bar[mark + 1 :]}".rstrip()
    return f"{one.asked:>7,}{one.quality:>7.2f}{one.answered:>10.0%}{right:>14}   {bar}"


def recipes_report(rows: Sequence[Mapping[str, str]]) -> str:
    """``lcrag recipes``: each name with its route, below it what it does and whose idea that is."""
    return "".join(f"{row['name']:16} {row['route']}\n  {row['about']}: {row['paper']}\n" for row in rows)
