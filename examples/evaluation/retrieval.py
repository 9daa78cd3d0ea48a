"""How far down the ranking must one read? Measured on questions whose gold evidence is known.

    python examples/evaluation/retrieval.py DIR... [--tokens 1000,4000] [--dense on] [--index FOLDER] [--json]

Each DIR is a dataset as lcrag.comparison.dataset reads it. For every k it prints the share of questions whose evidence
lies wholly in the first k tokens in rank order: as lcrag ranks ("fused"), and by either half of it alone. A question is
asked of the documents that it names; one index is made per set of documents, and kept if --index says where.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from lcrag import ingest
from lcrag.comparison.dataset import Question, load
from lcrag.errors import InputError, LcragError
from lcrag.index.corpus import Corpus
from lcrag.paths import key_of
from lcrag.retrieve.embedder import load_embedder
from lcrag.retrieve.rank import fill_vectors, retrieve
from lcrag.types import Embedder, Event, Hit, Ranking

RANKINGS: dict[str, Callable[[Hit], int | None]] = {
    "lexical": lambda hit: hit.lexical_rank,
    "dense": lambda hit: hit.dense_rank,
}

Needs = dict[str, list[int | None]]
"""By ranking, for each question: the tokens to read until all its evidence is seen; None if it never is."""


def main() -> None:
    options = parse()
    try:
        embedder = None if options.dense == "off" else load_embedder(options.embedder)
        with tempfile.TemporaryDirectory() as scratch:
            indexes = options.index or Path(scratch)
            found = {
                str(folder): measure(load(folder), embedder, indexes, fill=options.dense == "on")
                for folder in options.folders
            }
    except LcragError as error:
        sys.exit(f"{error}\n{error.hint}".rstrip())
    if options.json:
        print(json.dumps(as_json(found, options.tokens), indent=2))
        return
    print(f"{'dataset':16} {'ranking':8} {'n':>4} " + " ".join(f"{tokens:>6}" for tokens in options.tokens))
    for folder, by_ranking in found.items():
        for ranking, needs in by_ranking.items():
            share = " ".join(f"{seen:6.2f}" for seen in shares(needs, options.tokens).values())
            print(f"{Path(folder).name:16} {ranking:8} {len(needs):>4} {share}")


def as_json(found: dict[str, Needs], tokens: list[int]) -> list[dict[str, object]]:
    return [
        {"dataset": folder, "ranking": ranking, "questions": len(needs), "share": shares(needs, tokens)}
        for folder, by_ranking in found.items()
        for ranking, needs in by_ranking.items()
    ]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--tokens", type=numbers, default=numbers("1000,2000,4000,8000,16000"))
    parser.add_argument("--dense", choices=("on", "auto", "off"), default="on", help="auto: vectors as questions need")
    parser.add_argument("--embedder", help="a sentence-transformers model instead of the built-in one")
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def quiet(event: Event) -> None:
    """Progress is not shown."""


def numbers(text: str) -> list[int]:
    return sorted(int(part) for part in text.split(","))


def measure(questions: Iterable[Question], embedder: Embedder | None, indexes: Path, *, fill: bool) -> Needs:
    sets: dict[tuple[Path, ...], list[Question]] = {}
    for question in questions:
        if question.evidence:
            sets.setdefault(question.docs, []).append(question)
    needs: Needs = {}
    for docs, asked in sets.items():
        key = key_of(docs)
        with Corpus.open(indexes / key) as corpus:
            scan = ingest.discover(docs)
            corpus.refresh(scan, quiet)
            if fill and embedder is not None:
                fill_vectors(corpus, embedder, quiet)
            ids = {Path(file.path).resolve(): ingest.read(file).id for file in scan.files}
            for question in asked:
                ranking = retrieve(corpus, question.question, embedder=embedder, depth_tokens=corpus.size.tokens)
                spans = evidence(question, ids)
                for name, hits in rankings(ranking).items():
                    needs.setdefault(name, []).append(tokens_until(hits, spans))
    return needs


def evidence(question: Question, ids: dict[Path, str]) -> list[tuple[str, int, int]]:
    """The question's spans as ``(document id, start, end)``."""
    for span in question.evidence or ():
        if span.doc not in ids:
            raise InputError(f"{span.doc} cannot be read as a document")
    return [(ids[span.doc], span.start, span.end) for span in question.evidence or ()]


def rankings(ranking: Ranking) -> dict[str, list[Hit]]:
    """The hits as they are ranked, and as either half of the ranking alone would rank them."""
    found = {"fused": list(ranking.hits)}
    for name, rank in RANKINGS.items():
        if name == "lexical" or ranking.dense:
            found[name] = sorted(
                (hit for hit in ranking.hits if rank(hit) is not None), key=lambda hit: (rank(hit), hit.chunk.id)
            )
    return found


def tokens_until(hits: Iterable[Hit], spans: list[tuple[str, int, int]]) -> int | None:
    """Tokens read, hit after hit, until every character of every span has been seen. Chunks do not overlap."""
    unseen = sum(end - start for _, start, end in spans)
    read = 0
    for hit in hits:
        chunk = hit.chunk
        read += chunk.tokens
        for document, start, end in spans:
            if document == chunk.document_id:
                unseen -= max(0, min(end, chunk.end) - max(start, chunk.start))
        if unseen == 0:
            return read
    return None


def shares(needs: list[int | None], tokens: list[int]) -> dict[str, float]:
    return {str(k): sum(need is not None and need <= k for need in needs) / len(needs) for k in tokens}


if __name__ == "__main__":
    main()
