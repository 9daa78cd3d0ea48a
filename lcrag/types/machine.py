"""What this machine and its model server say of themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """What a server reports; None for what it does not. ``cache_tokens``: what its KV cache holds at most."""

    url: str
    model: str
    window: int
    cache_tokens: int | None
    cache_used: float | None
    prefix_queries: float | None
    prefix_hits: float | None
    running: float | None
    waiting: float | None
    log: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: whether it is there, what was found, and the line to type when it is missing.

    ``needed``: lcrag cannot answer anything without it.
    """

    name: str
    there: bool
    found: str
    hint: str = ""
    needed: bool = False
