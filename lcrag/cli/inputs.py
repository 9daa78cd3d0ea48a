"""The questions and their documents: from the command line, standard input, and files of questions."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lcrag.errors import BadQuestions, InputError
from lcrag.schemas import ANSWER, ERROR

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and the id that its answer will carry."""

    id: str | int | None
    question: str


@dataclass(frozen=True, slots=True)
class Done:
    """The output of an earlier run: the ids in it, and whether its last line was cut off."""

    ids: frozenset[str]
    torn: bool


def paths_and_question(words: Sequence[str], command: str) -> tuple[tuple[str, ...], str]:
    """Split ``PATH... QUESTION``; a question ``-`` is read from standard input.

    Raises InputError when either is missing, the question is blank, or both are standard input.
    """
    if not words:
        raise InputError("say what to read and what to ask", hint=f'lcrag {command} docs/ "your question"')
    if len(words) == 1 and _is_path(words[0]):
        raise InputError("the question is missing", hint=f'lcrag {command} {shlex.quote(words[0])} "your question"')
    if len(words) == 1:
        raise InputError("say what to read, before the question", hint=f"lcrag {command} . {shlex.quote(words[0])}")
    *paths, question = words
    if question == STDIN:
        if STDIN in paths:
            raise InputError(
                "standard input cannot be both a document and the question",
                hint=f'lcrag {command} - "your question"',
            )
        question = stdin_text().strip()
    if not question.strip():
        raise InputError("the question is empty", hint=f'lcrag {command} {shlex.join(paths)} "your question"')
    return tuple(paths), as_text(question)


def as_text(word: str) -> str:
    """A word of the command line; bytes that are not UTF-8 become U+FFFD, since no index and no model takes them."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _is_path(word: str) -> bool:
    """Whether a lone word looks like a path rather than like a question."""
    return os.path.exists(word) or not any(character.isspace() for character in word)


def document_text(paths: Sequence[str]) -> str | None:
    """The text of the document ``-``, which is standard input; None if it is not one of the paths."""
    return stdin_text() if STDIN in paths else None


def stdin_text() -> str:
    """All of standard input as text, in any encoding. Raises InputError when it is not text."""
    from lcrag.ingest.text import decode

    data = sys.stdin.buffer.read()
    text = decode(data)
    if data.startswith((b"%PDF-", b"PK\x03\x04")) or ("\N{REPLACEMENT CHARACTER}" in text[:1000] and b"\0" in data):
        raise InputError("standard input is not text", hint="give the file's name instead of -")
    return text


def read_questions(path: Path) -> list[Asked]:
    """The questions of a file in any format of ``lcrag.comparison.questions``. Raises BadQuestions, with the line."""
    from lcrag.comparison.questions import read_entries

    return [Asked(entry.id, entry.question) for entry in read_entries(path)]


def read_done(path: Path) -> Done:
    """What an output file already has. A missing file counts as empty; a line that was cut off is not done.

    Raises BadQuestions when the file is not an output of lcrag.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Done(frozenset(), torn=False)
    except OSError as error:
        raise BadQuestions(f"{path}: {error.strerror}", hint="lcrag ask docs/ --questions FILE --resume OUT") from error
    ids = set()
    for number, record in _records(data):
        if not isinstance(record, dict) or not (record.get("schema") in (ANSWER, ERROR) or "event" in record):
            raise BadQuestions(
                f"{path}, line {number}: not an output of lcrag", hint="--resume takes the earlier output"
            )
        if record.get("schema") in (ANSWER, ERROR) and record.get("id") is not None:
            ids.add(str(record["id"]))
    return Done(frozenset(ids), torn=bool(data) and not data.endswith(b"\n"))


def _records(data: bytes) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            yield number, json.loads(line)
        except ValueError:
            continue  # cut off when the earlier run was killed


def check_outputs(**files: Path | None) -> None:
    """Raises InputError for a file to be written, by its option, that is a folder or whose folder is not there."""
    for option, file in files.items():
        if file is None:
            continue
        if file.is_dir():
            raise InputError(f"--{option} {file} is a folder", hint=f"--{option} {file / 'FILE'}")
        if not file.absolute().parent.is_dir():
            raise InputError(f"there is no folder {file.parent}", hint=f"mkdir -p {file.parent}")


def writes_to(path: Path) -> bool:
    """Whether standard output is this file, as in ``--resume out.ndjson >> out.ndjson``."""
    try:
        return os.path.samestat(os.fstat(sys.stdout.fileno()), path.stat())
    except OSError:  # no such file, or standard output is not a file
        return False
