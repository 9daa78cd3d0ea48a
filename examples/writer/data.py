"""From public data to one file that the writer is trained on.

    python examples/writer/data.py OUT.json.xz --questions QA.json.gz --prose DATA.jsonl.gz [--friends FILE]...
        [--clapnq FILE]... [--quotesum FILE]... [--more FILE]... [--tables FOLDER] [--musique FILE]
        [--leave-out DATASET]...

``--questions`` is what ``examples/reader/data.py`` writes: documents, lcrag's chunks of them, questions, and what lcrag
ranks high for each and does not hold its answer. ``--prose`` has meetings, papers, abstracts and tables with answers in
sentences; ``--more`` has questions with passages, ``{src, q, a: [answers], long: an answer in sentences or none,
passages: [{title, text, gold}]}``; README.md names the origin and the licence of each file. A question that a DATASET
asks is left out.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import lzma
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from lcrag.comparison.dataset import load

MOST_ROWS = 40
"""Rows of a table: a longer one does not fit beside anything else."""
_QUOTED = re.compile(r"\[ (\d) (.*?) \]")
_APART = re.compile(r" (?=(?:n't|'(?:s|re|ve|ll|m|d)|[,.;:!?%)\]])(?:\W|$))|(?<=[(\[]) ")


def normal(text: str) -> str:
    return " ".join(re.sub(r"\W+", " ", text.lower()).split())


def joined(text: str) -> str:
    """The text with its punctuation at the words again, where a corpus was published with both apart."""
    return _APART.sub("", text.replace(" `` ", ' "').replace(" ''", '"').replace(" gon na ", " gonna "))


def json_lines(path: Path) -> list[dict[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def scenes(path: Path) -> list[dict[str, Any]]:
    """FriendsQA: the lines of a scene, and questions with their answers and the line of each."""
    listed = []
    for scene in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in scene["paragraphs"]:
            lines = [
                f"{' and '.join(line['speakers'])}: {joined(line['utterance'])}"
                for line in paragraph.get("utterances:", [])
            ]
            questions = [
                {
                    "q": joined(question["question"]),
                    "a": joined(question["answers"][0]["answer_text"]).rstrip(" .,"),
                    "line": int(question["answers"][0]["utterance_id"]),
                }
                for question in paragraph["qas"]
                if question["answers"]
            ]
            listed.append({"lines": lines, "questions": questions})
    return listed


def clapnq(path: Path) -> list[dict[str, Any]]:
    """CLAP NQ: an answer in sentences, and the sentences that it rests on; none where the passage has no answer."""
    return [
        {
            "q": entry["input"],
            "title": entry["passages"][0]["title"],
            "text": joined(entry["passages"][0]["text"]),
            "a": joined(entry["output"][0]["answer"] or ""),
        }
        for entry in json_lines(path)
    ]


def quotesum(path: Path) -> list[dict[str, Any]]:
    """QuoteSum: an answer made of quotes from up to eight passages, "[ 2 text ]"; the markers go to the end."""
    return [
        {
            "q": entry["question"],
            "a": joined(_QUOTED.sub(r"\2", entry["summary"])),
            "from": list(dict.fromkeys(int(number) for number, _ in _QUOTED.findall(entry["summary"]))),
            "passages": [
                (entry[f"title{number}"], entry[f"source{number}"])
                for number in range(1, 9)
                if entry[f"source{number}"]
            ],
        }
        for entry in json_lines(path)
    ]


def wiki_tables(folder: Path) -> list[dict[str, Any]]:
    """WikiTableQuestions: tables of at most MOST_ROWS rows, with the questions whose answers stand in a cell.

    The others take arithmetic, which so small a model would only learn to guess.
    """
    asked: dict[str, list[tuple[str, str]]] = defaultdict(list)
    with (folder / "data" / "training.tsv").open(encoding="utf-8") as file:
        next(file)
        for line in file:
            _, question, table, answer = line.rstrip("\n").split("\t")
            asked[table].append((question, ", ".join(answer.split("|"))))
    listed = []
    for table, questions in asked.items():
        with (folder / table).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, escapechar="\\"))
        cells = {normal(cell) for row in rows for cell in row}
        questions = [(q, a) for q, a in questions if all(normal(item) in cells for item in a.split(", "))]
        if (
            questions
            and 2 <= len(rows) <= MOST_ROWS + 1
            and sum(map(len, (cell for row in rows for cell in row))) < 8000
        ):
            listed.append({"rows": [[" ".join(cell.split()) for cell in row] for row in rows], "questions": questions})
    return listed


def musique(path: Path) -> list[dict[str, Any]]:
    return [
        {"q": entry["question"], "a": entry["answers"][0], "passages": [ctx["text"] for ctx in entry["ctxs"]]}
        for entry in json.loads(path.read_text(encoding="utf-8"))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json.xz")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--prose", type=Path, required=True)
    parser.add_argument("--friends", type=Path, action="append", default=[])
    parser.add_argument("--clapnq", type=Path, action="append", default=[])
    parser.add_argument("--quotesum", type=Path, action="append", default=[])
    parser.add_argument("--more", type=Path, action="append", default=[])
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--musique", type=Path)
    parser.add_argument("--leave-out", type=Path, action="append", default=[], metavar="DATASET")
    options = parser.parse_args()
    with gzip.open(options.questions, "rt", encoding="utf-8") as file:
        read = json.load(file)
    data: dict[str, Any] = {"questions": read["train"], "held_out": read["held_out"]}
    for entry in json_lines(options.prose):
        data.setdefault(entry["src"], []).append(entry)
    for name, reader in (("friends", scenes), ("clapnq", clapnq), ("quotesum", quotesum)):
        data[name] = [entry for path in getattr(options, name) for entry in reader(path)]
    data["more"] = [entry for path in options.more for entry in json_lines(path)]
    data["wiki_tables"] = wiki_tables(options.tables) if options.tables else []
    data["musique"] = musique(options.musique) if options.musique else []
    apart = {normal(question.question) for dataset in options.leave_out for question in load(dataset)}
    apart |= {normal(example["q"]) for example in data["held_out"]}
    for name, entries in data.items():
        if isinstance(entries, list) and name != "held_out":
            data[name] = [entry for entry in entries if normal(str(entry.get("q", ""))) not in apart]
            print(name, len(entries), "entries", len(entries) - len(data[name]), "left out")
    with lzma.open(options.out, "wt", encoding="utf-8", preset=6) as file:
        json.dump(data, file, ensure_ascii=False)
    print(f"{options.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
