"""Figures as reports write them, in a terminal and in a browser; a value that is missing is a dash."""

from __future__ import annotations

from collections.abc import Sequence

MISSING = "–"


def quantity(n: int, noun: str) -> str:
    """``1 question``, ``2,000 questions``."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def number(value: float | None) -> str:
    return MISSING if value is None else f"{value:,.0f}"


def fixed(value: float | None, digits: int = 2) -> str:
    return MISSING if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    return MISSING if value is None else f"{value:.0%}"


def interval(ci95: Sequence[float]) -> str:
    """An interval of shares: ``0.25–0.75``."""
    return f"{ci95[0]:.2f}–{ci95[1]:.2f}"


def signed(value: float, digits: int = 3) -> str:
    """With its sign, a true minus, and no sign at zero."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def span(ci95: Sequence[float]) -> str:
    """An interval of differences: ``−0.020 to +0.110``."""
    return f"{signed(ci95[0])} to {signed(ci95[1])}"


def p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
