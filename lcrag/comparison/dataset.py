"""Reads questions with known answers and evidence from a folder: for measuring, never for answering.

A dataset is a folder with ``questions.jsonl``, one object a line, and the documents that it names. Keys that are read:
``id``, ``question``, ``docs`` (paths relative to the folder); and, if the source has them, ``dataset``, ``answers``
(alternatives), ``evidence_spans`` (``{doc, start, end}``, characters, or null), ``unanswerable``, ``options``,
``task_type``, ``scope``, ``diffusion``, ``points`` (statements that a good answer needs). Other keys are ignored. Other
formats: ``lcrag.comparison.formats``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lcrag.comparison.questions import json_objects
from lcrag.errors import BadQuestions, NoSuchPath


@dataclass(frozen=True, slots=True)
class Span:
    """Gold evidence: characters ``start`` to ``end`` (half-open) of the document at ``doc``, one of the question's."""

    doc: Path
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Question:
    """One question. Any of ``answers`` is right. ``evidence`` is None if the source does not mark it.

    ``docs``: absolute paths of the documents it is about; () if the source does not say. ``options``: the choices of a
    multiple choice question, else (). ``points``: statements that a good answer needs; () if the source names none.
    """

    id: str
    dataset: str
    question: str
    answers: tuple[str, ...]
    docs: tuple[Path, ...]
    evidence: tuple[Span, ...] | None
    unanswerable: bool
    options: tuple[str, ...] = ()
    task_type: str | None = None
    scope: str | None = None
    diffusion: str | None = None
    points: tuple[str, ...] = ()


def load(folder: Path | str) -> list[Question]:
    """The questions of ``folder/questions.jsonl``, in file order.

    Raises NoSuchPath if the folder, the file or a document is missing; BadQuestions (with the line number) if a line is
    not such an object, an id comes twice, or the file has no question.
    """
    folder = Path(folder).resolve()
    path = folder / "questions.jsonl"
    questions = []
    for where, record in records(path):
        questions.append(question_of(record, folder, where))
        if not questions[-1].docs:
            raise BadQuestions(f"{where}: docs is empty")
    return checked(questions, path)


def checked(questions: list[Question], path: Path) -> list[Question]:
    """The same questions. Raises BadQuestions without any or with an id twice, NoSuchPath for a missing document."""
    if not questions:
        raise BadQuestions(f"{path} holds no question")
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise BadQuestions(f"{path}: the id {question.id!r} comes twice")
        seen.add(question.id)
    for doc in {doc for question in questions for doc in question.docs}:
        if not doc.is_file():
            raise NoSuchPath(f"{path} names a document that is not there: {doc}")
    return questions


def records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line's position (for messages) and object. Raises NoSuchPath and BadQuestions."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NoSuchPath(f"no {path}", hint="a dataset is a folder with questions.jsonl and documents") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadQuestions(f"{path} cannot be read: {error}") from error
    for _, where, record in json_objects(text, path):
        yield where, record


def question_of(record: Mapping[str, Any], folder: Path, where: str) -> Question:
    """The question that a record describes. ``where``: its position, for messages. ``docs`` may be missing."""
    docs = tuple(folder / doc for doc in _texts(record, "docs", where))
    return Question(
        id=_text(record, "id", where),
        dataset=_optional(record, "dataset", where) or folder.name,
        question=_text(record, "question", where),
        answers=_texts(record, "answers", where),
        docs=docs,
        evidence=_spans(record, folder, docs, where),
        unanswerable=_flag(record, "unanswerable", where),
        options=_texts(record, "options", where),
        task_type=_optional(record, "task_type", where),
        scope=_optional(record, "scope", where),
        diffusion=_optional(record, "diffusion", where),
        points=_texts(record, "points", where),
    )


def _spans(record: Mapping[str, Any], folder: Path, docs: tuple[Path, ...], where: str) -> tuple[Span, ...] | None:
    spans = record.get("evidence_spans")
    if spans is None:
        return None
    if not isinstance(spans, list):
        raise BadQuestions(f"{where}: evidence_spans is not a list")
    return tuple(_span(span, folder, docs, where) for span in spans)


def _span(span: Any, folder: Path, docs: tuple[Path, ...], where: str) -> Span:
    match span:
        case {"doc": str(doc), "start": int(start), "end": int(end)} if folder / doc in docs and 0 <= start < end:
            return Span(folder / doc, start, end)
    raise BadQuestions(f"{where}: not a span within docs: {json.dumps(span)}")


def _text(record: Mapping[str, Any], key: str, where: str) -> str:
    value = _optional(record, key, where)
    if not value:
        raise BadQuestions(f"{where}: {key} is missing")
    return value


def _optional(record: Mapping[str, Any], key: str, where: str) -> str | None:
    value = record.get(key)
    if value is not None and not isinstance(value, str):
        raise BadQuestions(f"{where}: {key} is not a text")
    return value


def _texts(record: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = record.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadQuestions(f"{where}: {key} is not a list of texts")
    return tuple(value)


def _flag(record: Mapping[str, Any], key: str, where: str) -> bool:
    value = record.get(key, False)
    if not isinstance(value, bool):
        raise BadQuestions(f"{where}: {key} is neither true nor false")
    return value
