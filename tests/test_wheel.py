"""The wheel: what it holds, and that it works beside what a user has."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.slow


def run(*command: str, folder: Path, **environment: str) -> str:
    result = subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made of the source distribution, so that it holds all that is needed."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_sdist; print(build_sdist(sys.argv[1]))"
    source = run(sys.executable, "-c", build, str(folder), folder=ROOT).splitlines()[-1]
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder))
    run(*pip, str(folder / source), folder=folder)
    [made] = folder.glob("*.whl")
    return made


def test_wheel_holds_one_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"lcrag"}
    assert {"lcrag/pipelines/chunk_rag.py", "lcrag/py.typed", "lcrag/writer/adapter.safetensors"} <= set(names)


def test_wheel_answers_beside_packages_of_the_same_names(wheel: Path, tmp_path: Path) -> None:
    site, own = tmp_path / "site", tmp_path / "own"
    zipfile.ZipFile(wheel).extractall(site)
    for name in ("pipelines", "tests", "examples"):
        (own / name).mkdir(parents=True)
        (own / name / "__init__.py").write_text("MINE = True\n", encoding="utf-8")
    (own / "a.md").write_text("The lighthouse keeper Anna Holm kept a tame raven called Brandt.\n", encoding="utf-8")
    (own / "script.py").write_text(
        "import lcrag, pipelines\n"
        "with lcrag.open('a.md', dense='off', backend='embedded') as docs:\n"
        "    print(lcrag.__file__, pipelines.MINE, docs.ask('What was the raven called?').text)\n",
        encoding="utf-8",
    )
    said = run(sys.executable, "script.py", folder=own, PYTHONPATH=str(site), HOME=str(tmp_path))
    assert said.startswith(f"{site / 'lcrag'}/__init__.py True The lighthouse keeper")
