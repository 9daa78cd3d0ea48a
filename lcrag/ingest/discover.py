"""Finds the files to read: walks folders, respects ignore files, names everything that is left out."""

from __future__ import annotations

import glob
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from lcrag.errors import InputError, NoSuchPath
from lcrag.ingest.binary import is_binary
from lcrag.ingest.ignore_files import IGNORE_FILES, Skipped, outer_rules
from lcrag.ingest.shown_path import shown_path

MAX_FILE_BYTES: Final = 256_000_000
"""Larger files in a folder are skipped: they are seldom text that someone wrote."""

NOT_READ: Final = {
    "too_large": f"more than {MAX_FILE_BYTES / 1e6:,.0f} MB",
    "unreadable_folder": "a folder that cannot be read",
    "vanished": "gone while the folder was read",
    "outside_tree": "a link that leads out of the folder",
    "binary": "a format that lcrag does not read",
}
"""Reasons for which what may hold an answer is left out. The others are the user's wish, or nothing is there."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read. ``source``: its path as the user would write it, with forward slashes. ``size`` in bytes.

    ``path`` is a string because a ``Path`` takes 3 µs to make, and few of many files have changed and are read.
    """

    path: str
    source: str
    size: int
    mtime_ns: int
    ctime_ns: int = 0
    inode: int = 0

    @property
    def stamp(self) -> tuple[int, int, int, int]:
        """What differs when another file, or the same one after a change, is there."""
        return self.size, self.mtime_ns, self.ctime_ns, self.inode


@dataclass(frozen=True, slots=True)
class Scan:
    """Files sorted by source, and the sources of the entries skipped for each reason.

    Reasons: hidden, ignored, binary, too_large, outside_tree, empty, vanished, unreadable_folder,
    unreadable_ignore_file. Of a skipped folder there is only its own name.
    """

    files: tuple[SourceFile, ...]
    skipped: Mapping[str, Sequence[str]]

    @property
    def left_out(self) -> tuple[tuple[str, str], ...]:
        """``(source, reason)`` of each entry that may hold an answer."""
        return tuple(
            (source, text) for reason, text in NOT_READ.items() for source in sorted(self.skipped.get(reason, ()))
        )


def discover(paths: Sequence[Path | str]) -> Scan:
    """The files under ``paths``: files, folders (walked), globs. Each file once, sorted by source.

    Raises NoSuchPath for a path that does not exist, InputError for a named file that is binary or too large.
    """
    files: dict[str, SourceFile] = {}
    skipped: Skipped = defaultdict(list)
    for path in map(str, paths):
        for resolved, file in _under(path, skipped):
            files.setdefault(resolved, file)
    return Scan(tuple(sorted(files.values(), key=lambda file: file.source)), dict(skipped))


def _under(path: str, skipped: Skipped) -> Iterator[tuple[str, SourceFile]]:
    """The files with their resolved paths."""
    if not path:
        raise NoSuchPath("an empty path", hint='lcrag ask docs/ "your question"')
    try:
        path = _spelled(os.path.expanduser(path))
        if os.path.isdir(path):
            yield from _walk(path, skipped)
            return
        if os.path.exists(path):
            yield from _named(path, skipped)
            return
        matches = []
        if glob.has_magic(path):
            matches = _matching(path) or _matching(unicodedata.normalize("NFD", path))
    except ValueError as error:  # a zero byte in the path
        raise NoSuchPath(f"no such path: {path!r} ({error})") from error
    if not matches:
        raise NoSuchPath(f"no such file or folder: {path}", hint="check the path; quote a glob: 'docs/**/*.md'")
    for match in matches:
        if os.path.isfile(match):
            try:
                file = _file(match, shown_path(os.path.normpath(match)), os.stat(match), skipped)
            except FileNotFoundError:
                skipped["vanished"].append(shown_path(os.path.normpath(match)))
                continue
            if file is not None:
                yield os.path.realpath(match), file


def _spelled(path: str) -> str:
    """The path as the file system has it: a name typed in composed letters is that of a file in decomposed ones."""
    if path.isascii() or os.path.lexists(path):
        return path
    spelled = ""
    for part in PurePath(path).parts:
        joined = os.path.join(spelled, part)
        if not os.path.lexists(joined):
            try:
                names = os.listdir(spelled or os.curdir)
            except OSError:
                return path
            composed = unicodedata.normalize("NFC", part)
            same = (name for name in names if unicodedata.normalize("NFC", name) == composed)
            joined = os.path.join(spelled, next(same, part))
        spelled = joined
    return spelled


def _matching(pattern: str) -> list[str]:
    """Paths that match, sorted. ``**`` does not follow links, so a link to a folder above makes no loop."""
    parts = PurePath(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    matches = Path(*parts[:fixed]).glob(str(PurePath(*parts[fixed:])))
    return sorted(str(path) for path in matches if not path.name.startswith("."))


def _named(path: str, skipped: Skipped) -> Iterator[tuple[str, SourceFile]]:
    """A file that the user named: read even if hidden or ignored; an error if it cannot be text."""
    state = os.stat(path)
    if not os.path.isfile(path):
        raise InputError(f"{path} is neither a file nor a folder", hint="a pipe is read with - as the path")
    if state.st_size > MAX_FILE_BYTES:
        raise InputError(
            f"{path} has {state.st_size / 1e6:,.0f} MB, more than {MAX_FILE_BYTES / 1e6:,.0f} MB", hint="split it"
        )
    file = _file(path, shown_path(os.path.normpath(path)), state, skipped, is_named=True)
    if file is not None:
        yield os.path.realpath(path), file
    elif state.st_size:
        raise InputError(
            f"{path} is a binary file that lcrag cannot read", hint="convert it to text, HTML or PDF first"
        )


def _walk(top: str, skipped: Skipped) -> Iterator[tuple[str, SourceFile]]:
    """The files under a folder. What goes or cannot be read while it is walked is left out."""
    root = os.path.realpath(top)
    waiting = [(top, os.path.join(root, ""), outer_rules(root, skipped))]
    while waiting:
        folder, real, rules = waiting.pop()
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:  # no permission, or a path that is too long
            reason = "vanished" if isinstance(error, FileNotFoundError) else "unreadable_folder"
            skipped[reason].append(shown_path(os.path.normpath(folder)))
            continue
        rules = rules.inside(real, {entry.name for entry in entries}, skipped)
        shown = shown_path(os.path.normpath(os.path.join(folder, "*")))[:-1]  # computed once for many files
        for entry in entries:
            source = shown + shown_path(entry.name)
            if entry.name.startswith("."):
                if entry.name not in IGNORE_FILES:
                    skipped["hidden"].append(source)
                continue
            try:
                target = real + entry.name
                if entry.is_symlink():
                    target = os.path.realpath(target)
                    if os.path.commonpath([root, target]) != root or not os.path.exists(target):
                        skipped["outside_tree"].append(source)
                        continue
                    if os.path.isdir(target):
                        continue  # its target is walked in its own place
                is_folder = entry.is_dir(follow_symlinks=False)
                if rules.specs and rules.ignore(real + entry.name, is_folder=is_folder):
                    skipped["ignored"].append(source)
                elif is_folder:
                    waiting.append((entry.path, os.path.join(target, ""), rules))
                elif entry.is_file():
                    file = _file(entry.path, source, entry.stat(), skipped)
                    if file is not None:
                        yield target, file
            except OSError:
                skipped["vanished"].append(source)


def _file(
    path: str, source: str, state: os.stat_result, skipped: Skipped, *, is_named: bool = False
) -> SourceFile | None:
    if state.st_size == 0:
        skipped["empty"].append(source)
    elif state.st_size > MAX_FILE_BYTES:
        skipped["too_large"].append(source)
    elif is_binary(path, is_named):
        skipped["binary"].append(source)
    else:
        inode = state.st_ino & 0x7FFF_FFFF_FFFF_FFFF  # as much as SQLite holds
        return SourceFile(path, source, state.st_size, state.st_mtime_ns, state.st_ctime_ns, inode)
    return None
