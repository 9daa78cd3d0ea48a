"""From questions with passages to what the reader is trained on: documents, lcrag's chunks of them, its hard negatives.

    python examples/reader/data.py DIR OUT.json.gz [--leave-out DATASET]... [--index FOLDER]

DIR holds ``data.json.gz``: ``{"ex": [...], "ev": [...]}`` of ``{src, q, c, a: [[start, text]] or [], gold: [...]}``,
``c`` being the passage and ``a`` the answer in it, none if it is not there. The passages of ``ex`` are joined into
documents, split and indexed as a user's own would be, and each question is asked of them: what lcrag ranks high and
does not hold the answer is a negative as hard as those that the reader will meet. A passage of ``ev`` never becomes
part of a document, nor does one that holds gold evidence of a DATASET (as lcrag.comparison.dataset reads it), and a
question of either is left out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import string
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from lcrag import ingest
from lcrag.comparison.dataset import load
from lcrag.index.corpus import Corpus
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.rank import fill_vectors, retrieve
from lcrag.text.sentences import sentences
from lcrag.types import Embedder, Event

TOGETHER = {"nq": 40, "squad": 12, "covid": 12, "policy": 20}
"""Passages of one document: a pool of many subjects, an article, a policy."""
NEGATIVES = 12
LOOKED_THROUGH = 24
"""Hits among which negatives are looked for."""
UNSURE = frozenset({"policy"})
"""Sources whose questions any other document answers as well: no negatives are mined for them."""
SPEAKERS = (
    "Anna",
    "Ben",
    "Chiara",
    "David",
    "Elena",
    "Farid",
    "Grace",
    "Hugo",
    "Ines",
    "Jonas",
    "PhD A",
    "Professor B",
)
DIALOGUE = 0.12
"""Share of documents that are written as a dialogue, with a sentence or two a turn."""


class Remembered:
    """A corpus and an embedder whose vectors are fetched and made once, for thousands of questions."""

    def __init__(self, corpus: Corpus, embedder: Embedder, questions: list[str]) -> None:
        self._corpus, self._ids = corpus, corpus.chunk_ids()
        self._stored = corpus.vectors(self._ids, embedder.name)
        self._asked = dict(zip(questions, embedder.embed(questions), strict=True))
        self.name = embedder.name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._corpus, name)

    def chunk_ids(self) -> list[int]:
        return self._ids

    def vectors(self, ids: list[int], embedder: str) -> Any:
        return self._stored

    def embed(self, texts: list[str]) -> Any:
        return np.stack([self._asked[text] for text in texts])


def normal(text: str) -> str:
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def quiet(event: Event) -> None:
    """Progress is not shown."""


def laid(source: str, passages: list[str], seed: int) -> tuple[list[str], dict[str, tuple[int, list[int]]]]:
    """Documents of these passages, and where each passage went: its document and, by character, its place there."""
    draw = random.Random(seed)
    documents: list[str] = []
    places: dict[str, tuple[int, list[int]]] = {}
    for first in range(0, len(passages), TOGETHER[source]):
        titled, spoken = draw.random() < 0.5, source != "policy" and draw.random() < DIALOGUE
        text = ""
        for passage in passages[first : first + TOGETHER[source]]:
            where: list[int] = []
            inserted = turns(passage, draw) if spoken else {}
            title = passage.find(". ") if source == "nq" and titled and not spoken else -1
            for at, character in enumerate(passage):
                text += inserted.get(at, "")
                where.append(len(text))
                text += "\n" if at == title else character
            places[passage] = (len(documents), [*where, len(text)])
            text += "\n\n"
        documents.append(text)
    return documents, places


def turns(passage: str, draw: random.Random) -> dict[int, str]:
    """What is put before which character to make a dialogue of two of a passage."""
    two = draw.sample(SPEAKERS, 2)
    found = {}
    speaker = 0
    for number, (start, _) in enumerate(sentences(passage)):
        if number == 0 or draw.random() < 0.6:
            start += len(passage[start:]) - len(passage[start:].lstrip())
            found[start] = f"{chr(10) if number else ''}{two[speaker % 2]}: "
            speaker += 1
    return found


def prepared(source: str, examples: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Documents, chunks ``[document, start, end]`` and questions of one source."""
    passages = list(dict.fromkeys(example["c"] for example in examples))
    documents, places = laid(source, passages, seed=len(passages))
    texts = folder / "docs"
    texts.mkdir(parents=True, exist_ok=True)
    for number, document in enumerate(documents):
        (texts / f"{number}.txt").write_text(document, encoding="utf-8")
    questions = []
    with Corpus.open(folder / "index") as corpus:
        scan = ingest.discover([texts])
        corpus.refresh(scan, quiet)
        embedder = load_embedder()
        fill_vectors(corpus, embedder, quiet)
        listed = list(corpus.chunks())
        number_of = {chunk.document_id: int(Path(chunk.source).stem) for chunk in listed}
        for identity, number in number_of.items():
            if corpus.document(identity).text != documents[number]:
                raise SystemExit(f"document {number} of {source} is not read as it was written")
        chunks = [[number_of[chunk.document_id], chunk.start, chunk.end] for chunk in listed]
        numbered = {(chunk.document_id, chunk.start): number for number, chunk in enumerate(listed)}
        remembered: Any = Remembered(corpus, embedder, list(dict.fromkeys(one["q"] for one in examples if one["a"])))
        golds: dict[str, set[str]] = {}
        for example in examples:
            golds.setdefault(example["q"], set()).update(normal(gold) for gold in example["gold"])
        for example in examples:
            number, where = places[example["c"]]
            own = (where[0], where[-1])
            entry: dict[str, Any] = {
                "src": source,
                "q": example["q"],
                "document": number,
                "passage": own,
                "negatives": [],
            }
            if example["a"]:
                start, text = example["a"][0]
                entry["answer"] = (where[start], where[start + len(text) - 1] + 1)
                entry["evidence"] = around(documents[number], *entry["answer"])
                if source not in UNSURE:
                    hits = retrieve(
                        remembered, example["q"], embedder=remembered, depth_tokens=LOOKED_THROUGH * 128
                    ).hits
                    ranked_numbers = [numbered[hit.chunk.document_id, hit.chunk.start] for hit in hits]
                    entry["negatives"] = [
                        at
                        for at in ranked_numbers
                        if not (chunks[at][0] == number and chunks[at][1] < own[1] and own[0] < chunks[at][2])
                        and not any(gold in normal(listed[at].text) for gold in golds[example["q"]] if gold)
                    ][:NEGATIVES]
            questions.append(entry)
    print(source, "done", flush=True)
    return {"documents": documents, "chunks": chunks, "questions": questions}


def around(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentences that hold the span."""
    base = max(0, start - 4000)
    held = [(a + base, b + base) for a, b in sentences(text[base : end + 4000]) if a + base < end and start < b + base]
    first = held[0][0]
    return first + len(text[first:]) - len(text[first:].lstrip()), held[-1][1]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("out", type=Path, metavar="OUT.json.gz")
    parser.add_argument("--leave-out", type=Path, action="append", default=[], metavar="DATASET")
    parser.add_argument("--index", type=Path, help="keep documents and indexes in this folder")
    parser.add_argument("--limit", type=int, help="examples of each source, to try it out")
    options = parser.parse_args()
    with gzip.open(options.folder / "data.json.gz", "rt", encoding="utf-8") as file:
        data = json.load(file)
    kept_apart = [question for dataset in options.leave_out for question in load(dataset)]
    asked = {normal(example["q"]) for example in data["ev"]} | {normal(one.question) for one in kept_apart}
    held = {normal(example["c"]) for example in data["ev"]}
    evidence = {
        normal(span.doc.read_text(encoding="utf-8")[span.start : span.end])
        for one in kept_apart
        for span in one.evidence or ()
    }
    examples = []
    for example in data["ex"]:
        text = normal(example["c"])
        if (
            normal(example["q"]) not in asked
            and text not in held
            and not any(len(gold) > 40 and gold in text for gold in evidence)
        ):
            examples.append(example)
    print(f"{len(examples):,} of {len(data['ex']):,} examples kept")
    with tempfile.TemporaryDirectory() as scratch:
        made = {
            source: prepared(
                source,
                [one for one in examples if one["src"] == source][: options.limit],
                (options.index or Path(scratch)) / source,
            )
            for source in TOGETHER
        }
    with gzip.open(options.out, "wt", encoding="utf-8") as file:
        json.dump({"train": made, "held_out": data["ev"]}, file, ensure_ascii=False)
    for source, one in made.items():
        mined = [len(question["negatives"]) for question in one["questions"]]
        print(
            source,
            len(one["documents"]),
            "documents",
            len(one["chunks"]),
            "chunks",
            len(mined),
            "questions",
            sum(mined),
            "negatives",
        )
    print(f"{os.path.getsize(options.out):,} bytes")


if __name__ == "__main__":
    main()
