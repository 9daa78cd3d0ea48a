"""The protocols between the parts, and the events that tell what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from lcrag.types.answers import Completion, Task
from lcrag.types.documents import Chunk, CorpusSize, Document
from lcrag.types.planning import BackendIdentity, Estimate, Workload

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: ``kind`` is the contract's event name; ``data`` holds plain values, a Plan or a
    Usage."""

    kind: str
    data: Mapping[str, Any]


Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """An ``Emit`` that listens to nothing."""


OnToken = Callable[[str], None]
OnWait = Callable[[str], None]
OnSilence = Callable[[str, float, float], None]
"""Gets a server, the seconds for which it has written nothing, 0 once it writes again, and those it is waited for."""


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
    """Reads a question together with each text: one Relevance a text, in order. ``name`` names the weights."""

    @property
    def name(self) -> str: ...
    def read(self, question: str, texts: Sequence[str]) -> list[Relevance]: ...


@dataclass(frozen=True, slots=True)
class CacheState:
    """What a server says of its prefix cache. ``server``: its address and its start; another start, another cache.

    ``queried_tokens``: prompt tokens that it was ever asked for; ``capacity_tokens``: what its KV cache holds, None if
    it does not say.
    """

    server: str
    queried_tokens: float
    capacity_tokens: int | None


class Backend(Protocol):
    """Runs tasks. Subclass it and say the first five; the rest has defaults.

    ``tokenizer`` names what ``count_many`` counts with; an estimate's name starts with "estimate". ``concurrency``:
    how many tasks are worth sending at once; 1 for a backend that computes in this process. ``template_tokens``: tokens
    that a chat template puts around a prompt, None for a backend that reads passages as they are, without a prompt.
    ``attends``: whether it can tell which words of a prompt the question attends to (``Task.attend``).
    ``holds``: whether it can hold a reply to what a task ``allows``.
    ``max_seconds`` (what a call may take) and ``on_wait`` (gets a line for each wait) are set before a route runs,
    ``on_silence`` once. Threads may call both.
    """

    name: str
    model: str
    window: int
    max_seconds: float | None = None
    on_wait: OnWait | None = None
    on_silence: OnSilence | None = None

    @property
    def tokenizer(self) -> str: ...

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        ...

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        """All tasks, concurrently where the backend can; completions in the tasks' order.

        ``on_token`` gets each piece of text as it is written, when there is one task; not every backend calls it.
        Raises DoesNotFit for a prompt longer than the window, BackendFailed after retries.
        """
        ...

    @property
    def concurrency(self) -> int:
        return 1

    @property
    def template_tokens(self) -> int | None:
        return 32

    @property
    def attends(self) -> bool:
        return False

    @property
    def holds(self) -> bool:
        return False

    @property
    def identity(self) -> BackendIdentity:
        """What a measured Profile belongs to."""
        return BackendIdentity(self.name, self.model, self.window)

    def cache_state(self) -> CacheState | None:
        """The prefix cache as the server reports it; None where there is none, or it does not say. Never raises."""
        return None


class CorpusView(Protocol):
    """What pipelines may ask of a corpus (``lcrag.index.corpus.Corpus`` is one). ``folder``: where the index is."""

    @property
    def folder(self) -> Path: ...
    @property
    def size(self) -> CorpusSize: ...
    @property
    def tokenizer(self) -> str: ...
    def chunks(self) -> Iterator[Chunk]: ...
    def documents(self) -> Iterator[tuple[str, str, int]]: ...
    def document(self, document_id: str) -> Document: ...
    def beginning(self, document_id: str) -> str: ...
    def replies(self, keys: Sequence[str]) -> dict[str, str]: ...
    def keep_replies(self, said: Sequence[tuple[str, str, str]]) -> None: ...


class Route(Protocol):
    """What forecasts need of a ``lcrag.pipelines.Pipeline``: a frozen dataclass whose fields are its options.

    An option that is keyword-only is shown only where it is not at its default.
    """

    name: ClassVar[str]

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        """The option sets worth forecasting for this question. Tokens are the backend's."""
        ...

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        """What answering would ask of the backend. Tokens are the backend's, without the marks around passages."""
        ...
