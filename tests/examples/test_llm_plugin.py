"""The example plugin in the real llm: its command answers from the documents."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).parents[2] / "examples" / "llm_plugin"
QUESTION = "Who kept the light?"
KEEPER = "Anna Holm kept the light from 1901 to 1923."


@pytest.fixture
def llm_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """``llm_command("prompt", …)`` runs llm with this plugin alone, in a folder with a document."""
    for name, value in {
        "LLM_USER_PATH": str(tmp_path / "llm"),
        "LCRAG_CACHE_DIR": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("llm.plugins.LLM_LOAD_PLUGINS", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "light.md").write_text(f"# The light\n\n{KEEPER}\n")
    from click.testing import CliRunner
    from llm.cli import cli
    from llm.plugins import pm

    monkeypatch.syspath_prepend(PLUGIN)
    plugin = importlib.import_module("llm_lcrag")
    monkeypatch.setattr(
        plugin.lcrag, "open", lambda paths, own=plugin.lcrag.open: own(paths, backend="embedded", dense="off")
    )
    pm.register(plugin)
    yield lambda *args: CliRunner().invoke(cli, list(args))
    pm.unregister(plugin)


def test_plugin_answers_with_sources_and_keeps_them_in_the_log(llm_command: Any) -> None:
    result = llm_command("-m", "lcrag", "-o", "docs", "docs", QUESTION)
    assert result.exit_code == 0, result.output
    assert result.output == f"{KEEPER} [1]\n\n[1] docs/light.md:3  “{KEEPER}”\n"
    logged = llm_command("logs", "-n", "1", "--json").output
    assert "light.md" in logged


def test_plugin_lists_its_options_and_says_what_is_wrong(llm_command: Any) -> None:
    listed = llm_command("models", "--options", "-m", "lcrag").output
    assert "docs" in listed
    assert "pipeline" in listed
    result = llm_command("-m", "lcrag", "-o", "docs", "nowhere", QUESTION)
    assert result.exit_code == 1
    assert "nowhere" in result.output


def test_plugin_is_found_by_its_entry_point() -> None:
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["llm"] == {"lcrag": "llm_lcrag"}
    assert (PLUGIN / "llm_lcrag.py").exists()
