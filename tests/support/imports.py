"""The import graph of the two packages, drawn from the sources: ``python tests/support/imports.py [ROOT]`` prints it.

One line of ``ARROWS`` per folder says what it may import: a part is a folder of ``lcrag/``, a file at its top, or
``pipelines``.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LANGUAGE: Final = "types errors schemas"
BELOW_PIPELINES: Final = f"{LANGUAGE} paths text ingest index retrieve planning evidence writer"

ARROWS: Final[dict[str, str]] = {
    "errors": "",
    "schemas": "",
    "types": "",
    "paths": LANGUAGE,
    "batch": LANGUAGE,
    "text": f"{LANGUAGE} paths",
    "ingest": f"{LANGUAGE} text",
    "index": f"{LANGUAGE} paths text ingest",
    "retrieve": f"{LANGUAGE} paths text ingest index",
    "planning": f"{LANGUAGE} paths text retrieve",
    "evidence": f"{LANGUAGE} text",
    "writer": f"{LANGUAGE} paths text",
    "backends": f"{LANGUAGE} paths text evidence writer",
    "tables": f"{LANGUAGE} text",
    "pipelines": f"{LANGUAGE} text planning evidence tables",
    "session": f"{BELOW_PIPELINES} backends pipelines batch",
    "cluster": f"{BELOW_PIPELINES} session batch",
    "serve": f"{BELOW_PIPELINES} writer backends session",
    "calibrate": f"{BELOW_PIPELINES} backends session",
    "report": BELOW_PIPELINES,
    "conversation": f"{BELOW_PIPELINES} session report",
    "comparison": f"{BELOW_PIPELINES} pipelines session batch report cluster",
    "queries": f"{BELOW_PIPELINES} session report",
    "llama_index": f"{LANGUAGE} session queries",
    "web": f"{BELOW_PIPELINES} pipelines session batch report queries",
    "cli": f"{BELOW_PIPELINES} cluster session serve calibrate comparison report conversation queries web",
    "__main__": "cli",
    "": "types errors ingest session comparison pipelines backends",
}
"""What the modules of each part may import besides their own part. "": ``lcrag/__init__.py``, whose version all
read."""


def modules(root: Path) -> dict[str, Path]:
    """Every module by its dotted name. ``lcrag/pipelines`` leads to the folder ``pipelines``."""
    found = {}
    for folder in ("lcrag", "lcrag/pipelines"):
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Modules of ours that this one imports anywhere, late imports and ``from package import module`` included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            for _ in range(node.level - 1):
                package = package.rpartition(".")[0]
            base = ".".join(filter(None, (package if node.level else "", node.module or "")))
            submodules = [f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in known]
            names = submodules or [base]
        else:
            continue
        yield from (target for target in names if target.split(".")[0] == "lcrag")


def part(module: str) -> str:
    """The folder or top-level file that a module belongs to; "" is ``lcrag/__init__.py``."""
    return module.removeprefix("lcrag").lstrip(".").split(".")[0]


def edges(root: Path) -> set[tuple[str, str]]:
    """Every import of a module by a module of another part. The version in ``lcrag/__init__.py`` is free to all."""
    known = modules(root)
    return {
        (name, target)
        for name, path in known.items()
        for target in imports(name, path, known)
        if part(name) != part(target) and target != "lcrag"
    }


def wrong_arrows(root: Path) -> list[str]:
    """The imports that ``ARROWS`` does not allow."""
    return sorted(
        f"{name} imports {target}"
        for name, target in edges(root)
        if part(target) not in ARROWS.get(part(name), "").split()
    )


def main() -> None:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
    between = Counter((part(name), part(target)) for name, target in edges(root))
    for source in sorted({source for source, _ in between}):
        targets = ", ".join(f"{target} {n}" for (one, target), n in sorted(between.items()) if one == source)
        print(f"{source or 'lcrag'}: {targets}")
    print(f"{len(modules(root))} modules, {len({part(name) for name in modules(root)})} parts, {len(between)} arrows")
    print(f"{len(wrong_arrows(root))} wrong:", *wrong_arrows(root), sep="\n  ")


if __name__ == "__main__":
    main()
