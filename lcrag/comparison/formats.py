"""Questions in the formats that other people keep them in, as ``lcrag.comparison.dataset.Question``.

Text (one question a line), CSV (columns question and answer), JSONL (lcrag's own records, or LongBench's with the
document inside), JSON (SQuAD's, with the articles inside). Documents that come inside a file are written out under a
name made from their text, so that the same document is written once and indexed once.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from lcrag.comparison.dataset import Question, Span, checked, load, question_of, records
from lcrag.errors import BadQuestions

CHOICES: Final = ("choice_A", "choice_B", "choice_C", "choice_D")
HINT: Final = "a folder with questions.jsonl, or a file: .jsonl, .json (SQuAD), .csv (question,answer), .txt"


def read(path: Path, written: Path) -> list[Question]:
    """The questions of a dataset's folder, or of a file in any of the formats above, in its order.

    ``written``: the folder for documents that are inside the file. Questions without an id get their line's number.
    Raises NoSuchPath and BadQuestions as ``lcrag.comparison.dataset.load`` does.
    """
    if path.is_dir():
        return load(path)
    match path.suffix.lower():
        case ".csv":
            questions = list(_csv(path))
        case ".json":
            questions = list(_squad(path, written))
        case ".jsonl" | ".ndjson":
            questions = list(_jsonl(path, written))
        case _ if _text(path).lstrip().startswith("{"):
            questions = list(_jsonl(path, written))
        case _:
            lines = enumerate(_text(path).split("\n"), 1)
            questions = [_plain(str(number), line.strip(), (), path) for number, line in lines if line.strip()]
    return checked(questions, path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadQuestions(f"{path}: {error.strerror}", hint=HINT) from error
    except UnicodeDecodeError as error:
        raise BadQuestions(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error


def _plain(id: str, question: str, answers: tuple[str, ...], path: Path) -> Question:
    return Question(id, path.stem, question, answers, (), None, unanswerable=False)


def _csv(path: Path) -> Iterator[Question]:
    """Columns by their names where the first line has "question", else question and answer."""
    rows = list(csv.reader(_text(path).splitlines(keepends=True)))
    names = [cell.strip().lower() for cell in rows[0]] if rows else []
    header = "question" in names
    names = names if header else ["question", "answer"]
    for number, row in enumerate(rows[header:], 1 + header):
        cells = dict(zip(names, (cell.strip() for cell in row), strict=False))
        if not any(cells.values()):
            continue
        if not cells.get("question"):
            raise BadQuestions(f"{path}, row {number}: the question is missing", hint="question,answer")
        answer = cells.get("answer") or cells.get("answers")
        yield _plain(cells.get("id") or str(number), cells["question"], (answer,) if answer else (), path)


def _jsonl(path: Path, written: Path) -> Iterator[Question]:
    if not path.is_file():
        raise BadQuestions(f"{path}: no such file", hint=HINT)
    for where, record in records(path):
        number = where.rpartition(" ")[2]
        if isinstance(record.get("context"), str):
            yield _longbench(record, where, number, path, written)
        else:
            id = record.get("id")
            named = str(id) if isinstance(id, int) and not isinstance(id, bool) else id or number
            yield question_of(
                {**record, "id": named, "dataset": record.get("dataset") or path.stem}, path.parent.resolve(), where
            )


def _longbench(record: Mapping[str, Any], where: str, number: str, path: Path, written: Path) -> Question:
    """LongBench (Bai et al. 2023: input, context, answers) and LongBench v2 (question, context, choice_A…, answer)."""
    question = record.get("input") or record.get("question")
    answers = record.get("answers", record.get("answer"))
    listed = [answers] if isinstance(answers, str) else answers or []
    if not isinstance(question, str) or not question.strip():
        raise BadQuestions(f"{where}: input is missing")
    if not isinstance(listed, list) or not all(isinstance(answer, str) for answer in listed):
        raise BadQuestions(f"{where}: answers is not a list of texts")
    dataset = str(record.get("dataset") or record.get("domain") or path.stem)
    return Question(
        id=str(record.get("_id") or record.get("id") or number),
        dataset=dataset,
        question=question,
        answers=tuple(listed),
        docs=(_document(record["context"], dataset, written),),
        evidence=None,
        unanswerable=False,
        options=tuple(str(record[choice]) for choice in CHOICES if choice in record),
        task_type=record.get("sub_domain") or dataset,
    )


def _squad(path: Path, written: Path) -> Iterator[Question]:
    """SQuAD 1.1 and 2.0: an article is one document, its paragraphs joined; the evidence is the first answer's span."""
    try:
        articles = json.loads(_text(path))["data"]
        for article in articles:
            paragraphs = article["paragraphs"]
            title = str(article.get("title") or path.stem)
            document = _document("\n\n".join(one["context"] for one in paragraphs), title, written)
            offset = 0
            for paragraph in paragraphs:
                for qa in paragraph["qas"]:
                    yield _squad_question(qa, paragraph["context"], offset, document, path)
                offset += len(paragraph["context"]) + 2
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadQuestions(f"{path} is not in SQuAD's format: {error!r}", hint=HINT) from error


def _squad_question(qa: Mapping[str, Any], context: str, offset: int, document: Path, path: Path) -> Question:
    answers = [(str(answer["text"]), int(answer["answer_start"])) for answer in qa["answers"]]
    span = None
    if answers:
        text, start = answers[0]
        if context[start : start + len(text)] == text != "":  # some copies of SQuAD count bytes: then nobody knows
            span = Span(document, offset + start, offset + start + len(text))
    return Question(
        id=str(qa["id"]),
        dataset=path.stem,
        question=str(qa["question"]),
        answers=tuple(dict.fromkeys(text for text, _ in answers)),
        docs=(document,),
        evidence=(span,) if span else None,
        unanswerable=bool(qa.get("is_impossible", False)),
    )


def _document(text: str, title: str, written: Path) -> Path:
    """The file that holds this text, written unless it is there."""
    name = re.sub(r"[^\w-]+", "_", title)[:60].strip("_") or "document"
    path = written / f"{name}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}.txt"
    if not path.exists():
        written.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return path.resolve()
