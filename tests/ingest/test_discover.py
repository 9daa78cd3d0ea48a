"""Which files are read, which are skipped, and that every skipped one is counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lcrag.errors import InputError, NoSuchPath
from lcrag.ingest import discover


def tree(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def names(root: Path, *paths: Path | str) -> list[str]:
    return [os.path.relpath(file.path, root) for file in discover(paths or [root]).files]


def test_discover_walks_folders_and_counts_what_it_skips(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "a.md": "text",
            "sub/b.txt": "text",
            "sub/.hidden/c.txt": "text",
            ".env": "secret",
            "d.png": b"\x89PNG",
            "e.unknown": b"ab\0\0cd",
            "f.noext": "plain",
            "empty.txt": "",
        },
    )
    scan = discover([tmp_path])
    assert [Path(file.path).name for file in scan.files] == ["a.md", "f.noext", "b.txt"]
    assert scan.skipped == {"hidden": 2, "binary": 2, "empty": 1}


def test_discover_respects_nested_and_negated_ignore_files(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            ".gitignore": "*.log\nbuild/\n",
            ".lcragignore": "drafts\n",
            "a.md": "x",
            "b.log": "x",
            "build/c.md": "x",
            "drafts/d.md": "x",
            "sub/.gitignore": "!keep.log\n/only-here.md\n",
            "sub/keep.log": "x",
            "sub/only-here.md": "x",
            "sub/deeper/only-here.md": "x",
        },
    )
    assert names(tmp_path) == ["a.md", "sub/deeper/only-here.md", "sub/keep.log"]
    assert discover([tmp_path]).skipped == {"ignored": 4}


def test_discover_uses_outer_ignore_files_only_in_a_repository(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "*.tmp\n", "docs/a.md": "x", "docs/b.tmp": "x"})
    assert names(tmp_path, tmp_path / "docs") == ["docs/a.md", "docs/b.tmp"]
    (tmp_path / ".git").mkdir()
    assert names(tmp_path, tmp_path / "docs") == ["docs/a.md"]


def test_discover_skips_links_out_of_the_tree_and_loops(tmp_path: Path) -> None:
    tree(tmp_path, {"inside/a.md": "x", "outside/b.md": "x"})
    (tmp_path / "inside/out").symlink_to(tmp_path / "outside")
    (tmp_path / "inside/out.md").symlink_to(tmp_path / "outside/b.md")
    (tmp_path / "inside/loop").symlink_to(tmp_path / "inside")
    (tmp_path / "inside/dead").symlink_to(tmp_path / "inside/nowhere")
    (tmp_path / "inside/same.md").symlink_to(tmp_path / "inside/a.md")
    scan = discover([tmp_path / "inside"])
    assert [Path(file.path).name for file in scan.files] == ["a.md"]
    assert scan.skipped == {"outside_tree": 3}


def test_discover_reads_a_named_file_even_if_hidden_or_ignored(tmp_path: Path) -> None:
    tree(tmp_path, {".gitignore": "*", ".notes.md": "x"})
    assert names(tmp_path, tmp_path / ".notes.md") == [".notes.md"]


def test_discover_lists_each_file_once(tmp_path: Path) -> None:
    tree(tmp_path, {"a.md": "x"})
    assert len(discover([tmp_path, tmp_path / "a.md", str(tmp_path) + "/"]).files) == 1


def test_discover_writes_sources_as_the_user_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, {"docs/sub/a.md": "x", "docs/b.md": "x"})
    monkeypatch.chdir(tmp_path)
    assert [file.source for file in discover(["docs/"]).files] == ["docs/b.md", "docs/sub/a.md"]
    assert [file.source for file in discover(["./docs/**/*.md"]).files] == ["docs/b.md", "docs/sub/a.md"]
    assert discover([tmp_path / "docs"]).files[0].source == f"{tmp_path}/docs/b.md"


@pytest.mark.parametrize("path", ["nowhere", "no*where", "", "a\0b"])
def test_discover_raises_no_such_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoSuchPath):
        discover([path])


def test_discover_refuses_a_named_binary_with_a_hint(tmp_path: Path) -> None:
    tree(tmp_path, {"a.png": b"\x89PNG\0"})
    with pytest.raises(InputError, match="binary") as refused:
        discover([tmp_path / "a.png"])
    assert "convert" in refused.value.hint


def test_discover_skips_or_refuses_a_large_file(tmp_path: Path) -> None:
    big = tmp_path / "big.txt"
    with big.open("wb") as file:
        file.truncate(256_000_001)
    assert discover([tmp_path]).skipped == {"too_large": 1}
    with pytest.raises(InputError, match="256 MB"):
        discover([big])


def test_discover_tells_a_glob_from_a_file_with_such_a_name(tmp_path: Path) -> None:
    tree(tmp_path, {"a[1].md": "x", "b.md": "x", "c.txt": "x"})
    assert names(tmp_path, tmp_path / "a[1].md") == ["a[1].md"]
    assert names(tmp_path, f"{tmp_path}/*.md") == ["a[1].md", "b.md"]


def test_discover_glob_does_not_follow_links(tmp_path: Path) -> None:
    tree(tmp_path, {"a.md": "x", "sub/b.md": "x", "sub/.hidden.md": "x"})
    for number in range(3):
        (tmp_path / f"loop{number}").symlink_to(tmp_path)
    assert names(tmp_path, f"{tmp_path}/**/*.md") == ["a.md", "sub/b.md"]


def test_discover_accepts_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")).write_text("x")
    [file] = discover([tmp_path]).files
    assert file.source.endswith("\ufffd.txt")
    assert Path(file.path).read_text() == "x"


@pytest.mark.parametrize("name", ["a.dat", "a.bin", "a.db", "a.unknown"])
def test_discover_reads_a_named_file_that_is_text(tmp_path: Path, name: str) -> None:
    tree(tmp_path, {name: "The pier is 90 m long.", "utf16.dat": "The pier".encode("utf-16-le")})
    assert names(tmp_path, tmp_path / name, tmp_path / "utf16.dat") == [name, "utf16.dat"]


@pytest.mark.parametrize("data", [b"\x89PNG\0", bytes(range(1, 256)) * 20])
def test_discover_refuses_a_named_file_whose_bytes_are_no_text(tmp_path: Path, data: bytes) -> None:
    tree(tmp_path, {"a.bin": data})
    with pytest.raises(InputError, match="binary"):
        discover([tmp_path / "a.bin"])


def test_discover_reads_utf16_without_a_mark(tmp_path: Path) -> None:
    tree(tmp_path, {"a.unknown": "The pier is long.".encode("utf-16-be"), "b.unknown": b"\0\1\2\3" * 9})
    assert names(tmp_path) == ["a.unknown"]
