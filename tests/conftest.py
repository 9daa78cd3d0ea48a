"""Settings that every test shares: repeatable hypothesis runs, and no test writes outside its temporary folder."""

from __future__ import annotations

import fcntl
import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lcrag.paths import cache_folder
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.reranker import MiniLMReranker

settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
"""Threads of torch and vLLM that wait for each other sleep. By default they spin, which takes the processor from each
other and from other tests: on two busy cores an answer of SmolLM2 took 10 s of processor time, this way 0.5 s."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What ``-n auto`` means: one worker more than processors, since many tests wait for a process or for a time."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_finish() -> None:
    """Thousands of collected tests are no garbage: Python need not look through them again and again."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _private_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test; the user's cache and configuration stay as they are."""
    for name in [name for name in os.environ if name.startswith("LCRAG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("lcrag.backends.local_server.USUAL_PORT", 1)  # no server here answers a test


@pytest.fixture(scope="session")
def reader() -> MiniLMReranker:
    """The reader itself, made once in the user's cache, as the embedder is: by one process while others wait."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        load_embedder()
        reader = MiniLMReranker()
        reader.read("Who?", ["Ann."])
    return reader


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: MiniLMReranker) -> Path:
    """A cache of its own for indexes; the exported models are those of the user's cache."""
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "models").symlink_to(cache_folder() / "models", target_is_directory=True)
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(cache))
    return cache
