"""The whole corpus in one prompt, in document order.

Wins when the evidence is spread or much of it is needed, and nothing can be missed by retrieval; loses beyond the
model's effective window (Hsieh et al. 2024, RULER), and costs the whole corpus for every question, except where the
server has its prefix cached. A corpus that exceeds the window is split by documents: all parts are asked
the question in one batch, and a further call answers from their answers; an event reports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar, Final, Self

from lcrag.planning.scale import INSTRUCTION_TOKENS
from lcrag.text.passages import groups, passages
from lcrag.text.prompts import ANSWER_TOKENS, answer_tokens, prefix, says_nothing
from lcrag.types import Answer, CorpusSize, Estimate, Passage, Task, Workload
from pipelines._notes import NOTE_TOKENS, answer_from_notes, merge_notes, take_notes
from pipelines._run import Run

SAMPLE: Final = 16
"""Passages from which the tokens of all are estimated."""
SPARE: Final = 1.1
"""How far the whole may be from the estimate; where that does not decide, all is counted, as one text. Not measured."""
INSTEAD: Final = "--pipeline chain_of_agents or --pipeline chunk_rag"


@dataclass(frozen=True, slots=True)
class FullContext:
    """No options: everything is read."""

    name: ClassVar[str] = "full_context"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls()]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        """In as many parts as the window makes at least; the longest document cannot be split."""
        other = INSTRUCTION_TOKENS + ANSWER_TOKENS
        room = max(1, window - other)
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
            longest_prompt=longest + other,
            evidence=1.0,
            read_tokens=longest,
            surroundings="consecutive",
            handovers=(("synthesise", again),) if together else (),
            reusable_tokens=size.tokens,
            written=again,
        )

    def answer(self, run: Run) -> Answer:
        """Raises DoesNotFit when one document alone is longer than the backend's window."""
        corpus, window = run.corpus, run.backend.window
        if not corpus.size.chunks:
            return run.nothing(())
        other = run.frame("answer") + ANSWER_TOKENS
        if corpus.tokenizer == run.backend.tokenizer:  # known without reading the corpus
            run.check_room(corpus.size.longest_document, other, hint=INSTEAD)
        read = passages(corpus.chunks())
        if _fits(run, read, window - other):
            run.retrieved(read, corpus.size.chunks)
            return run.cite(run.ask([Task("answer", run.question, tuple(read))], ANSWER_TOKENS)[0], read)
        parts, tokens = _parts(run, read, other)
        message = (
            f"{tokens:,} tokens exceed the window of {run.backend.model} ({window:,}): read in {len(parts)} parts, "
            "by documents"
        )
        run.retrieved(read, corpus.size.chunks, tokens=tokens, parts=len(parts), message=message)
        tasks = [Task("answer", run.question, tuple(part)) for part in parts]
        completions = run.ask(tasks, ANSWER_TOKENS)
        answers = [completion for completion in completions if not says_nothing(completion.text)]
        if len(answers) < 2:  # nothing to merge
            return run.cite([*answers, *completions][0], read)
        room = window - other
        notes = take_notes(tasks, completions, read)
        notes = merge_notes(run, notes, read, room=room, note_tokens=max(1, min(NOTE_TOKENS, room // 4)))
        return answer_from_notes(run, notes, read)


def _fits(run: Run, read: Sequence[Passage], room: int) -> bool:
    """Whether all of it fits, in the backend's tokens: by a sample, else as one text (a thousand take seconds)."""
    sample = read[:: -(-len(read) // SAMPLE)]
    [counted] = run.backend.count_many([prefix(sample)])
    estimate = counted * run.corpus.size.tokens / sum(passage.tokens for passage in sample)
    if SPARE * estimate <= room or estimate > SPARE * room:
        return estimate <= room
    return run.backend.count_many([prefix(read)])[0] <= room


def _parts(run: Run, read: Sequence[Passage], other: int) -> tuple[list[list[Passage]], int]:
    """Whole documents in as many parts as the window needs, and the tokens of all, which are counted by document.

    Raises DoesNotFit when one is too long.
    """
    documents = [list(document) for _, document in groupby(read, key=lambda passage: passage.document_id)]
    lengths = run.backend.count_many([prefix(document) for document in documents])
    run.check_room(max(lengths), other, hint=INSTEAD)
    parts = [
        [passage for document in part for passage in document]
        for part in groups(documents, lengths, run.backend.window - other)
    ]
    return parts, sum(lengths)
