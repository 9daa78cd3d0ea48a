"""README says what happens: its commands are run, and print what it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from support.invocation import Lcrag

import lcrag as library

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CONSOLE = [block for kind, block in BLOCKS if kind == "console"]


def shown(block: str, command: str) -> str:
    """What the block shows under the line that holds the command."""
    return re.split(rf"^\$ .*{re.escape(command)}.*\n", block, flags=re.MULTILINE)[1].split("\n$ ")[0]


@pytest.fixture
def at_root(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_cache: Path) -> Lcrag:
    """The real command line in the repository's folder, with an index of its own."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "160")
    return Lcrag(monkeypatch, capsys)


def test_readme_has_two_set_up_commands_and_fits_its_length() -> None:
    assert len([line for line in README.splitlines() if "pip install" in line]) == 2
    assert len(README.splitlines()) <= 110
    assert [line for line in README.splitlines() if line.startswith("pip install -e ")]


def test_readme_first_command_answers_as_shown(at_root: Lcrag) -> None:
    command = CONSOLE[0].splitlines()[0].rpartition("&& lcrag ")[2]
    answer = at_root(*shlex.split(command))
    assert answer.code == 0
    assert answer.out == shown(CONSOLE[0], "lcrag ask")


def test_readme_plan_is_as_shown(at_root: Lcrag) -> None:
    command = shlex.split(CONSOLE[1].splitlines()[0])[2:]
    plan = at_root(*command)
    assert plan.out.split() == shown(CONSOLE[1], "lcrag plan").split()


def test_readme_python_example_prints_what_it_says(
    monkeypatch: pytest.MonkeyPatch, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    [code] = [block for kind, block in BLOCKS if kind == "python"]
    exec(compile(code, "README.md", "exec"), {"lcrag": library})
    expected = code.rpartition("# ")[2].strip().replace("…", "examples/saltmarsh")
    assert capsys.readouterr().out.strip() == expected


def test_readme_commands_exist(at_root: Lcrag) -> None:
    """Every command line in a shell block is understood; what it would do is tested elsewhere."""
    for kind, block in BLOCKS:
        for line in block.splitlines() if kind == "sh" else ():
            for command in line.partition("  #")[0].split(";"):
                words = shlex.split(command)
                if words[:1] != ["lcrag"]:
                    continue
                assert at_root(words[1], "--help").code == 0
                for option in (word for word in words if word.startswith("--")):
                    assert option in at_root(words[1], "--help").out


def test_readme_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((examples/[^)]*)\)", README.replace("\n", " ")):
        path, _, anchor = target.partition("#")
        assert (ROOT / path).exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
