"""Replies of a certain shape, read leniently: not every server keeps a model to it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

CHOICE: Final = "choice"
"""The field of the object in which a choice comes from servers that know JSON schemas only."""


def parse_choice(text: str, choices: Sequence[str]) -> str | None:
    """The choice that a reply names first, as a word of its own, in whatever case; None when it names none."""
    whole = re.sub(rf'"{CHOICE}"\s*:', " ", text)
    named = re.compile("|".join(rf"(?<!\w){re.escape(choice)}(?!\w)" for choice in choices), re.IGNORECASE)
    found = named.search(whole)
    return next((choice for choice in choices if found and choice.lower() == found[0].lower()), None)


def parse_object(text: str) -> dict[str, Any]:
    """The first JSON object of a reply; {} when there is none."""
    for brace in re.finditer(r"\{", text):
        try:
            value, _ = json.JSONDecoder().raw_decode(text, brace.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return {}
