"""Vectors are stored under their content, and the file next to the index gives the same cosines."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from support.corpora import index

from lcrag.index import vectors
from lcrag.index.corpus import Corpus
from lcrag.index.vectors import file_cosines, write_file


def unit_vectors(rows: int, dimensions: int = 24) -> npt.NDArray[np.float32]:
    array = np.random.default_rng(7).standard_normal((rows, dimensions), np.float32)
    return np.asarray(array / np.linalg.norm(array, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize("rows", [0, 1, 8, 9, 50])
def test_file_cosines_are_those_of_rounded_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, cores: int
) -> None:
    monkeypatch.setattr(vectors, "BLOCK_ROWS", 8)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    array = unit_vectors(rows)
    array[3:5] = np.nan
    query = unit_vectors(1)[0]
    path = tmp_path / "new folder" / "v"
    write_file(path, "one", 24, (array[at : at + 8] for at in range(0, rows, 8)))
    products = file_cosines(path, "one", query)
    assert products is not None
    expected = array.astype(np.float16).astype(np.float32) @ query
    assert np.allclose(products, expected, atol=1e-6, equal_nan=True)


def test_file_cosines_convert_every_float16_exactly(tmp_path: Path) -> None:
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    numbers = numbers[np.isfinite(numbers)].astype(np.float32).reshape(-1, 1)
    write_file(
        tmp_path / "v",
        "one",
        1,
        [numbers[at : at + vectors.BLOCK_ROWS] for at in range(0, len(numbers), vectors.BLOCK_ROWS)],
    )
    products = file_cosines(tmp_path / "v", "one", np.ones(1, np.float32))
    assert products is not None
    assert np.array_equal(products, numbers[:, 0])


def test_file_cosines_ignore_another_stamp_or_dimension(tmp_path: Path) -> None:
    query = unit_vectors(1)[0]
    assert file_cosines(tmp_path / "v", "one", query) is None
    write_file(tmp_path / "v", "one", 24, [unit_vectors(3)])
    assert file_cosines(tmp_path / "v", "two", query) is None
    assert file_cosines(tmp_path / "v", "one", query[:12]) is None


def test_write_file_interrupted_leaves_the_old_file(tmp_path: Path) -> None:
    def blocks() -> object:
        yield unit_vectors(3)
        raise KeyboardInterrupt

    write_file(tmp_path / "v", "one", 24, [unit_vectors(3)])
    before = (tmp_path / "v").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "v", "two", 24, blocks())  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["v"]
    assert (tmp_path / "v").read_bytes() == before


def test_cosines_are_the_same_with_and_without_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Corpus.open(tmp_path) as corpus:
        index(corpus, *(f"Boat {number} lands herring." for number in range(20)), "Boat 3 lands herring.")
        ids, _ = corpus.layout()
        array = unit_vectors(len(ids))
        assert corpus.store_vectors(ids[::2].tolist(), "m", array[::2])
        query = unit_vectors(1)[0]
        plain = corpus.cosines(query, "m", ids)
        assert np.isnan(plain).sum() == len(ids) // 2
        monkeypatch.setattr(vectors, "FILE_FROM", 1)
        assert np.array_equal(corpus.cosines(query, "m", ids), plain, equal_nan=True)
        assert len(list(tmp_path.glob("*.vectors"))) == 1
        assert corpus.store_vectors(ids.tolist(), "m", array)
        late = corpus.cosines(query, "m", ids)
        assert np.allclose(late, array @ query, atol=1e-3), "vectors stored after the file was written"
        assert np.isnan(corpus.cosines(query, "other", ids)).all()


@pytest.mark.parametrize("kind", ["empty", "garbage", "cut", "longer", "one bit"])
def test_cosines_rewrite_a_damaged_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(vectors, "FILE_FROM", 1)
    with Corpus.open(tmp_path) as corpus:
        index(corpus, *(f"Boat {number} lands herring." for number in range(20)))
        ids, _ = corpus.layout()
        assert corpus.store_vectors(ids.tolist(), "m", unit_vectors(len(ids)))
        query = unit_vectors(1)[0]
        right = corpus.cosines(query, "m", ids)
        [path] = tmp_path.glob("*.vectors")
        before = path.read_bytes()
        flipped = bytes([before[600] ^ 4])
        path.write_bytes(
            {
                "empty": b"",
                "garbage": b"\x5a" * len(before),
                "cut": before[:-8],
                "longer": before + b"\0",
                "one bit": before[:600] + flipped + before[601:],
            }[kind]
        )
        assert np.array_equal(corpus.cosines(query, "m", ids), right)
        assert path.read_bytes() == before


def test_cosines_need_no_file_where_none_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Corpus.open(tmp_path) as corpus:
        index(corpus, *(f"Boat {number} lands herring." for number in range(20)))
        ids, _ = corpus.layout()
        assert corpus.store_vectors(ids[::2].tolist(), "m", unit_vectors(len(ids))[::2])
        query = unit_vectors(1)[0]
        plain = corpus.cosines(query, "m", ids)
        monkeypatch.setattr(vectors, "FILE_FROM", 1)
        monkeypatch.setattr(vectors, "write_file", fail)
        assert np.allclose(corpus.cosines(query, "m", ids), plain, equal_nan=True)


def test_cosines_by_content_skip_chunks_outside_the_snapshot(tmp_path: Path) -> None:
    with Corpus.open(tmp_path) as corpus, Corpus.open(tmp_path) as other:
        index(corpus, "Boat 1.", "Boat 2.")
        index(other, "Boat 1.", "Boat 2.", "Boat 3.")
        ids, _ = other.layout()
        assert other.store_vectors(ids.tolist(), "m", unit_vectors(len(ids)))
        older, _ = corpus.layout()
        assert len(corpus.cosines(unit_vectors(1)[0], "m", older)) == len(older) == 2
