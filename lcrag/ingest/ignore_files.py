"""What the ignore files of a folder, and of those above it, leave out."""

from __future__ import annotations

import codecs
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lcrag.ingest.patterns import spec_of
from lcrag.ingest.shown_path import shown_path

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILES: Final = (".gitignore", ".lcragignore")
Skipped = defaultdict[str, list[str]]
"""The sources of what is left out, by reason: see ``lcrag.ingest.discover.Scan``."""


@dataclass(slots=True)
class Rules:
    """Ignore files from the outermost folder inwards: the last pattern that matches a path decides."""

    specs: list[tuple[str, GitIgnoreSpec]] = field(default_factory=list)

    def inside(self, folder: str, names: set[str], skipped: Skipped) -> Rules:
        """These and those of the ignore files in ``folder``, a real path that ends with a separator."""
        specs = []
        for name in IGNORE_FILES:
            if name in names and os.path.isfile(folder + name):
                try:
                    specs.append((folder, _read_spec(Path(folder, name))))
                except OSError:
                    skipped["unreadable_ignore_file"].append(shown_path(folder + name))
        return Rules([*self.specs, *specs]) if specs else self

    def ignore(self, path: str, *, is_folder: bool) -> bool:
        """Whether a real path is ignored."""
        for folder, spec in reversed(self.specs):
            relative = path[len(folder) :]
            verdict = spec.check_file(relative + "/" if is_folder else relative).include
            if verdict is not None:
                return verdict
        return False


def _read_spec(path: Path) -> GitIgnoreSpec:
    """The patterns of an ignore file."""
    text = path.read_bytes().removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    return spec_of(text.split("\n"))


def outer_rules(root: str, skipped: Skipped) -> Rules:
    """The ignore files above the real path ``root``, when it is inside a repository."""
    inner = Path(root)
    above = list(inner.parents)
    top = next((number for number, parent in enumerate(above) if (parent / ".git").exists()), None)
    rules = Rules()
    if top is None or (inner / ".git").exists():
        return rules
    for parent in reversed(above[: top + 1]):
        rules = rules.inside(os.path.join(parent, ""), set(IGNORE_FILES), skipped)
    return rules
