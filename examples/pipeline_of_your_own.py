"""A pipeline in one file: it reads the whole document with the best-ranked chunk (python pipeline_of_your_own.py)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import lcrag
from lcrag.text.passages import passages
from lcrag.types import CorpusSize, Estimate, Workload


@lcrag.register_pipeline
@dataclass(frozen=True)
class BestDocument:
    name: ClassVar[str] = "best_document"  # its fields would be its options; it has none

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        """The options to forecast."""
        return [cls()]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        """What it will ask of the backend; the router makes seconds and P(correct) of it."""
        read = size.longest_document
        prompt, written, longest = read + 200, 64, read + 200 + 1024
        return Workload(prompt, written, 1, 1, longest, estimate.covered(read), read, "consecutive")

    def answer(self, run: lcrag.Run) -> lcrag.Answer:
        best = {chunk.document_id for chunk in run.hits[:1]}
        return run.answer(passages([chunk for chunk in run.chunks() if chunk.document_id in best]))


if __name__ == "__main__":
    with lcrag.open(Path(__file__).parent / "saltmarsh", backend="embedded") as docs:
        plan = docs.plan("How much did it cost to build the tide mill?")
        print("\n".join(f"{forecast.pipeline:16} {forecast.quality:.2f}" for forecast in plan.forecasts))
        print(docs.ask(plan.question, pipeline="best_document"))
