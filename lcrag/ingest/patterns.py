"""Patterns of paths, in git's reading: those of ignore files, and those by which a user chooses documents."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

MOST_FOLDER_STARS: Final = 3
"""A pattern with more "**/" takes too long on a deep path; no repository needs it."""
_STARS = re.compile(r"\\.|\*\*+")
_BETWEEN_STARS = re.compile(r"\0([^\0/]+)(?=[^\0/]*\0)")


def spec_of(lines: Iterable[str]) -> GitIgnoreSpec:
    """The patterns of these lines; one that makes no sense matches nothing."""
    from pathspec import GitIgnoreSpec

    patterns: list[GitIgnoreSpecPattern] = []
    for line in lines:
        line = _STARS.sub(_fewest_stars, line.removesuffix("\r"))
        if line.count("**") <= MOST_FOLDER_STARS:
            patterns += _patterns(line)
    return GitIgnoreSpec(patterns, backend="simple")


def _fewest_stars(match: re.Match[str]) -> str:
    """Two stars or more mean the same as one, but for a whole part of a path, where they mean the same as two."""
    if match[0].startswith("\\"):
        return match[0]
    before, after = match.string[: match.start()], match.string[match.end() :]
    return "**" if before[-1:] in ("", "/", "!") and after[:1] in ("", "/") else "*"


def _patterns(line: str) -> list[GitIgnoreSpecPattern]:
    """The pattern of a line, which takes linear time: each star but the last of a part takes as little as it can."""
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # "[[]" may come to mean something else
            pattern = GitIgnoreSpecPattern(line)
            if pattern.include is None or pattern.regex is None:  # blank, or a comment
                return []
            stars = pattern.regex.pattern.replace("[^/]*", "\0")
            quick = _BETWEEN_STARS.sub(r"(?>[^/]*?\1)", stars).replace("\0", "[^/]*")
            return [GitIgnoreSpecPattern(re.compile(quick), include=pattern.include)]
    except (ValueError, re.error):
        return []
