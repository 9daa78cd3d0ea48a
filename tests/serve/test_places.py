"""Each of several servers gets GPUs or cores of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcrag.errors import InputError
from lcrag.serve import places


def test_on_gpus_gives_each_replica_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3,5,7,GPU-9")
    assert places.on_gpus(2, 2) == [{"CUDA_VISIBLE_DEVICES": "2,3"}, {"CUDA_VISIBLE_DEVICES": "5,7"}]
    assert places.on_gpus(1, 4) == [{}]


def test_on_gpus_says_how_many_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(places, "GPUS", tmp_path)
    for number in range(4):
        (tmp_path / f"0000:0{number}").mkdir()
    assert places.on_gpus(4, 1)[3] == {"CUDA_VISIBLE_DEVICES": "3"}
    with pytest.raises(InputError, match="3 replicas of 2 need 6 GPUs, and 4 can be seen") as failed:
        places.on_gpus(3, 2)
    assert failed.value.hint.startswith("--replicas 2")


def test_on_cores_shares_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert places.on_cores(1, 1) == [{}]
    assert [place["OMP_NUM_THREADS"] for place in places.on_cores(3, 1)] == ["2", "2", "2"]
    assert places.on_cores(9, 1)[8]["OMP_NUM_THREADS"] == "1"
