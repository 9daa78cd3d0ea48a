"""Files are written whole or not at all, and one set of paths has one key."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import lcrag.paths
from lcrag.errors import InputError
from lcrag.index import folder_of
from lcrag.paths import cache_folder, key_of, private_folder, replacing, write_whole

KILLED = """
import os, signal, sys
from pathlib import Path
from lcrag.paths import write_whole

def write_half(self, data):
    with open(self, "wb") as file:
        file.write(data[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)

Path.write_bytes = write_half
write_whole(Path(sys.argv[1]), "new text " * 1000)
"""


def test_write_whole_writes_text_and_bytes_and_makes_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_whole(path, "Grüße\r\n")
    assert path.read_bytes() == "Grüße\r\n".encode()
    write_whole(path, b"\0\xff")
    assert path.read_bytes() == b"\0\xff"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]


def test_write_whole_has_the_usual_permissions(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)


@pytest.mark.parametrize("before", [None, "old text"])
def test_write_whole_killed_leaves_no_truncated_file(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "a.txt"
    if before is not None:
        path.write_text(before)
    root = Path(lcrag.paths.__file__).parents[1]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=root)
    assert killed.returncode == -signal.SIGKILL
    assert (path.read_text() if path.exists() else None) == before
    [left] = (entry for entry in tmp_path.iterdir() if entry != path)
    os.utime(left, (0, 0))
    write_whole(path, "new text")
    assert path.read_text() == "new text"
    assert list(tmp_path.iterdir()) == [path], "what the killed process left is removed"


def test_replacing_leaves_temporary_folders_of_living_processes_and_of_others(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    (tmp_path / "a.txt.backup.d").mkdir()
    with replacing(path) as first:
        os.utime(first.parent, (0, 0))
        first.write_text("first")
        write_whole(path, "second")
        assert first.read_text() == "first"
    assert path.read_text() == "first"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.txt", "a.txt.backup.d"]


def test_private_folder_is_for_the_user_alone_and_leaves_others_as_they_are(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private_folder(tmp_path / "a" / "b")
    private_folder(tmp_path / "a" / "b")
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o755, 0o700, 0o700]


def test_key_of_accepts_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert len(key_of([tmp_path / "loop"])) == 16


def test_replacing_leaves_the_old_file_after_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_whole(path, "old")

    def write_half() -> None:
        with replacing(path) as temporary_file:
            temporary_file.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_key_of_is_the_same_for_every_form_of_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (tmp_path / "link").symlink_to(docs)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    forms: list[str | Path] = ["~/docs", docs, str(docs), f"{docs}/", "docs", "./docs/../docs", "link"]
    assert len({key_of([form]) for form in forms}) == 1
    assert key_of(["docs", "other"]) == key_of(["other", "~/docs", docs]) != key_of(["docs"])


def test_key_of_absolute_paths_names_existing_indexes(tmp_path: Path) -> None:
    joined = "\0".join(sorted([str(tmp_path / "b"), str(tmp_path / "a")]))
    assert key_of([tmp_path / "b", tmp_path / "a"]) == hashlib.sha256(joined.encode()).hexdigest()[:16]


def test_folder_of_is_one_for_home_and_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder_of(["~/docs"]) == folder_of([str(tmp_path / "docs")])
    assert folder_of(["~/docs", "-"]).parent == cache_folder() / "index"


def test_folder_of_an_address_is_the_same_wherever_it_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = str(tmp_path / "docs")
    folders = []
    for folder, file in (("a", "own.db"), ("b", "../a/own.db")):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        named = ["postgresql://me@host/db", "milvus:http://host:19530", f"milvus:{file}"]
        folders.append([folder_of([docs], one) for one in named])
    assert folders[0] == folders[1]
    assert len(set(folders[0])) == 3
    assert folder_of([docs], "milvus:own.db") not in folders[0], "another file"


@pytest.mark.parametrize("named", ["postgresql:", "postgres:db", "mysql://host/db", "http://host:19530"])
def test_folder_of_refuses_an_address_of_something_else(named: str) -> None:
    with pytest.raises(InputError, match="no address of an index") as raised:
        folder_of(["docs"], named)
    assert "postgresql://USER@HOST/DATABASE" in raised.value.hint
