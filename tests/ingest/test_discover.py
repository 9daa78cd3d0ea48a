"""Which files are read, which are skipped, and that every skipped one is counted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lcrag.errors import InputError, NoSuchPath
from lcrag.ingest import Scan, discover


def tree(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def names(root: Path, *paths: Path | str) -> list[str]:
    return [os.path.relpath(file.path, root) for file in discover(paths or [root]).files]


def counts(scan: Scan) -> dict[str, int]:
    return {reason: len(sources) for reason, sources in scan.skipped.items()}


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
    assert counts(scan) == {"hidden": 2, "binary": 2, "empty": 1}


def test_scan_names_what_may_hold_an_answer_and_not_what_the_user_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["lcrag.ingest.discover"], "MAX_FILE_BYTES", 100)
    files = {"a.md": "text", "b.doc": b"\0", "c.txt": "x" * 101, ".hidden": "x", "d.log": "x", ".gitignore": "*.log"}
    tree(tmp_path / "docs", {**files, "empty.txt": ""})
    (tmp_path / "docs" / "e.md").symlink_to(tmp_path / "docs" / "gone.md")
    monkeypatch.chdir(tmp_path)
    assert [source for source, _ in discover(["docs"]).left_out] == ["docs/c.txt", "docs/e.md", "docs/b.doc"]


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
    assert counts(discover([tmp_path])) == {"ignored": 4}


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
    assert counts(scan) == {"outside_tree": 3}


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
    assert counts(discover([tmp_path])) == {"too_large": 1}
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


def test_discover_reads_a_named_text_whatever_its_suffix(tmp_path: Path) -> None:
    tree(tmp_path, {"pier.dat": "The pier is 90 m long.", "short.gz": b"\x1f\x8b\x08\x01\x01"})
    assert names(tmp_path, tmp_path / "pier.dat") == ["pier.dat"]
    assert counts(discover([tmp_path])) == {"binary": 1}
    with pytest.raises(InputError, match="binary"):
        discover([tmp_path / "short.gz"])


def test_discover_tells_names_apart_that_are_not_utf8(tmp_path: Path) -> None:
    for name in (
        b"caf\xe9.txt",
        b"caf\xe8.txt",
        rb"caf\xe9.txt",
        "caf\xe9.txt".encode(),
        b"caf\xc2\x85",
        rb"caf\u0085",
    ):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("x")
    files = discover([tmp_path]).files
    assert [Path(file.path).read_text() for file in files] == ["x"] * 6
    assert len({file.source for file in files}) == 6
    assert {r"caf\xe9.txt", "caf\xe9.txt"} < {Path(file.source).name for file in files}


def test_discover_shows_no_control_characters_of_names(tmp_path: Path) -> None:
    (tmp_path / "a\nb\x1b[2J\x9b\u202ec.md").write_text("x")
    [file] = discover([tmp_path]).files
    assert file.source == f"{tmp_path}/a\\x0ab\\x1b[2J\\u009b\\u202ec.md"


def test_discover_finds_a_decomposed_name_by_its_composed_form(tmp_path: Path) -> None:
    composed, decomposed = "caf\xe9", "cafe\u0301"
    tree(tmp_path, {f"{decomposed}/{decomposed}.md": "x", f"{decomposed}.md": "x"})
    assert names(tmp_path, tmp_path / composed / f"{composed}.md") == [f"{decomposed}/{decomposed}.md"]
    assert names(tmp_path, tmp_path / composed) == [f"{decomposed}/{decomposed}.md"]
    assert names(tmp_path, f"{tmp_path}/{composed}*") == [f"{decomposed}.md"]
    with pytest.raises(NoSuchPath):
        discover([tmp_path / "caf\xe8"])


def test_discover_leaves_out_what_vanishes_while_it_walks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, {"a.md": "x", "b.md": "x", "c/d.md": "x", "e.md": "x"})
    module = sys.modules["lcrag.ingest.discover"]
    original = module._file

    def tidy_up(*args: object, **named: object) -> object:
        (tmp_path / "b.md").unlink(missing_ok=True)
        shutil.rmtree(tmp_path / "c", ignore_errors=True)
        return original(*args, **named)

    monkeypatch.setattr(module, "_file", tidy_up)
    scan = discover([tmp_path])
    assert [Path(file.path).name for file in scan.files] == ["a.md", "e.md"]
    assert counts(scan) == {"vanished": 2}


def test_discover_walks_a_deep_tree(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    tree(tmp_path, {"a.md": "x", ".gitignore": "*.tmp", f"{'d/' * 1500}b.md": "x"})
    try:
        scan = discover([tmp_path])
        assert [Path(file.path).name for file in scan.files] == ["a.md", "b.md"]
        assert counts(scan) == {"unreadable_folder": 1}, "no path is longer than 4,096 bytes"
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path)], check=True)


def test_discover_counts_an_ignore_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, {".gitignore": "*.md", "a.md": "x"})

    def deny(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", deny)
    scan = discover([tmp_path])
    assert len(scan.files) == 1
    assert counts(scan) == {"unreadable_ignore_file": 1}


PATTERNS = [
    *"a.md /a.md *.md !b.md ! a\\ \\ [z-a] [ab].md [!a].md [[] []] sub/ sub/* sub/** **/b.md sub/**/b.md".split(),
    *"*** a** **b* *a*b* sub/***b.md ***/b.md #x \\#x \\!x ?.md caf\xe9* *.m[d] /* !/sub sub !sub/b.md *\\*".split(),
    *("x ", "x\\ ", "\t", "", "a.md\r", "x\u2028y"),
]
PATHS = ["a.md", "b.md", "x", "x ", "#x", "!x", "sub/b.md", "sub/deep/b.md", "ab", "caf\xe9.txt", "]", "x\u2028y", "a*"]


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=5), has_bom=st.booleans())
def test_discover_ignores_what_git_ignores(tmp_path: Path, lines: list[str], has_bom: bool) -> None:
    if not (tmp_path / ".git").exists():
        subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
        tree(tmp_path, dict.fromkeys(PATHS, "x"))
    (tmp_path / ".gitignore").write_bytes(b"\xef\xbb\xbf" * has_bom + "\n".join(lines).encode())
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"], cwd=tmp_path, capture_output=True, check=True
    )
    assert set(names(tmp_path)) == {os.fsdecode(name) for name in listed.stdout.split(b"\0") if name} - {".gitignore"}


@pytest.mark.parametrize(
    "line", ["************b", "*a*a*a*a*a*a*a*a*b", "**/a/**/a/**/a/**/a/**/b", "[!b]*[!b]*[!b]*[!b]*b"]
)
def test_discover_needs_no_time_for_a_hostile_pattern(tmp_path: Path, line: str) -> None:
    tree(tmp_path, {".gitignore": line, "a" * 200: "x", f"{'a/' * 100}a": "x"})
    started = time.process_time()
    assert len(names(tmp_path)) == 2
    assert time.process_time() - started < 2


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
