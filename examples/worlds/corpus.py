"""Writes worlds to disk as a corpus: ``python corpus.py FOLDER --tokens 12000 --questions 60 --seed 1``.

Documents in several formats go to FOLDER/docs, questions to FOLDER/questions.jsonl, in the form that
lcrag.comparison.dataset reads. Several sizes (``--tokens 2000 12000 200000``) make several worlds in one folder, each
with its own questions. The place of the evidence is looked up in the documents as lcrag.ingest reads them back, so that
it holds for every format. Tokens are cl100k_base's.
"""

from __future__ import annotations

import argparse
import html
import json
import random
import re
import sys
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Final

sys.path.append(str(Path(__file__).parents[1]))

from worlds.documents import CHARACTERS_PER_TOKEN, Document, documents
from worlds.world import KINDS_OF_KEYS, TASKS, Asked, Fact, World, answer

from lcrag import ingest
from lcrag.ingest import SourceFile
from lcrag.text.tokens import count_many

SIZE: Final = 4000
"""Characters of a document, about; fewer in a small corpus, so that it has several."""
NOT_TEXT: Final = frozenset({"html", "docx", "eml"})


def write(folder: Path, *, tokens: int, number: int, seed: int, size: int | None = None, root: str = "docs/") -> int:
    """A corpus of about ``tokens`` tokens and ``number`` questions, the same for the same seed; the tokens it has.

    Documents go under ``root``; questions are added to those that are in the folder.
    """
    size = size or min(SIZE, max(1000, int(tokens * CHARACTERS_PER_TOKEN / 8)))
    r = random.Random(f"corpus {seed}")
    world = World(r, tokens * CHARACTERS_PER_TOKEN * 0.98)
    units = list(world.units)
    r.shuffle(units)
    texts: dict[str, str] = {}
    for document in documents(r, units, KINDS_OF_KEYS, size, root):
        path = folder / document.source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_file(document))
        texts[document.source] = ingest.read(SourceFile(str(path), document.source, 0, 0)).text
    length = sum(count_many(list(texts.values())))
    with (folder / "questions.jsonl").open("a", encoding="utf-8") as file:
        for place, asked in enumerate(questions(world, number), 1):
            record = record_of(f"world-{seed}:{place}", asked, texts, length)
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return length


def questions(world: World, number: int) -> Iterator[Asked]:
    """Questions of every kind in turn, none twice; a kind that has run out gives way to the others."""
    used: set[tuple[str, str]] = set()
    said: set[str] = set()
    dry = 0
    place = 0
    while number and dry < 4 * len(TASKS):
        asked = world.ask(TASKS[place % len(TASKS)], used)
        place += 1
        if asked is None or asked.question in said:
            dry += 1
            continue
        dry = 0
        number -= 1
        said.add(asked.question)
        used.update(asked.keys)
        yield asked


def record_of(name: str, asked: Asked, texts: dict[str, str], tokens: int) -> dict[str, object]:
    """The question as a line of the dataset."""
    absent = asked.task == "absent"
    facts = () if absent else asked.facts
    spans = [span(fact, texts) for fact in facts]
    value = answer(asked)
    return {
        "id": name,
        "dataset": "worlds",
        "question": asked.question,
        "answers": [] if absent else [value],
        "docs": list(texts),
        "task_type": asked.task,
        "evidence": [fact.text for fact in facts],
        "evidence_spans": spans,
        "unanswerable": absent,
        "options": None,
        "scope": None if absent else "low" if len(facts) == 1 else "medium" if len(facts) < 5 else "high",
        "diffusion": None,
        "context_tokens_est": tokens,
        "answer_verbatim": not absent and any(value in fact.text for fact in facts),
    }


def span(fact: Fact, texts: dict[str, str]) -> dict[str, object]:
    """The place of the fact, in characters of the text as it was read back; there must be one only."""
    places = [
        {"doc": source, "start": match.start(), "end": match.end()}
        for source, text in texts.items()
        for match in re.finditer(rf"(?<!\w){re.escape(fact.text)}", text)
    ]
    if len(places) != 1:
        raise AssertionError(f"{fact.text!r} is in {len(places)} places")
    return places[0]


def as_file(document: Document) -> bytes:
    """The document in the format that its path names."""
    suffix = document.source.rpartition(".")[2]
    if suffix in NOT_TEXT:
        return _FORMATS[suffix](document.text)
    return document.text.encode("utf-8")


def _html(text: str) -> bytes:
    made = []
    for block in _blocks(text):
        lines = [html.escape(line) for line in block]
        if len(block) == 1 and (heading := re.match(r"(#+) (.*)", lines[0])):
            level = len(heading[1])
            made.append(f"<h{level}>{heading[2]}</h{level}>")
        elif all(line.startswith("- ") for line in lines):
            made.append("<ul>\n" + "\n".join(f"<li>{line[2:]}</li>" for line in lines) + "\n</ul>")
        else:
            made.append("<p>" + "<br>\n".join(lines) + "</p>")
    body = "\n".join(made)
    return f'<!doctype html>\n<html>\n<head><meta charset="utf-8"></head>\n<body>\n{body}\n</body>\n</html>\n'.encode()


def _docx(text: str) -> bytes:
    import io
    from datetime import datetime

    import docx

    made = docx.Document()
    made.core_properties.created = made.core_properties.modified = datetime(2024, 1, 1)
    for block in _blocks(text):
        for line in block:
            if heading := re.match(r"(#+) (.*)", line):
                made.add_heading(heading[2], len(heading[1]))
            elif line.startswith("- "):
                made.add_paragraph(line[2:], "List Bullet")
            else:
                made.add_paragraph(line)
    data = io.BytesIO()
    made.save(data)
    return data.getvalue()


def _eml(text: str) -> bytes:
    head, _, body = text.partition("\n\n")
    message = EmailMessage()
    for line in head.split("\n"):
        name, _, content = line.partition(": ")
        message[name] = content
    message.set_content(body)
    return message.as_bytes()


def _blocks(text: str) -> Iterator[list[str]]:
    """Runs of lines between empty ones."""
    for block in text.strip().split("\n\n"):
        yield block.split("\n")


_FORMATS: Final[dict[str, Callable[[str], bytes]]] = {"html": _html, "docx": _docx, "eml": _eml}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokens", type=int, nargs="+", default=[12000], help="of a world; several make several")
    parser.add_argument("--questions", type=int, default=60, help="about each world")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, help="characters of a document, about")
    given = parser.parse_args()
    if given.folder.exists() and any(given.folder.iterdir()):
        parser.error(f"{given.folder} is not empty")
    given.folder.mkdir(parents=True, exist_ok=True)
    tokens = sum(
        write(
            given.folder,
            tokens=size,
            number=given.questions,
            seed=given.seed + place,
            size=given.size,
            root="docs/" if len(given.tokens) == 1 else f"docs/{place + 1:02d}-{size}/",
        )
        for place, size in enumerate(given.tokens)
    )
    asked = (given.folder / "questions.jsonl").read_text(encoding="utf-8").count("\n")
    files = sum(path.is_file() for path in (given.folder / "docs").rglob("*"))
    print(f"{given.folder}: {tokens:,} tokens in {files} files, {asked} questions")


if __name__ == "__main__":
    main()
