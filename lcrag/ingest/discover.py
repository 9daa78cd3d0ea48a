"""Finds the files to read: walks folders, respects ignore files, counts everything that is left out."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from lcrag.errors import InputError, NoSuchPath
from lcrag.ingest.text import unmarked_utf16

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MAX_FILE_BYTES: Final = 256_000_000
"""Larger files in a folder are skipped: they are seldom text that someone wrote."""

IGNORE_FILES: Final = (".gitignore", ".lcragignore")
SNIFFED: Final = 4096

BINARY: Final = frozenset(
    """
    .7z .a .avi .bin .bmp .bz2 .class .db .dll .dmg .doc .ds_store .dylib .exe .flac .gif .gz .ico
    .iso .jar .jpeg .jpg .m4a .mkv .mov .mp3 .mp4 .mpeg .npy .npz .o .ogg .onnx .otf
    .parquet .pickle .pkl .png .ppt .psd .pyc .pyo .rar .safetensors .so .sqlite .sqlite3 .tar .tgz .tif
    .tiff .ttf .wasm .wav .webm .webp .whl .woff .woff2 .xz .zip .zst
    """.split()
)
CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""Bytes that are hardly ever in text; a compressed file has 11% of them."""
DOCUMENT: Final = frozenset(
    """
    .docm .docx .dotm .dotx .epub .msg .odp .ods .odt .otp .ots .ott .pdf .potx .ppsm .ppsx .pptm .pptx .xls .xlsb .xlsm
    .xlsx .xltx
    """.split()
)
TEXT: Final = frozenset(
    """
    .adoc .bat .c .cc .cfg .clj .conf .cpp .cs .css .csv .dart .eml .erl .ex .go .h .hpp .hs .htm .html
    .ini .ipynb .java .jl .js .json .jsonl .jsx .kt .less .lock .log .lua .m .markdown .mbox .md .mdx .mjs .ml
    .ndjson .org .php .pl .proto .ps1 .py .pyi .r .rb .rs .rst .rtf .scala .scss .sh .sql .srt .svelte
    .swift .tcl .tex .text .toml .ts .tsv .tsx .txt .vtt .vue .xhtml .xml .yaml .yml .zig
    """.split()
)


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read. ``source``: its path as the user would write it, with forward slashes. ``size`` in bytes.

    ``path`` is a string because a ``Path`` takes 3 µs to make, and few of many files have changed and are read.
    """

    path: str
    source: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Scan:
    """Files sorted by source, and the number of entries skipped for each reason.

    Reasons: hidden, ignored, binary, too_large, outside_tree, empty, unreadable_folder. A skipped folder counts once.
    """

    files: tuple[SourceFile, ...]
    skipped: Mapping[str, int]


@dataclass(slots=True)
class _Rules:
    """Ignore files from the outermost folder inwards: the last pattern that matches a path decides."""

    specs: list[tuple[str, GitIgnoreSpec]] = field(default_factory=list)

    def inside(self, folder: str, names: set[str]) -> _Rules:
        specs = [
            (folder, _read_spec(Path(folder, name)))
            for name in IGNORE_FILES
            if name in names and Path(folder, name).is_file()
        ]
        return _Rules([*self.specs, *specs]) if specs else self

    def ignore(self, path: str, *, is_folder: bool) -> bool:
        for folder, spec in reversed(self.specs):
            relative = os.path.relpath(path, folder).replace(os.sep, "/")
            verdict = spec.check_file(relative + "/" if is_folder else relative).include
            if verdict is not None:
                return verdict
        return False


def _read_spec(path: Path) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(path.read_text(encoding="utf-8", errors="replace").splitlines())


def discover(paths: Sequence[Path | str]) -> Scan:
    """The files under ``paths``: files, folders (walked), globs. Each file once, sorted by source.

    Raises NoSuchPath for a path that does not exist, InputError for a named file that is binary or too large.
    """
    files: dict[str, SourceFile] = {}
    skipped: Counter[str] = Counter()
    for path in map(str, paths):
        for resolved, file in _under(path, skipped):
            files.setdefault(resolved, file)
    return Scan(tuple(sorted(files.values(), key=lambda file: file.source)), dict(skipped))


def _under(path: str, skipped: Counter[str]) -> Iterator[tuple[str, SourceFile]]:
    """The files with their resolved paths."""
    if not path:
        raise NoSuchPath("an empty path", hint='lcrag ask docs/ "your question"')
    path = os.path.expanduser(path)
    try:
        if os.path.isdir(path):
            yield from _walk(path, os.path.realpath(path), _outer_rules(path), skipped)
            return
        if os.path.exists(path):
            yield from _named(path, skipped)
            return
        matches = _matching(path) if glob.has_magic(path) else []
    except ValueError as error:  # a zero byte in the path
        raise NoSuchPath(f"no such path: {path!r} ({error})") from error
    if not matches:
        raise NoSuchPath(f"no such file or folder: {path}", hint="check the path; quote a glob: 'docs/**/*.md'")
    for match in matches:
        if os.path.isfile(match) and (file := _file(match, _shown(os.path.normpath(match)), os.stat(match), skipped)):
            yield os.path.realpath(match), file


def _matching(pattern: str) -> list[str]:
    """Paths that match, sorted. ``**`` does not follow links, so a link to a folder above makes no loop."""
    parts = PurePath(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    matches = Path(*parts[:fixed]).glob(str(PurePath(*parts[fixed:])))
    return sorted(str(path) for path in matches if not path.name.startswith("."))


def _named(path: str, skipped: Counter[str]) -> Iterator[tuple[str, SourceFile]]:
    """A file that the user named: read even if hidden or ignored; an error if it cannot be text."""
    state = os.stat(path)
    if not os.path.isfile(path):
        raise InputError(f"{path} is neither a file nor a folder", hint="a pipe is read with - as the path")
    if state.st_size > MAX_FILE_BYTES:
        raise InputError(
            f"{path} has {state.st_size / 1e6:,.0f} MB, more than {MAX_FILE_BYTES / 1e6:,.0f} MB", hint="split it"
        )
    file = _file(path, _shown(os.path.normpath(path)), state, skipped, named=True)
    if file is not None:
        yield os.path.realpath(path), file
    elif state.st_size:
        raise InputError(
            f"{path} is a binary file that lcrag cannot read", hint="convert it to text, HTML or PDF first"
        )


def _walk(folder: str, root: str, rules: _Rules, skipped: Counter[str]) -> Iterator[tuple[str, SourceFile]]:
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except PermissionError:
        skipped["unreadable_folder"] += 1
        return
    rules = rules.inside(folder, {entry.name for entry in entries})
    # Computed once per folder: there may be many thousands of files, and this is all that each of them needs.
    real = os.path.join(os.path.realpath(folder), "")
    shown = _shown(os.path.normpath(os.path.join(folder, "*")))[:-1]
    for entry in entries:
        if entry.name.startswith("."):
            if entry.name not in IGNORE_FILES:
                skipped["hidden"] += 1
            continue
        target = real + entry.name
        if entry.is_symlink():
            target = os.path.realpath(target)
            if os.path.commonpath([root, target]) != root or not os.path.exists(target):
                skipped["outside_tree"] += 1
                continue
            if os.path.isdir(target):
                continue  # its target is walked in its own place
        is_folder = entry.is_dir(follow_symlinks=False)
        if rules.specs and rules.ignore(entry.path, is_folder=is_folder):
            skipped["ignored"] += 1
        elif is_folder:
            yield from _walk(entry.path, root, rules, skipped)
        elif entry.is_file():
            file = _file(entry.path, shown + _shown(entry.name), entry.stat(), skipped)
            if file is not None:
                yield target, file


def _file(
    path: str, source: str, state: os.stat_result, skipped: Counter[str], *, named: bool = False
) -> SourceFile | None:
    if state.st_size == 0:
        skipped["empty"] += 1
    elif state.st_size > MAX_FILE_BYTES:
        skipped["too_large"] += 1
    elif _is_binary(path, named=named):
        skipped["binary"] += 1
    else:
        return SourceFile(path, source, state.st_size, state.st_mtime_ns)
    return None


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "replace").replace(os.sep, "/")


def _is_binary(path: str, *, named: bool) -> bool:
    """By the suffix, else by the first bytes; of a file that the user named the bytes decide against the suffix."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in DOCUMENT or suffix in TEXT:
        return False
    if suffix in BINARY and not named:
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


def _outer_rules(folder: str) -> _Rules:
    """The ignore files above ``folder``, when it is inside a repository."""
    inner = Path(folder).resolve()
    above = list(inner.parents)
    top = next((number for number, parent in enumerate(above) if (parent / ".git").exists()), None)
    rules = _Rules()
    if top is None or (inner / ".git").exists():
        return rules
    for parent in reversed(above[: top + 1]):
        rules = rules.inside(str(parent), set(IGNORE_FILES))
    return rules
