"""The context in which a pipeline runs: it counts, fits, asks, cites and reports, so that a pipeline is its idea alone.

A pipeline is a frozen dataclass of options with a method ``answer(run)``. The shortest that works:

    @dataclass(frozen=True)
    class FirstChunks:
        tokens: int = 500
        name: ClassVar[str] = "first_chunks"
        ...
        def answer(self, run: Run) -> Answer:
            return run.answer(passages(run.best_chunks(self.tokens)))
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Final, Protocol

from lcrag.errors import DoesNotFit
from lcrag.evidence.cite import cite
from lcrag.evidence.contradiction import find_contradictions
from lcrag.planning.scale import count_chunks, frame_tokens, most_tokens, passage_tokens
from lcrag.text.loops import without_loop
from lcrag.text.passages import within
from lcrag.text.prompts import ANSWER_TOKENS, messages, says_not_found
from lcrag.text.questions import is_broad
from lcrag.text.refusals import refuses
from lcrag.types import (
    Answer,
    Backend,
    Chunk,
    Completion,
    CorpusView,
    Emit,
    Event,
    Hit,
    OnToken,
    Passage,
    Ranking,
    Relevance,
    Reranker,
    Role,
    Route,
    Status,
    Step,
    Task,
    Usage,
    ignore,
)

CANDIDATES: Final = 32
"""Hits that the reranker reads, at most: 0.3 s on two cores."""
WIDER: Final = 2
"""How many times the budget the reranker reads, at most."""
RANK_WEIGHT: Final = 0.1
"""Weight of the reranker's score next to the ranking's own."""
LONGER: Final = "a model with a longer window"
SMALLER: Final = f"a smaller budget, or {LONGER}"
STEP: Final = 100
"""A budget that fits is named in hundreds of tokens, rounded down."""


class Pipeline(Route, Protocol):
    """A way to answer: what forecasts need (``Route``), and the answer itself."""

    def answer(self, run: Run) -> Answer:
        """Raises DoesNotFit when the window has no room for what it reads, BackendFailed after retries."""
        ...


@dataclass
class Run:
    """One question as one pipeline answers it.

    ``ranking`` is this question's, ranked once. ``reranker`` may be None. ``pipeline``: its name in
    the steps. ``usage``: what was used so far. ``asked``: every passage given to the backend, as often as it was.
    ``answer_tokens``: the most tokens that an answer may have.
    """

    question: str
    corpus: CorpusView
    ranking: Ranking
    backend: Backend
    reranker: Reranker | None = None
    emit: Emit = ignore
    on_token: OnToken | None = None
    pipeline: str = ""
    answer_tokens: int = ANSWER_TOKENS
    usage: Usage = field(default_factory=Usage)
    asked: list[Passage] = field(default_factory=list)

    def step(self, pipeline: str) -> Run:
        """The same context for a part of this run that is a step of its own, with its own usage."""
        return replace(self, pipeline=pipeline, usage=Usage())

    @cached_property
    def hits(self) -> list[Chunk]:
        """The ranked chunks, best first, counted in the backend's tokens."""
        return count_chunks([hit.chunk for hit in self.ranking.hits], self.corpus, self.backend)

    def chunks(self) -> list[Chunk]:
        """All chunks of the corpus, documents by source, counted in the backend's tokens."""
        return count_chunks(list(self.corpus.chunks()), self.corpus, self.backend)

    def best_chunks(self, tokens: int) -> list[Chunk]:
        """The best-ranked chunks within ``tokens``, reranked where there is a reranker.

        The reranker is skipped where everything that it would read is taken anyway, and for a question about a
        discussion, whose evidence is a stretch of text: with it, meetings score .15 instead of .20.
        """
        candidates = within(self.hits, WIDER * tokens)[:CANDIDATES]
        taken = within(self.hits, tokens)
        if self.reranker is None or is_broad(self.question) or len(candidates) <= len(taken):
            return taken
        relevances = self.reranker.read(self.question, [chunk.text for chunk in candidates])
        return within([self.hits[place] for place in rerank(self.ranking.hits, relevances)], tokens)

    def frame(self, role: Role, words: int = 0) -> int:
        """Tokens of a prompt without its passages and notes, that asks for so many words."""
        if (role, words) not in self._frames:
            self._frames[role, words] = frame_tokens(role, self.question, self.backend, words)
        return self._frames[role, words]

    @cached_property
    def _frames(self) -> dict[tuple[Role, int], int]:
        return {}

    def sizes(self, read: Sequence[Passage]) -> list[int]:
        """Tokens that each passage takes of a prompt."""
        return passage_tokens(read, self.backend)

    def fits(self, read: Sequence[Passage], *, more: int = 0) -> bool:
        """Whether a prompt with these passages leaves the window room for an answer, and for ``more`` tokens."""
        other = ANSWER_TOKENS + more
        if most_tokens(read, self.question) + other <= self.backend.window:
            return True
        return sum(self.sizes(read)) + self.frame("answer") + other <= self.backend.window

    def check_fits(self, read: Sequence[Passage], *, more: int = 0, budget: int = 0) -> None:
        """Raises DoesNotFit when these passages leave no room for an answer and ``more`` tokens.

        ``budget``: the option ``tokens`` by which they were taken, so that the hint can name one that fits.
        """
        if not self.fits(read, more=more):
            text, other = sum(self.sizes(read)), self.frame("answer") + ANSWER_TOKENS + more
            fitting = (self.backend.window - other) * min(budget, text) // (STEP * max(1, text)) * STEP
            self.check_room(text, other, hint=f"tokens={fitting}, or {LONGER}" if fitting > 0 else SMALLER)

    def check_room(self, tokens: int, other: int, *, hint: str = SMALLER) -> None:
        """Raises DoesNotFit when ``tokens`` of text and ``other`` tokens exceed the backend's window."""
        needed, window = tokens + other, self.backend.window
        if needed > window:
            raise DoesNotFit(
                f"{tokens:,} tokens of text need {needed:,} with question and answer, {needed - window:,} more than "
                f"the window of {self.backend.model} ({window:,})",
                tokens=needed,
                window=window,
                hint=hint,
            )

    def ask(self, tasks: Sequence[Task], max_tokens: int) -> list[Completion]:
        """The completions of one batch, in order; their usage is added with the seconds of the clock."""
        self.asked.extend(passage for task in tasks for passage in task.passages)
        streams = len(tasks) == 1 and tasks[0].role in ("answer", "synthesise") and not tasks[0].attend
        begun = time.perf_counter()
        completions = self.backend.run(tasks, max_tokens=max_tokens, on_token=self.on_token if streams else None)
        used = sum((completion.usage for completion in completions), Usage())
        self.usage += replace(used, seconds=time.perf_counter() - begun)
        return [self._without_loop(completion) for completion in completions]

    def ask_once(self, tasks: Sequence[Task], max_tokens: int) -> list[str]:
        """What each task, of one passage and no question, is replied; from the index where that was asked before."""
        keys = [_key(task, self.backend) for task in tasks]
        said = self.corpus.replies(keys)
        new = {key: task for key, task in zip(keys, tasks, strict=True) if key not in said}
        if new:
            texts = [completion.text for completion in self.ask(list(new.values()), max_tokens)]
            said |= dict(zip(new, texts, strict=True))
            self.corpus.keep_replies([(key, new[key].passages[0].document_id, said[key]) for key in new])
        return [said[key] for key in keys]

    def _without_loop(self, completion: Completion) -> Completion:
        text = without_loop(completion.text)
        if text == completion.text:
            return completion
        self.emit(Event("usage", {"message": "the model repeated itself: its reply is cut there"}))
        return replace(completion, text=text, finish="stop")

    def retrieved(self, read: Sequence[Passage], hits: int, **details: object) -> None:
        """Report what is about to be read: ``hits`` chunks as these passages."""
        sources = sorted({passage.source for passage in read})
        tokens = sum(passage.tokens for passage in read)
        self.emit(Event("retrieve", {"hits": hits, "tokens": tokens, "sources": sources, **details}))

    def answer(self, read: Sequence[Passage]) -> Answer:
        """The answer from these passages in one prompt. Raises DoesNotFit when they are too long for the window."""
        if not read:
            return self.nothing(read)
        self.check_fits(read)
        [completion] = self.ask([Task("answer", self.question, tuple(read))], self.answer_tokens)
        return self.cite(completion, read)

    def cite(self, completion: Completion, read: Sequence[Passage]) -> Answer:
        """The Answer that a completion from these passages makes.

        Its markers are checked and lead to the documents, and other sources are compared with those that it cites.
        """
        if completion.finish == "length":
            cut = f"the answer was cut at {completion.usage.output_tokens:,} tokens"
            self.emit(Event("usage", {"message": cut}))
        if says_not_found(completion.text):
            return self.nothing(read)
        cited = cite(completion.text, read, self.corpus.document)
        if not cited.text:  # markers that lead nowhere, and no word otherwise
            return self.nothing(read)
        if refuses(completion.text) and not all(statement.supported for statement in cited.statements):
            return self.nothing(read)  # unless a document says just that: "It is not known who built it."
        cited, conflicts = find_contradictions(self.question, cited, read, self.corpus.document)
        for citation in cited.citations:
            self.emit(Event("citation", asdict(citation)))
        return self.result(
            "contradictory" if conflicts else "answered",
            read,
            text=cited.text,
            citations=cited.citations,
            short=completion.short,
            statements=cited.statements,
            dropped=cited.dropped,
            conflicts=conflicts,
        )

    def nothing(self, read: Sequence[Passage]) -> Answer:
        """The answer that there is none: not in the documents, or not in these passages of them."""
        return self.result("not_found" if self._is_everything(read) else "not_retrieved", read)

    def _is_everything(self, read: Sequence[Passage]) -> bool:
        return sum(passage.index_tokens for passage in read) >= self.corpus.size.tokens

    def result(self, status: Status, read: Sequence[Passage], **fields: object) -> Answer:
        """The Answer of these fields, with what was used and read."""
        coverage = 1.0 if self._is_everything(read) else None
        values = {"text": "", "citations": (), "coverage": coverage} | fields
        return Answer(
            status=status,
            usage=self.usage,
            tokens_read=sum(passage.index_tokens for passage in read),
            steps=(Step(self.pipeline, status, self.usage),),
            **values,  # type: ignore[arg-type]
        )


def _key(task: Task, backend: Backend) -> str:
    """What a reply depends on: the model and the whole prompt, but for the passage's number."""
    [passage] = task.passages
    sent = messages(replace(task, passages=(replace(passage, marker=1),)))
    said = [backend.name, backend.model, *(message["content"] for message in sent)]
    return hashlib.blake2b(json.dumps(said).encode(), digest_size=16).hexdigest()


def rerank(hits: Sequence[Hit], relevances: Sequence[Relevance]) -> list[int]:
    """Places of the hits in a new order: the first of them were read, the rest follow as they were."""
    scores = [hit.score + RANK_WEIGHT * relevance.rank for hit, relevance in zip(hits, relevances, strict=False)]
    return [*sorted(range(len(scores)), key=lambda place: (-scores[place], place)), *range(len(scores), len(hits))]
