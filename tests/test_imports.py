"""The one-way flow, read from the sources: one line of ``support.imports.ARROWS`` per folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.imports import ARROWS, modules, part, wrong_arrows

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "transformers", "sentence_transformers", "llama_index", "onnxruntime", "numpy", "openai", "pydantic")


def test_imports_point_one_way() -> None:
    assert len(modules(ROOT)) > 30
    assert {part(name) for name in modules(ROOT)} == set(ARROWS)
    assert wrong_arrows(ROOT) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("lcrag/types/answers.py", "from lcrag.errors import LcragError"),
        ("lcrag/planning/router.py", "from lcrag import pipelines"),
        ("lcrag/planning/estimate.py", "from lcrag import session"),
        ("lcrag/retrieve/rank.py", "def f():\n    from lcrag.cli.app import main"),
        ("lcrag/planning/estimate.py", "from ..backends.embedded import EmbeddedBackend"),
        ("lcrag/pipelines/chunk_rag.py", "from lcrag.backends.scripted import ScriptedBackend"),
        ("lcrag/pipelines/chunk_rag.py", "import lcrag.index.corpus"),
        ("lcrag/cli/app.py", "from lcrag.pipelines import PIPELINES"),
        ("lcrag/comparison/run.py", "from lcrag.cli.app import main"),
        ("lcrag/session/session.py", "from lcrag.comparison.run import ComparisonRun"),
    ],
)
def test_imports_the_wrong_way_are_seen(tmp_path: Path, name: str, line: str) -> None:
    before = set(wrong_arrows(ROOT))
    for path in modules(ROOT).values():
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    wrong = tmp_path / name
    wrong.write_text(wrong.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    assert len(set(wrong_arrows(tmp_path)) - before) == 1


def test_imports_of_help_are_light() -> None:
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
