"""Where the value of an option comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from support import fake_run
from support.invocation import Lcrag

from lcrag.cli.app import app
from lcrag.cli.commands import COMMANDS
from lcrag.cli.options import BEFORE, CONFIGURABLE


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The user's own lcrag.toml."""
    folder = tmp_path / "config" / "lcrag"
    folder.mkdir(parents=True)
    return folder / "lcrag.toml"


def policy_of(lcrag: Lcrag, *args: str) -> Any:
    result = lcrag("ask", "docs", "who?", *args)
    assert result.code == 0, result.err
    return fake_run.asked[-1][1]


def test_who_wins(lcrag: Lcrag, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert policy_of(lcrag).max_tokens is None
    user.write_text("max_tokens = 1\nmax_seconds = 1\n")
    assert policy_of(lcrag).max_tokens == 1
    Path("lcrag.toml").write_text("max-tokens = 2\n")
    policy = policy_of(lcrag)
    assert (policy.max_tokens, policy.max_seconds) == (2, 1)
    monkeypatch.setenv("LCRAG_MAX_TOKENS", "3")
    assert policy_of(lcrag).max_tokens == 3
    assert policy_of(lcrag, "--max-tokens", "4").max_tokens == 4


def test_a_preset_wins_over_the_files_and_loses_to_the_environment(
    lcrag: Lcrag, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.write_text('[preset.quick]\nmax_tokens = 10\nprefer = "speed"\n')
    Path("lcrag.toml").write_text("max_tokens = 2\n[preset.quick]\nmax_seconds = 9\n")
    policy = policy_of(lcrag, "--preset", "quick")
    assert (policy.max_tokens, policy.prefer, policy.max_seconds) == (10, "speed", 9)
    assert policy_of(lcrag).max_tokens == 2
    monkeypatch.setenv("LCRAG_PRESET", "quick")
    monkeypatch.setenv("LCRAG_MAX_TOKENS", "3")
    policy = policy_of(lcrag)
    assert (policy.max_tokens, policy.prefer) == (3, "speed")


def test_a_preset_nobody_wrote(lcrag: Lcrag) -> None:
    assert "write [preset.such] into lcrag.toml" in lcrag("ask", "docs", "who?", "--preset", "such").err
    Path("lcrag.toml").write_text("[preset.b]\n[preset.a]\n")
    result = lcrag("--preset", "such", "ask", "docs", "who?")
    assert result.code == 2
    assert "presets: a, b" in result.err


def test_config_replaces_the_others(lcrag: Lcrag, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user.write_text("max_tokens = 1\n")
    Path("lcrag.toml").write_text("max_tokens = 2\n")
    Path("mine.toml").write_text("max_seconds = 3.5\n")
    policy = policy_of(lcrag, "--config", "mine.toml")
    assert (policy.max_tokens, policy.max_seconds) == (None, 3.5)
    monkeypatch.setenv("LCRAG_CONFIG", "mine.toml")
    assert policy_of(lcrag).max_seconds == 3.5


def test_flags_and_paths(lcrag: Lcrag, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    user.write_text('index = "~/index"\n')
    Path("lcrag.toml").write_text('sources = false\nescalate = false\nquiet = true\ndense = "off"\n')
    result = lcrag("ask", "docs", "who?")
    assert result.out == "It was Anna [1]. So they say [2].\n"
    assert result.err == ""
    assert fake_run.asked[-1][2] is False
    assert (fake_run.opened[-1].index, fake_run.opened[-1].dense) == (Path("/home/someone/index"), "off")
    assert "[1] docs/a.md" in lcrag("ask", "docs", "who?", "--sources").out
    Path("lcrag.toml").write_text("json = true\n")
    assert lcrag("ask", "docs", "backend").json["code"] == 5
    monkeypatch.setenv("LCRAG_JSON", "no")
    assert lcrag("ask", "docs", "who?").out.startswith("It was")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("max_token = 1", "lcrag.toml: max_token: there is no such option"),
        ('max_tokens = "1"', "lcrag.toml: max_tokens must be a whole number, not '1'"),
        ("max_tokens = 1.5", "lcrag.toml: max_tokens must be a whole number, not 1.5"),
        ("max_tokens = true", "lcrag.toml: max_tokens must be a whole number, not True"),
        ("max_tokens = 0", "lcrag.toml: max_tokens must be at least 1, not 0"),
        ("min_quality = 3", "lcrag.toml: min_quality must be at least 0 and at most 1, not 3"),
        ('max_seconds = "1"', "lcrag.toml: max_seconds must be a number, not '1'"),
        ('json = "yes"', "lcrag.toml: json must be true or false, not 'yes'"),
        ("model = 3", "lcrag.toml: model must be a text, not 3"),
        ("questions = 3", "lcrag.toml: questions must be a path in quotes, not 3"),
        ('prefer = "luck"', "lcrag.toml: prefer must be one of quality, balanced, speed, not 'luck'"),
        ("prefer = []", "lcrag.toml: prefer must be one of quality, balanced, speed, not []"),
        ('[preset.x]\nprefer = "luck"', "lcrag.toml [preset.x]: prefer must be one of"),
        ("[ask]\nmax_tokens = 1", "lcrag.toml: ask: there is no such option"),
        ('preset = "x"', "lcrag.toml: preset must be a table of tables"),
        ("clear = true", "lcrag.toml: clear: there is no such option"),
        ('api_key = "secret"', "lcrag.toml: api_key: a key does not belong into a file"),
        ('[preset.x]\napi-key = "secret"', "lcrag.toml [preset.x]: api-key: a key does not belong into a file"),
        ("max_tokens = ", "lcrag.toml: Invalid value (at line 1"),
    ],
)
def test_a_wrong_file_is_named_with_its_key(lcrag: Lcrag, content: str, message: str) -> None:
    Path("lcrag.toml").write_text(content + "\n")
    for command in ("ask", "plan"):
        result = lcrag(command, "docs", "who?")
        assert (result.code, result.out) == (2, "")
        assert message in result.err
        assert "secret" not in result.err
    assert lcrag("ask", "docs", "who?", "--json").json["kind"] == "BadConfig"


def test_a_file_that_is_not_utf_8(lcrag: Lcrag) -> None:
    Path("lcrag.toml").write_bytes(b'model = "\xff"\n')
    assert lcrag("ask", "docs", "who?").code == 2


def test_a_wrong_environment_is_named(lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_MAX_TOKENS", "many")
    result = lcrag("ask", "docs", "who?")
    assert result.code == 2
    assert "LCRAG_MAX_TOKENS" in result.err


def test_verbose_says_where_each_value_came_from(lcrag: Lcrag, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user.write_text("max_tokens = 1\n")
    Path("lcrag.toml").write_text('[preset.quick]\nprefer = "speed"\n')
    monkeypatch.setenv("LCRAG_DENSE", "off")
    monkeypatch.setenv("LCRAG_API_KEY", "secret")
    said = lcrag("ask", "docs", "who?", "-v", "--preset", "quick").err
    assert f"max_tokens = 1  ({user})\n" in said
    assert "prefer = speed  (lcrag.toml [preset.quick])\n" in said
    assert "dense = off  (LCRAG_DENSE)\n" in said
    assert "preset = quick  (command line)\n" in said
    assert "backend =" not in said
    assert "secret" not in said


def test_every_option_can_be_configured_and_shared_ones_stand_before_the_command() -> None:
    group = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    every = {name: group[name] for name in COMMANDS}
    names = {param.name for command in every.values() for param in command.params}
    once = {
        "words",
        "paths",
        "model",
        "flags",
        "config",
        "preset",
        "status",
        "clear",
        "help",
        "history",
        "show_all",
        "docs",
        "show",
        "chart",
    }
    assert names - set(CONFIGURABLE) <= once
    assert not set(CONFIGURABLE) - names
    for command in (every[name] for name in ("ask", "plan", "index")):
        flags = {flag for param in command.params for flag in param.opts}
        assert set(BEFORE) - {"-vv"} <= flags


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    line = COMMANDS[name][2]
    assert command.name == name
    assert command.help.split()[:3] == line.split()[:3]
    assert len(line) <= 66
