"""The protocols between the parts, and the events that tell what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from lcrag.types.answers import Answer, Completion, Task
from lcrag.types.documents import Chunk, CorpusSize, Document, Ranking
from lcrag.types.planning import Estimate, Workload

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on the way: ``kind`` is the contract's event name, ``data`` is JSON-ready."""

    kind: str
    data: Mapping[str, Any]


Emit = Callable[[Event], None]


class Embedder(Protocol):
    """Text to unit vectors: float32, shape ``(len(texts), dimensions)``. ``name`` keys the cache of vectors."""

    @property
    def name(self) -> str: ...
    @property
    def dimensions(self) -> int: ...
    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Relevance:
    """What one text says to the question. Scores are logits, comparable between texts of one question.

    ``rank``: how well it answers; ``here``: whether it does at all. ``places``: characters, half-open, of each word
    piece in the text, int32, shape (pieces, 2); ``evidence``: P(the piece belongs to a sentence that answers), float32,
    (pieces,). ``answer``: characters of the best span, with ``answer_score`` above that of no answer; (0, 0) and
    -inf for an empty text. What is beyond the reader's window is not in ``places``.
    """

    rank: float
    here: float
    answer: tuple[int, int]
    answer_score: float
    places: npt.NDArray[np.int32]
    evidence: npt.NDArray[np.float32]

    def evidence_in(self, start: int, end: int) -> float:
        """The mean over the word pieces that begin in the text's characters ``start`` to ``end``; 0 for none."""
        inside = (self.places[:, 0] >= start) & (self.places[:, 0] < end)
        return float(self.evidence[inside].mean()) if inside.any() else 0.0


class Reranker(Protocol):
    """Reads a question beside each of some texts: one Relevance a text, in their order. ``name`` tells the weights."""

    @property
    def name(self) -> str: ...
    def read(self, question: str, texts: Sequence[str]) -> list[Relevance]: ...


class Backend(Protocol):
    """Runs tasks. ``tokenizer`` names what ``count_tokens`` counts with; an estimate's name starts with "estimate"."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def window(self) -> int: ...
    @property
    def tokenizer(self) -> str: ...
    def count_tokens(self, text: str) -> int: ...
    def count_many(self, texts: Sequence[str]) -> list[int]: ...
    def run(self, tasks: Sequence[Task], *, max_tokens: int) -> list[Completion]: ...


class CorpusView(Protocol):
    """What pipelines may ask of a corpus (``lcrag.index.corpus.Corpus`` is one)."""

    @property
    def size(self) -> CorpusSize: ...
    @property
    def tokenizer(self) -> str: ...
    def chunks(self) -> Iterator[Chunk]: ...
    def document(self, document_id: str) -> Document: ...


class Pipeline(Protocol):
    """One way to answer: a frozen dataclass whose fields are its options."""

    name: ClassVar[str]

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        """The option sets worth forecasting for this question."""
        ...

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload: ...

    def answer(self, question: str, corpus: CorpusView, ranking: Ranking, backend: Backend, emit: Emit) -> Answer: ...
