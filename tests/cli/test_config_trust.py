"""What a lcrag.toml in the working folder may not set, since it may have come with somebody else's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcrag.cli.config import load
from lcrag.cli.options import CONFIGURABLE
from lcrag.errors import BadConfig

KEYS = ("base_url", "base-url", "index", "html", "csv", "resume", "embedder", "python", "png", "cors", "host", "token")


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own lcrag.toml; the working folder is another one."""
    own = tmp_path / "config"
    (tmp_path / "work").mkdir()
    own.mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("lcrag.cli.config.config_folder", lambda: own)
    return own / "lcrag.toml"


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("table", ["", "[preset.x]\n"])
def test_load_refuses_from_the_working_folder_what_only_the_user_may_set(user: Path, key: str, table: str) -> None:
    Path("lcrag.toml").write_text(f'{table}{key} = "http://127.0.0.1:9/v1"\n')
    with pytest.raises(BadConfig, match=f"{key} may not be set by a file in the working folder") as refused:
        load(None, None, CONFIGURABLE)
    assert str(Path("lcrag.toml").absolute()) in str(refused.value)
    assert str(user) in refused.value.hint
    assert refused.value.exit_code == 2
    assert len(load(Path("lcrag.toml"), "x" if table else None, CONFIGURABLE)) == 1  # named with --config
    Path("lcrag.toml").replace(user)
    assert len(load(None, "x" if table else None, CONFIGURABLE)) == 1


def test_load_takes_all_from_the_users_file_in_its_own_folder(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user.write_text('base_url = "http://127.0.0.1:9/v1"\n')
    monkeypatch.chdir(user.parent)
    assert load(None, None, CONFIGURABLE)["base_url"][0] == "http://127.0.0.1:9/v1"
