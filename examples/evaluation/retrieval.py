"""How far down the ranking does the evidence reach? For questions whose gold evidence is known.

    python examples/evaluation/retrieval.py DIR... [--tokens 1000,4000] [--dense on] [--index FOLDER] [--json]

Each DIR is a dataset as lcrag.comparison.dataset reads it. For every k it prints the share of questions whose evidence
is wholly within the first k tokens in rank order: in lcrag's own ranking ("fused"), and in each half of it alone. A
question is asked of the documents that it names; each set of documents gets one index, kept if ``--index`` names a
folder.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from gold import by_documents, evidence_places, tokens_until

from lcrag import ingest
from lcrag.comparison.dataset import Question, load
from lcrag.errors import LcragError
from lcrag.index.corpus import Corpus
from lcrag.paths import key_of
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.rank import fill_vectors, retrieve
from lcrag.types import Embedder, Hit, Ranking, ignore

HALVES: dict[str, Callable[[Hit], int | None]] = {
    "lexical": lambda hit: hit.lexical_rank,
    "dense": lambda hit: hit.dense_rank,
}

Needs = dict[str, list[int | None]]
"""By ranking, for each question: the tokens to read until all its evidence has been seen; None if it never is."""


def main() -> None:
    options = parse()
    try:
        embedder = None if options.dense == "off" else load_embedder(options.embedder)
        with tempfile.TemporaryDirectory() as scratch:
            indexes = options.index or Path(scratch)
            needs_by_folder = {
                str(folder): measure(load(folder), embedder, indexes, fill=options.dense == "on")
                for folder in options.folders
            }
    except LcragError as error:
        sys.exit(f"{error}\n{error.hint}".rstrip())
    if options.json:
        print(json.dumps(as_json(needs_by_folder, options.tokens), indent=2))
        return
    print(f"{'dataset':16} {'ranking':8} {'n':>4} " + " ".join(f"{tokens:>6}" for tokens in options.tokens))
    for folder, by_ranking in needs_by_folder.items():
        for ranking, needs in by_ranking.items():
            columns = " ".join(f"{share:6.2f}" for share in shares(needs, options.tokens).values())
            print(f"{Path(folder).name:16} {ranking:8} {len(needs):>4} {columns}")


def as_json(needs_by_folder: dict[str, Needs], tokens: list[int]) -> list[dict[str, object]]:
    return [
        {"dataset": folder, "ranking": ranking, "questions": len(needs), "share": shares(needs, tokens)}
        for folder, by_ranking in needs_by_folder.items()
        for ranking, needs in by_ranking.items()
    ]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--tokens", type=parse_numbers, default=parse_numbers("1000,2000,4000,8000,16000"))
    parser.add_argument("--dense", choices=("on", "auto", "off"), default="on", help="auto: vectors as questions need")
    parser.add_argument("--embedder", help="a sentence-transformers model instead of the built-in one")
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def parse_numbers(text: str) -> list[int]:
    return sorted(int(part) for part in text.split(","))


def measure(questions: Iterable[Question], embedder: Embedder | None, indexes: Path, *, fill: bool) -> Needs:
    needs: Needs = {}
    with_evidence = (question for question in questions if question.evidence)
    for docs, group in by_documents(with_evidence).items():
        with Corpus.open(indexes / key_of(docs)) as corpus:
            scan = ingest.discover(docs)
            corpus.refresh(scan, ignore)
            if fill and embedder is not None:
                fill_vectors(corpus, embedder, ignore)
            documents = {Path(file.path).resolve(): ingest.read(file) for file in scan.files}
            for question in group:
                ranking = retrieve(corpus, question.question, embedder=embedder, depth_tokens=corpus.size.tokens)
                spans = evidence_places(question.evidence or (), documents)
                for name, hits in rankings(ranking).items():
                    needs.setdefault(name, []).append(tokens_until(hits, spans))
    return needs


def rankings(ranking: Ranking) -> dict[str, list[Hit]]:
    """The hits in the order of the fused ranking, and in that of each half alone."""
    orders = {"fused": list(ranking.hits)}
    for name, rank in HALVES.items():
        if name == "lexical" or ranking.dense:
            hits = [hit for hit in ranking.hits if rank(hit) is not None]
            orders[name] = sorted(hits, key=lambda hit: (rank(hit), hit.chunk.id))
    return orders


def shares(needs: list[int | None], tokens: list[int]) -> dict[str, float]:
    return {str(k): sum(need is not None and need <= k for need in needs) / len(needs) for k in tokens}


if __name__ == "__main__":
    main()
