"""The origin of an option's value: command line, environment, files, presets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.invocation import Lcrag
from support.scripted import KEEPER

from lcrag.cli.commands import COMMANDS, load
from lcrag.cli.options import BEFORE, CONFIGURABLE
from lcrag.index import folder_of


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The user's own lcrag.toml."""
    folder = tmp_path / "config" / "lcrag"
    folder.mkdir(parents=True)
    return folder / "lcrag.toml"


def policy_of(lcrag: Lcrag, *args: str) -> Any:
    result = lcrag("ask", "docs", "who?", *args)
    assert result.code == 0, result.err
    return lcrag.asked[-1][1]


def test_config_precedence(lcrag: Lcrag, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert policy_of(lcrag).max_tokens is None
    user.write_text("max_tokens = 10001\nmax_seconds = 1\n")
    assert policy_of(lcrag).max_tokens == 10001
    Path("lcrag.toml").write_text("max-tokens = 10002\n")
    policy = policy_of(lcrag)
    assert (policy.max_tokens, policy.max_seconds) == (10002, 1)
    monkeypatch.setenv("LCRAG_MAX_TOKENS", "10003")
    assert policy_of(lcrag).max_tokens == 10003
    assert policy_of(lcrag, "--max-tokens", "10004").max_tokens == 10004


def test_preset_comes_before_the_files_and_after_the_environment(
    lcrag: Lcrag, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.write_text('[preset.quick]\nmax_tokens = 10010\nprefer = "speed"\n')
    Path("lcrag.toml").write_text("max_tokens = 10002\n[preset.quick]\nmax_seconds = 9\n")
    policy = policy_of(lcrag, "--preset", "quick")
    assert (policy.max_tokens, policy.prefer, policy.max_seconds) == (10010, "speed", 9)
    assert policy_of(lcrag).max_tokens == 10002
    monkeypatch.setenv("LCRAG_PRESET", "quick")
    monkeypatch.setenv("LCRAG_MAX_TOKENS", "10003")
    policy = policy_of(lcrag)
    assert (policy.max_tokens, policy.prefer) == (10003, "speed")


def test_preset_that_is_missing_is_refused(lcrag: Lcrag) -> None:
    assert "write [preset.such] into lcrag.toml" in lcrag("ask", "docs", "who?", "--preset", "such").err
    Path("lcrag.toml").write_text("[preset.b]\n[preset.a]\n")
    result = lcrag("--preset", "such", "ask", "docs", "who?")
    assert result.code == 2
    assert "presets: a, b" in result.err


def test_config_option_replaces_the_other_files(lcrag: Lcrag, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user.write_text("max_tokens = 10001\n")
    Path("lcrag.toml").write_text("max_tokens = 10002\n")
    Path("mine.toml").write_text("max_seconds = 3.5\n")
    policy = policy_of(lcrag, "--config", "mine.toml")
    assert (policy.max_tokens, policy.max_seconds) == (None, 3.5)
    monkeypatch.setenv("LCRAG_CONFIG", "mine.toml")
    assert policy_of(lcrag).max_seconds == 3.5


def test_config_of_flags_and_paths(lcrag: Lcrag, user: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LCRAG_DENSE")
    monkeypatch.setenv("HOME", str(tmp_path))
    user.write_text('index = "~/index"\nlayers = "section"\n')
    Path("lcrag.toml").write_text('sources = false\nescalate = false\nquiet = true\ndense = "off"\n')
    result = lcrag("ask", "docs", "who?")
    assert result.out == f"{KEEPER} [1].\n"
    assert result.err == ""
    assert lcrag.asked[-1][2] is False
    assert (folder_of((), lcrag.settings[-1].index), lcrag.settings[-1].dense) == (tmp_path / "index", "off")
    assert "[1] docs/a.md" in lcrag("ask", "docs", "who?", "--sources").out
    Path("lcrag.toml").write_text('json = true\ndense = "off"\n')
    assert lcrag("ask", "docs", "backend").json["code"] == 5
    monkeypatch.setenv("LCRAG_JSON", "no")
    assert lcrag("ask", "docs", "who?").out.startswith(KEEPER)


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
        ("model = 3", "lcrag.toml: model must be text in quotes, not 3"),
        ("questions = 3", "lcrag.toml: questions must be a path in quotes, not 3"),
        ('prefer = "luck"', "lcrag.toml: prefer must be one of quality, balanced, speed, not 'luck'"),
        ('layers = "page"', "lcrag.toml: layers must be one of section, not 'page'"),
        ("prefer = []", "lcrag.toml: prefer must be one of quality, balanced, speed, not []"),
        ('[preset.x]\nprefer = "luck"', "lcrag.toml [preset.x]: prefer must be one of"),
        ("[ask]\nmax_tokens = 1", "lcrag.toml: ask: there is no such option"),
        ('preset = "x"', "lcrag.toml: preset must be a table of tables"),
        ("clear = true", "lcrag.toml: clear: there is no such option"),
        ('api_key = "secret"', "lcrag.toml: api_key: a key does not belong in a file"),
        ('[preset.x]\napi-key = "secret"', "lcrag.toml [preset.x]: api-key: a key does not belong in a file"),
        ("max_tokens = ", "lcrag.toml: Invalid value (at line 1"),
    ],
)
def test_config_with_a_wrong_value_is_refused_with_file_and_key(lcrag: Lcrag, content: str, message: str) -> None:
    Path("lcrag.toml").write_text(content + "\n")
    for command in ("ask", "plan"):
        result = lcrag(command, "docs", "who?")
        assert (result.code, result.out) == (2, "")
        assert message in result.err
        assert "secret" not in result.err
    assert lcrag("ask", "docs", "who?", "--json").json["kind"] == "BadConfig"


def test_config_that_is_not_utf_8_is_refused(lcrag: Lcrag) -> None:
    Path("lcrag.toml").write_bytes(b'model = "\xff"\n')
    assert lcrag("ask", "docs", "who?").code == 2


def test_environment_with_a_wrong_value_is_named(lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_MAX_TOKENS", "many")
    result = lcrag("ask", "docs", "who?")
    assert result.code == 2
    assert "LCRAG_MAX_TOKENS" in result.err


def test_verbose_prints_the_origin_of_each_value(lcrag: Lcrag, user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user.write_text("max_tokens = 10001\n")
    Path("lcrag.toml").write_text('[preset.quick]\nprefer = "speed"\n')
    monkeypatch.setenv("LCRAG_DENSE", "off")
    monkeypatch.setenv("LCRAG_API_KEY", "secret")
    said = lcrag("ask", "docs", "who?", "-v", "--preset", "quick").err
    assert f"max_tokens = 10001  ({user})\n" in said
    assert "prefer = speed  (lcrag.toml [preset.quick])\n" in said
    assert "dense = off  (LCRAG_DENSE)\n" in said
    assert "preset = quick  (command line)\n" in said
    assert "backend =" not in said
    assert "secret" not in said


def test_options_can_all_be_configured_but_those_that_act_once() -> None:
    commands = {name: load(name) for name in COMMANDS}
    names = {param.name for command in commands.values() for param in command.params}
    once = "words paths model flags config preset status clear help history show_all docs show chart number last topic"
    once += " edit forget"
    assert names - set(CONFIGURABLE) <= set(once.split())
    assert not set(CONFIGURABLE) - names
    for command in (commands[name] for name in ("ask", "plan", "index")):
        flags = {flag for param in command.params for flag in param.opts}
        assert set(BEFORE) - {"-vv"} <= flags


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_line_is_that_of_their_own_help(name: str) -> None:
    command, line = load(name), COMMANDS[name][2]
    assert command.name == name
    assert command.help is not None
    assert command.help.split()[:3] == line.split()[:3]
    assert len(line) <= 66


def test_commands_suggest_the_nearest_name(lcrag: Lcrag) -> None:
    assert "Did you mean 'index'" in lcrag("indx", "docs").err
