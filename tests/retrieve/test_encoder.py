"""The exported model is a file in the cache, which may be damaged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lcrag.retrieve import encoder


@pytest.mark.parametrize("damaged", [b"", b"no model", b"\x08\x07\x12\x07pytorch\x1a"])
def test_open_exported_exports_a_damaged_file_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bytes
) -> None:
    pytest.importorskip("onnxruntime")
    target = tmp_path / "model.onnx"
    target.write_bytes(damaged)
    load = encoder.onnx_session
    monkeypatch.setattr(
        encoder, "onnx_session", lambda path: load(path) if path.read_bytes() != b"right" else "session"
    )

    def export(path: Path, *_: object) -> Path:
        if not path.exists():
            path.write_bytes(b"right")
        return path

    monkeypatch.setattr(encoder, "exported", export)
    assert encoder.open_exported(target, "model", "--dense off") == "session"


def test_open_exported_raises_if_a_fresh_export_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(encoder, "exported", lambda path, *_: path)
    monkeypatch.setattr(encoder, "onnx_session", fail)
    with pytest.raises(RuntimeError):
        encoder.open_exported(tmp_path / "model.onnx", "model", "--dense off")


@pytest.mark.parametrize(("value", "threads"), [("3", 3), ("2,1", 2), ("many", os.cpu_count()), ("", os.cpu_count())])
def test_onnx_session_keeps_to_the_threads_of_openmp(monkeypatch: pytest.MonkeyPatch, value: str, threads: int) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda _, *, sess_options, providers: sess_options)
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert encoder.onnx_session(Path("model.onnx")).intra_op_num_threads == threads
