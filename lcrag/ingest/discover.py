"""Finds the files to read: walks folders, respects ignore files, names everything that is left out."""

from __future__ import annotations

import codecs
import glob
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from lcrag.errors import InputError, NoSuchPath
from lcrag.ingest.patterns import spec_of
from lcrag.ingest.text import unmarked_utf16

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MAX_FILE_BYTES: Final = 256_000_000
"""Larger files in a folder are skipped: they are seldom text that someone wrote."""

IGNORE_FILES: Final = (".gitignore", ".lcragignore")
NOT_READ: Final = {
    "too_large": f"more than {MAX_FILE_BYTES / 1e6:,.0f} MB",
    "unreadable_folder": "a folder that cannot be read",
    "vanished": "gone while the folder was read",
    "outside_tree": "a link that leads out of the folder",
    "binary": "a format that lcrag does not read",
}
"""Reasons for which what may hold an answer is left out. The others are the user's wish, or nothing is there."""
SNIFFED: Final = 4096

BINARY: Final = frozenset(
    """
    .7z .a .avi .bin .bmp .bz2 .class .db .dll .dmg .doc .ds_store .dylib .exe .flac .gif .gz .ico
    .iso .jar .jpeg .jpg .m4a .mkv .mov .mp3 .mp4 .mpeg .npy .npz .o .ogg .onnx .otf
    .parquet .pickle .pkl .png .ppt .psd .pyc .pyo .rar .safetensors .so .sqlite .sqlite-shm .sqlite-wal .sqlite3
    .tar .tgz .tif .tiff .ttf .wasm .wav .webm .webp .whl .woff .woff2 .xz .zip .zst
    """.split()
)
CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""Bytes that are hardly ever in text; a compressed file has 11% of them."""
TEXT: Final = frozenset(
    """
    .adoc .bat .c .cc .cfg .clj .conf .cpp .cs .css .csv .dart .erl .ex .go .h .hpp .hs
    .ini .java .jl .js .json .jsonl .jsx .kt .less .lock .log .lua .m .markdown .md .mdx .mjs .ml
    .ndjson .org .php .pl .proto .ps1 .py .pyi .r .rb .rs .rst .scala .scss .sh .sql .srt .svelte
    .swift .tcl .tex .text .toml .ts .tsv .tsx .txt .vtt .vue .xml .yaml .yml .zig
    """.split()
)
"""Read as they are; the formats with an extractor of their own are in ``lcrag.ingest``."""


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


Skipped = defaultdict[str, list[str]]


@dataclass(slots=True)
class _Rules:
    """Ignore files from the outermost folder inwards: the last pattern that matches a path decides."""

    specs: list[tuple[str, GitIgnoreSpec]] = field(default_factory=list)

    def inside(self, folder: str, names: set[str], skipped: Skipped) -> _Rules:
        """These and those of the ignore files in ``folder``, a real path that ends with a separator."""
        specs = []
        for name in IGNORE_FILES:
            if name in names and os.path.isfile(folder + name):
                try:
                    specs.append((folder, _read_spec(Path(folder, name))))
                except OSError:
                    skipped["unreadable_ignore_file"].append(_shown(folder + name))
        return _Rules([*self.specs, *specs]) if specs else self

    def ignore(self, path: str, *, is_folder: bool) -> bool:
        """Whether a real path is ignored."""
        for folder, spec in reversed(self.specs):
            relative = path[len(folder) :]
            verdict = spec.check_file(relative + "/" if is_folder else relative).include
            if verdict is not None:
                return verdict
        return False


def _read_spec(path: Path) -> GitIgnoreSpec:
    """The patterns of an ignore file."""
    text = path.read_bytes().removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    return spec_of(text.split("\n"))


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
                file = _file(match, _shown(os.path.normpath(match)), os.stat(match), skipped)
            except FileNotFoundError:
                skipped["vanished"].append(_shown(os.path.normpath(match)))
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
    file = _file(path, _shown(os.path.normpath(path)), state, skipped, is_named=True)
    if file is not None:
        yield os.path.realpath(path), file
    elif state.st_size:
        raise InputError(
            f"{path} is a binary file that lcrag cannot read", hint="convert it to text, HTML or PDF first"
        )


def _walk(top: str, skipped: Skipped) -> Iterator[tuple[str, SourceFile]]:
    """The files under a folder. What goes or cannot be read while it is walked is left out."""
    root = os.path.realpath(top)
    waiting = [(top, os.path.join(root, ""), _outer_rules(root, skipped))]
    while waiting:
        folder, real, rules = waiting.pop()
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:  # no permission, or a path that is too long
            reason = "vanished" if isinstance(error, FileNotFoundError) else "unreadable_folder"
            skipped[reason].append(_shown(os.path.normpath(folder)))
            continue
        rules = rules.inside(real, {entry.name for entry in entries}, skipped)
        shown = _shown(os.path.normpath(os.path.join(folder, "*")))[:-1]  # computed once for many files
        for entry in entries:
            source = shown + _shown(entry.name)
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
    elif _is_binary(path, is_named):
        skipped["binary"].append(source)
    else:
        inode = state.st_ino & 0x7FFF_FFFF_FFFF_FFFF  # as much as SQLite holds
        return SourceFile(path, source, state.st_size, state.st_mtime_ns, state.st_ctime_ns, inode)
    return None


# Bytes that are not UTF-8, control characters, those that turn the direction of a line; and what looks like their form.
_UNSAFE = re.compile(
    r"[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]|\\(?=x[0-9a-f]{2}|u[0-9a-f]{4})"
)


def _shown(path: str) -> str:
    """The path as it is shown: safe to print, and another one for every path."""
    return _UNSAFE.sub(_escaped, path.replace(os.sep, "/"))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def _is_binary(path: str, is_named: bool) -> bool:
    """By the suffix, else by the first bytes; of a file that the user named the bytes decide against the suffix."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in _readable():
        return False
    if suffix in BINARY and not is_named:
        return True
    try:
        with open(path, "rb") as file:
            sample = file.read(SNIFFED)
    except OSError:
        return False  # reading it will give the reason
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    if encoding := unmarked_utf16(sample):
        sample = sample.decode(encoding, "replace").encode()
    doubtful = suffix in BINARY or encoding is not None
    return b"\0" in sample or (doubtful and len(CONTROL.findall(sample)) > len(sample) / 50)


@cache
def _readable() -> frozenset[str]:
    from lcrag.ingest import EXTRACTORS

    return TEXT.union(EXTRACTORS)


def _outer_rules(root: str, skipped: Skipped) -> _Rules:
    """The ignore files above the real path ``root``, when it is inside a repository."""
    inner = Path(root)
    above = list(inner.parents)
    top = next((number for number, parent in enumerate(above) if (parent / ".git").exists()), None)
    rules = _Rules()
    if top is None or (inner / ".git").exists():
        return rules
    for parent in reversed(above[: top + 1]):
        rules = rules.inside(os.path.join(parent, ""), set(IGNORE_FILES), skipped)
    return rules
