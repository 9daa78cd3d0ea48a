"""Questions from a file in any of the formats people store them in, for ``ask`` and for ``compare``.

Text (one question a line), CSV (columns question and answer), JSONL (lcrag's own records, or LongBench's with the
document inside), JSON (SQuAD's, with the articles inside).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lcrag.errors import BadQuestions

CHOICES: Final = ("choice_A", "choice_B", "choice_C", "choice_D")
HINT: Final = (
    "a file: .jsonl, .json (SQuAD), .csv (question,answer), .txt (one question a line);"
    " for compare also a folder with questions.jsonl"
)
RECORD: Final = '{"id": "q1", "question": "your question"}'


@dataclass(frozen=True, slots=True)
class Entry:
    """One question of a file. ``where``: its place in the file, for messages.

    ``record``: what else the file says, with the keys of lcrag's own records (``lcrag.comparison.dataset``), and for a
    question with its document inside ``context`` (the text), ``title``, and ``span`` (start and end of the evidence in
    it, in characters, or None).
    """

    id: str | int
    question: str
    where: str
    record: Mapping[str, Any]


def read_entries(path: Path) -> list[Entry]:
    """The questions of a file, in its order. Without an id of its own, a question has the number of its line or row.

    Raises BadQuestions, with the line, when the file cannot be read, is in none of the formats, has an id twice, or
    has no question.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadQuestions(f"{path}: {error.strerror}", hint=HINT) from error
    except UnicodeDecodeError as error:
        raise BadQuestions(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error
    suffix = path.suffix.lower()
    if suffix == ".csv":
        entries = list(_csv(text, path))
    elif suffix == ".json":
        entries = list(_json(text, path))
    elif suffix in (".jsonl", ".ndjson") or text.lstrip().startswith("{"):
        entries = list(_jsonl(text, path))
    else:
        lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
        entries = [Entry(str(number), line, f"{path}, line {number}", {}) for number, line in lines if line]
    if not entries:
        raise BadQuestions(f"{path} holds no question", hint=HINT)
    seen: set[str] = set()
    for entry in entries:
        if str(entry.id) in seen:
            raise BadQuestions(f"{entry.where}: the id {str(entry.id)!r} comes twice")
        seen.add(str(entry.id))
    return entries


def _csv(text: str, path: Path) -> Iterator[Entry]:
    """Columns by their names if the first row has "question", else question and answer."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise BadQuestions(f"{path} is not CSV: {error}", hint="question,answer") from error
    names = [cell.strip().lower() for cell in rows[0]] if rows else []
    header = "question" in names
    names = names if header else ["question", "answer"]
    for number, row in enumerate(rows[header:], 1 + header):
        cells = dict(zip(names, (cell.strip() for cell in row), strict=False))
        if not any(cells.values()):
            continue
        where = f"{path}, row {number}"
        if not cells.get("question"):
            raise BadQuestions(f"{where}: the question is missing", hint="question,answer")
        answer = cells.get("answer") or cells.get("answers")
        record = {"answers": [answer]} if answer else {}
        yield Entry(cells.get("id") or str(number), cells["question"], where, record)


def json_objects(
    text: str, path: Path, *, what: str = "an object", hint: str = ""
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """The number, the place (for messages) and the object of each line that is not blank.

    Raises BadQuestions, with ``hint``, for a line that is not ``what``.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise BadQuestions(f"{where} is not JSON: {error}", hint=hint) from error
        if not isinstance(record, dict):
            raise BadQuestions(f"{where} is not {what}", hint=hint)
        yield number, where, record


def _jsonl(text: str, path: Path) -> Iterator[Entry]:
    for number, where, record in json_objects(text, path, what="an object with a question", hint=RECORD):
        longbench = isinstance(record.get("context"), str)
        question = (record.get("input") if longbench else None) or record.get("question")
        if not isinstance(question, str) or not question.strip():
            raise BadQuestions(
                f"{where}: input is missing" if longbench else f"{where} is not an object with a question", hint=RECORD
            )
        id = record.get("id", record.get("_id"))
        id = str(number) if id is None or id == "" else id
        if isinstance(id, bool) or not isinstance(id, (str, int)):
            raise BadQuestions(f"{where}: the id is neither a text nor a whole number", hint=RECORD)
        yield Entry(id, question, where, _own_keys(record, path) if longbench else record)


def _own_keys(record: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """LongBench (Bai et al. 2023: input, context, answers) and LongBench v2 (question, context, choice_A…, answer)."""
    answers = record.get("answers", record.get("answer"))
    dataset = str(record.get("dataset") or record.get("domain") or path.stem)
    return {
        "dataset": dataset,
        "answers": [answers] if isinstance(answers, str) else answers or [],
        "options": [str(record[choice]) for choice in CHOICES if choice in record],
        "task_type": record.get("sub_domain") or dataset,
        "context": record["context"],
        "title": dataset,
    }


def _json(text: str, path: Path) -> Iterator[Entry]:
    """SQuAD, or JSON lines under the wrong name."""
    try:
        content = json.loads(text)
    except ValueError:
        content = {}  # several lines, or an error that has the number of its line
    if isinstance(content, dict) and "data" not in content:
        yield from _jsonl(text, path)
        return
    try:
        for article in content["data"]:
            title = str(article.get("title") or path.stem)
            yield from _article(article["paragraphs"], title, path)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadQuestions(f"{path} is not in SQuAD's format: {error!r}", hint=HINT) from error


def _article(paragraphs: list[Mapping[str, Any]], title: str, path: Path) -> Iterator[Entry]:
    """SQuAD 1.1 and 2.0: an article is one document, its paragraphs joined; the evidence is the first answer's span."""
    text = "\n\n".join(paragraph["context"] for paragraph in paragraphs)
    offset = 0
    for paragraph in paragraphs:
        context = paragraph["context"]
        for qa in paragraph["qas"]:
            answers = [(str(answer["text"]), int(answer["answer_start"])) for answer in qa["answers"]]
            span = None
            if answers:
                answer, start = answers[0]
                if context[start : start + len(answer)] == answer != "":  # some copies of SQuAD count bytes
                    span = (offset + start, offset + start + len(answer))
            record = {
                "answers": list(dict.fromkeys(answer for answer, _ in answers)),
                "unanswerable": bool(qa.get("is_impossible", False)),
                "context": text,
                "title": title,
                "span": span,
            }
            yield Entry(str(qa["id"]), str(qa["question"]), f"{path}, question {qa['id']}", record)
        offset += len(context) + 2
