"""Questions of a dataset's folder or of a file in other people's formats, as ``lcrag.comparison.dataset.Question``.

Documents that are inside a file are written out under a name made from their text, so that the same document is
written once and indexed once.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from lcrag.comparison.dataset import Question, Span, checked, load, question_of
from lcrag.comparison.questions import Entry, read_entries
from lcrag.paths import write_whole


def read(path: Path, written: Path) -> list[Question]:
    """The questions of a dataset's folder, or of a file in any format of ``lcrag.comparison.questions``, in order.

    ``written``: the folder for documents that are inside the file. Raises NoSuchPath and BadQuestions as
    ``lcrag.comparison.dataset.load`` does, and OSError when a document cannot be written.
    """
    if path.is_dir():
        return load(path)
    documents: dict[tuple[str, str], Path] = {}
    return checked([_question(entry, path, written, documents) for entry in read_entries(path)], path)


def _question(entry: Entry, path: Path, written: Path, documents: dict[tuple[str, str], Path]) -> Question:
    own = {"id": str(entry.id), "question": entry.question, "dataset": entry.record.get("dataset") or path.stem}
    question = question_of({**entry.record, **own}, path.parent.resolve(), entry.where)
    if not isinstance(entry.record.get("context"), str):
        return question
    key = (entry.record["title"], entry.record["context"])
    if key not in documents:
        documents[key] = _write_document(*key, written)
    span = entry.record.get("span")
    evidence = (Span(documents[key], *span),) if span else None
    return replace(question, docs=(documents[key],), evidence=evidence)


def _write_document(title: str, text: str, written: Path) -> Path:
    """The file with this text. One that is there already but is not the whole text is written again."""
    data = text.encode("utf-8", "replace")
    name = re.sub(r"[^\w-]+", "_", title)[:60].strip("_") or "document"
    path = written / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}.txt"
    if not path.exists() or path.read_bytes() != data:
        write_whole(path, data)
    return path.resolve()
