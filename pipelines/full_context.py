"""The whole corpus in one prompt, in document order.

Wins when the evidence is spread or much of it is needed, and nothing can be missed by retrieval; loses beyond the
model's effective window (Hsieh et al. 2024, RULER), and costs the whole corpus for every question, except where the
server has its prefix cached. A corpus that exceeds the window is split by documents: each part is asked the question as
one of a batch, and what the parts answered is answered from once more. It says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar, Final, Self

from lcrag.retrieve.passages import groups, passages
from lcrag.text.prompts import ANSWER_TOKENS, answer_tokens, prefix
from lcrag.types import (
    Answer,
    Backend,
    CorpusSize,
    CorpusView,
    Emit,
    Estimate,
    Event,
    Passage,
    Ranking,
    Task,
    Workload,
)
from pipelines._notes import from_notes, merged, noted
from pipelines._run import (
    INSTRUCTION_TOKENS,
    NOTE_TOKENS,
    answered,
    found_nothing,
    frame,
    nothing_to_read,
    run,
    too_long,
)

SAMPLE: Final = 16
"""Passages by which the tokens of all are reckoned."""
SPARE: Final = 1.1
"""How far from what the sample tells all may be; where that does not decide, all are counted, as one text."""
INSTEAD: Final = "--pipeline chain_of_agents or --pipeline chunk_rag"


@dataclass(frozen=True, slots=True)
class FullContext:
    name: ClassVar[str] = "full_context"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls()]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        """In as many parts as the window makes at least; the longest document cannot be split."""
        beside = INSTRUCTION_TOKENS + ANSWER_TOKENS
        room = max(1, window - beside)
        parts = max(1, -(-size.tokens // room))
        answer = answer_tokens(estimate.scope_tokens)
        together = parts > 1  # one more call puts the parts' answers together
        again = together * parts * answer
        longest = max(min(room, size.tokens), size.longest_document or size.tokens // max(1, size.documents))
        return Workload(
            input_tokens=size.tokens + (parts + together) * INSTRUCTION_TOKENS + again,
            output_tokens=(parts + together) * answer,
            calls=parts + together,
            rounds=1 + together,
            longest_prompt=longest + beside,
            evidence=1.0,
            read_tokens=longest,
            surroundings="consecutive",
            handovers=(("synthesise", again),) if together else (),
            reusable_tokens=size.tokens,
            written=again,
        )

    def answer(self, question: str, corpus: CorpusView, ranking: Ranking, backend: Backend, emit: Emit) -> Answer:
        """Raises DoesNotFit when one document alone is longer than the backend's window."""
        if not corpus.size.chunks:
            return nothing_to_read(self.name, corpus)
        beside = frame("answer", question, backend) + ANSWER_TOKENS
        if corpus.tokenizer == backend.tokenizer:  # known without reading the corpus
            too_long(corpus.size.longest_document, beside, backend, hint=INSTEAD)
        read = passages(corpus.chunks())
        tokens = corpus.size.tokens
        parts = [read]
        if not _fits(read, corpus, backend, beside):
            parts, tokens = _parts(read, backend, beside)
        told: dict[str, object] = {
            "hits": corpus.size.chunks,
            "tokens": tokens,
            "sources": sorted({passage.source for passage in read}),
        }
        if len(parts) > 1:
            told |= {
                "parts": len(parts),
                "message": f"{tokens:,} tokens exceed the window of {backend.model} ({backend.window:,}): read in "
                f"{len(parts)} parts, by documents",
            }
        emit(Event("retrieve", told))
        tasks = [Task("answer", question, tuple(part)) for part in parts]
        done, usage = run(backend, tasks, ANSWER_TOKENS)
        told_by = [place for place, one in enumerate(done) if not found_nothing(one)]
        answer = done[told_by[0] if told_by else 0]
        if len(told_by) > 1:
            found = noted(tasks, done, read)
            room = backend.window - beside
            found, used = merged(
                question, found, read, backend, emit, room=room, note_tokens=max(1, min(NOTE_TOKENS, room // 4))
            )
            answer, more = from_notes(question, found, read, backend)
            usage += used + more
        return answered(
            self.name,
            question,
            answer,
            read,
            corpus,
            emit,
            usage=usage,
            tokens_read=corpus.size.tokens,
            everything=True,
        )


def _fits(read: Sequence[Passage], corpus: CorpusView, backend: Backend, beside: int) -> bool:
    """Whether all of it fits, in the backend's tokens: by a sample, else as one text, as a thousand take seconds."""
    sample = read[:: -(-len(read) // SAMPLE)]
    counted = backend.count_many([prefix(sample)])[0]
    reckoned = counted * corpus.size.tokens / sum(passage.tokens for passage in sample)
    room = backend.window - beside
    if SPARE * reckoned <= room or reckoned > SPARE * room:
        return reckoned <= room
    return backend.count_many([prefix(read)])[0] <= room


def _parts(read: Sequence[Passage], backend: Backend, beside: int) -> tuple[list[list[Passage]], int]:
    """Whole documents in as many parts as the window needs, and the tokens of all, which are counted by document.

    Raises DoesNotFit when one is too long.
    """
    documents = [list(same) for _, same in groupby(read, key=lambda passage: passage.document_id)]
    lengths = backend.count_many([prefix(document) for document in documents])
    too_long(max(lengths), beside, backend, hint=INSTEAD)
    parts = [
        [passage for document in part for passage in document]
        for part in groups(documents, lengths, backend.window - beside)
    ]
    return parts, sum(lengths)
