"""The one-way flow, read from the sources: types, errors ← lcrag ← pipelines ← lcrag.run ← lcrag.cli."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "transformers", "sentence_transformers", "llama_index", "onnxruntime", "numpy", "openai", "pydantic")
LEAVES = ("lcrag.types", "lcrag.errors")
FOR_PIPELINES = (
    "pipelines",
    *LEAVES,
    "lcrag.prompts",
    "lcrag.cite",
    "lcrag.cues",
    "lcrag.contradiction",
    "lcrag.passages",
    "lcrag.provenance",
    "lcrag.sentences",
    "lcrag.stretches",
    "lcrag.words",
)


def modules(root: Path) -> dict[str, Path]:
    """Every module of the two packages by its dotted name."""
    found = {}
    for package in ("lcrag", "pipelines"):
        for path in sorted((root / package).rglob("*.py")):
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
        yield from (target for target in names if target.split(".")[0] in ("lcrag", "pipelines"))


def inside(target: str, *places: str) -> bool:
    return any(target == place or target.startswith(f"{place}.") for place in places)


def allowed(name: str, target: str) -> bool:
    if target == "lcrag" or name == target:  # the package itself holds the version and nothing else
        return True
    if inside(name, *LEAVES):
        return False
    if inside(name, "lcrag.cli", "lcrag.__main__"):
        return not inside(target, "pipelines", "lcrag.backends")
    if inside(name, "lcrag.compare"):  # asks through a session, as the command line does
        return not inside(target, "pipelines", "lcrag.backends", "lcrag.report", "lcrag.cli", "lcrag.__main__")
    if inside(name, "lcrag.run"):
        return not inside(target, "lcrag.cli", "lcrag.__main__", "lcrag.compare")
    if inside(name, "pipelines"):
        return inside(target, *FOR_PIPELINES)
    if inside(target, "lcrag.report"):
        return inside(name, "lcrag.report")
    if inside(target, "lcrag.backends"):
        return inside(name, "lcrag.backends", "lcrag.server")
    return not inside(target, "pipelines", "lcrag.run", "lcrag.compare", "lcrag.cli", "lcrag.__main__")


def wrong_arrows(root: Path) -> list[str]:
    known = modules(root)
    return [
        f"{name} imports {target}"
        for name, path in known.items()
        for target in imports(name, path, known)
        if not allowed(name, target)
    ]


def test_imports_point_one_way() -> None:
    assert len(modules(ROOT)) > 30
    assert wrong_arrows(ROOT) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("lcrag/types.py", "from lcrag.errors import LcragError"),
        ("lcrag/router.py", "import pipelines"),
        ("lcrag/estimate.py", "from lcrag import run"),
        ("lcrag/retrieve.py", "def f():\n    from lcrag.cli.app import main"),
        ("lcrag/estimate.py", "from .backends.embedded import EmbeddedBackend"),
        ("pipelines/chunk_rag.py", "from lcrag.backends.scripted import ScriptedBackend"),
        ("pipelines/chunk_rag.py", "import lcrag.corpus"),
        ("lcrag/cli/app.py", "from pipelines import PIPELINES"),
        ("lcrag/compare.py", "from pipelines import PIPELINES"),
        ("lcrag/analysis.py", "from lcrag.compare import Comparison"),
    ],
)
def test_a_wrong_arrow_is_seen(tmp_path: Path, name: str, line: str) -> None:
    for path in modules(ROOT).values():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    wrong = tmp_path / name
    wrong.write_text(wrong.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    assert len(wrong_arrows(tmp_path)) == 1


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from lcrag.cli.app import main\n"
        "sys.argv = ['lcrag', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code in (0, None), end.code\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.rstrip().endswith("LOADED []")
    assert "ask" in run.stdout
