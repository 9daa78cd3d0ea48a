"""What is asked, and of which documents: words of the command line, standard input, files of questions."""

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
    """What an earlier run left: the ids in its output, and whether its last line has no end."""

    ids: frozenset[str]
    torn: bool


def paths_and_question(words: Sequence[str], command: str) -> tuple[tuple[str, ...], str]:
    """Split ``PATH... QUESTION``; a question ``-`` is read from standard input.

    Raises InputError when either is missing, the question is blank, or standard input should be both.
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
    """The text of the document that the path ``-`` stands for, None without such a path."""
    return stdin_text() if STDIN in paths else None


def stdin_text() -> str:
    """All of standard input as text, whatever its encoding. Raises InputError when it is not text."""
    from lcrag.ingest.text import decoded

    data = sys.stdin.buffer.read()
    text = decoded(data)
    if data.startswith((b"%PDF-", b"PK\x03\x04")) or ("\N{REPLACEMENT CHARACTER}" in text[:1000] and b"\0" in data):
        raise InputError("standard input is not text", hint="give the file's name instead of -")
    return text


def read_questions(path: Path) -> list[Asked]:
    """The questions of a file: one a line, or JSONL when it is called so or begins with "{".

    The id is the line's number as text, unless the line has one. Raises BadQuestions, with the line's number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadQuestions(f"{path}: {error.strerror}", hint="lcrag ask docs/ --questions FILE") from error
    except UnicodeDecodeError as error:
        raise BadQuestions(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise BadQuestions(f"{path} holds no question")
    if path.suffix.lower() not in (".jsonl", ".ndjson") and not lines[0][1].startswith("{"):
        return [Asked(str(number), line) for number, line in lines]
    asked = [_record(line, number, path) for number, line in lines]
    seen: set[str] = set()
    for (number, _), one in zip(lines, asked, strict=True):
        if str(one.id) in seen:
            raise BadQuestions(f"{path}, line {number}: the id {one.id!r} comes twice")
        seen.add(str(one.id))
    return asked


def _record(line: str, number: int, path: Path) -> Asked:
    where = f"{path}, line {number}"
    hint = '{"id": "q1", "question": "your question"}'
    try:
        record = json.loads(line)
    except ValueError as error:
        raise BadQuestions(f"{where} is not JSON: {error}", hint=hint) from error
    match record:
        case {"question": str(question)} if question.strip():
            pass
        case _:
            raise BadQuestions(f"{where} is not an object with a question", hint=hint)
    id = record.get("id")
    if id is None:
        id = str(number)
    if isinstance(id, bool) or not isinstance(id, (str, int)):
        raise BadQuestions(f"{where}: the id is neither a text nor a whole number", hint=hint)
    return Asked(id, question)


def read_done(path: Path) -> Done:
    """What is in an output already. A file that is not there is an empty one; a line that was cut is not done.

    Raises BadQuestions when the file is something else than an output of lcrag.
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
            continue  # cut when the earlier run was killed


def writes_to(path: Path) -> bool:
    """Whether standard output is this file, as with ``--resume out.ndjson >> out.ndjson``."""
    try:
        return os.path.samestat(os.fstat(sys.stdout.fileno()), path.stat())
    except OSError:  # no such file, or a standard output that is no file
        return False
