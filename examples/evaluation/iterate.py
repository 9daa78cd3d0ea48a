"""Does a probe find what rank order misses? Evidence by ``iterate`` and by rank, at equal tokens, without a model.

    python examples/evaluation/iterate.py DIR... [--limit 100] [--dense on] [--reader off] [--index FOLDER]

The embedded backend names what to look up. For each k it prints the share of questions whose evidence is wholly within
k tokens: in rank order, in the order in which ``iterate`` reads where its judge never says yes, and of what it reads
before the embedded backend says yes ("judged", with the tokens that it read on average). ``gain`` is what a cycle adds
at first: of the questions whose evidence is not within the first 500 tokens, the share that have it within 1,000.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from gold import evidence_places, sampled, sessions

from lcrag import ingest
from lcrag.backends.embedded import EmbeddedBackend
from lcrag.comparison.dataset import Question, load
from lcrag.errors import LcragError
from lcrag.pipelines import Iterate, Run
from lcrag.retrieve import open_embedder, open_reranker
from lcrag.text.prompts import NOT_FOUND
from lcrag.types import Chunk, Passage, Task, ignore

BUDGETS = (500, 1000, 2000, 4000)
Needs = dict[str, list[int | None]]
"""By order, for each question: the tokens to read until all its evidence has been seen; None if it never is."""


class NeverSatisfied(EmbeddedBackend):
    """Names what to look up, judges that it does not suffice, and finds no answer."""

    def _reply(self, task: Task, max_tokens: int) -> tuple[str, str | None]:
        return super()._reply(task, max_tokens) if task.role == "probe" else (NOT_FOUND, None)


def main() -> None:
    options = parse()
    try:
        embedder = open_embedder(options.dense, None, ignore)
        backend = EmbeddedBackend(embedder, open_reranker(options.dense, options.reader, ignore))
        columns = " ".join(f"{k:>6,}" for k in BUDGETS)
        print(f"{'dataset':16} {'order':8} {'n':>4} {columns} {'gain':>12}")
        with tempfile.TemporaryDirectory() as scratch:
            for folder in options.folders:
                asked = [question for question in load(folder) if question.evidence and not question.unanswerable]
                needs, read = measure(sampled(asked, options.limit), backend, options.index or Path(scratch))
                for order, tokens in needs.items():
                    print(f"{folder.name:16} {order:8} {line(tokens)}", flush=True)
                print(f"{folder.name:16} tokens read as judged: {read:,.0f}")
    except LcragError as error:
        sys.exit(f"{error}\n{error.hint}".rstrip())


def measure(questions: Sequence[Question], backend: EmbeddedBackend, indexes: Path) -> tuple[Needs, float]:
    """The needs of each order, and the tokens that ``iterate`` reads on average where the backend judges."""
    needs: Needs = {"rank": [], "iterate": [], "judged": []}
    tokens = 0
    for session, group in sessions(questions, indexes, backend):
        session.fill()
        files = ingest.discover(list(session.settings.paths)).files
        documents = {Path(file.path).resolve(): ingest.read(file) for file in files}
        for question in group:
            spans = evidence_places(question.evidence or (), documents)
            ranking = replace(session.rank(question.question), search=session.rank)
            needs["rank"].append(tokens_until([hit.chunk for hit in ranking.hits], spans))
            judges = {"iterate": NeverSatisfied(backend.embedder, backend.reranker), "judged": backend}
            for order, judge in judges.items():
                run = Run(question.question, session.corpus, ranking, judge, judge.reranker, pipeline=Iterate.name)
                Iterate().answer(run)
                read = list(dict.fromkeys(run.asked))
                needs[order].append(tokens_until(read, spans))
            tokens += sum(passage.tokens for passage in read)
    return needs, tokens / max(1, len(needs["rank"]))


def tokens_until(read: Sequence[Chunk | Passage], spans: Sequence[tuple[str, int, int]]) -> int | None:
    """Tokens until every character of the ``(document id, start, end)`` spans has been seen; None if they never are."""
    unseen = sum(end - start for _, start, end in spans)
    tokens = 0
    for part in read:
        tokens += part.tokens
        for document, start, end in spans:
            if document == part.document_id:
                unseen -= max(0, min(end, part.end) - max(start, part.start))
        if unseen == 0:
            return tokens
    return None


def line(needs: Sequence[int | None]) -> str:
    shares = [sum(need is not None and need <= k for need in needs) / max(1, len(needs)) for k in BUDGETS]
    gain = (shares[1] - shares[0]) / max(1e-9, 1 - shares[0])
    missing = round((1 - shares[0]) * len(needs))
    return f"{len(needs):4} " + " ".join(f"{share:6.2f}" for share in shares) + f" {gain:.2f} (n={missing})"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--limit", type=int, help="questions a dataset, always the same ones")
    parser.add_argument("--dense", choices=("on", "off"), default="on")
    parser.add_argument("--reader", choices=("auto", "off"), default="off")
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
