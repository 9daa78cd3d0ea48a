"""Simon Willison's llm asks the server as it asks any that speaks OpenAI's API; only its configuration names it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from support.scripted import KEEPER
from support.web import TOKEN, Served


@pytest.mark.parametrize("stream", [(), ("--no-stream",)])
def test_llm_asks_the_server(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    monkeypatch.setattr("llm.plugins.LLM_LOAD_PLUGINS", "")
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: docs\n  model_name: lcrag\n  api_base: {server.url}/v1\n  api_key_name: lcrag\n"
    )
    from llm.cli import cli

    result = CliRunner().invoke(cli, ["-m", "docs", "who?", "--key", TOKEN, *stream])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{KEEPER} [1].\n\n[1] ")
