"""The whole corpus in one prompt, in document order.

Wins when the evidence is spread or much of it is needed, and nothing can be missed by retrieval; loses beyond the
model's effective window (Hsieh et al. 2024, RULER), and costs the whole corpus for every question, except where the
server has its prefix cached. A corpus that exceeds the window is split, between documents where they fit: all parts are
asked the question in one batch, and a further call answers from their answers; an event reports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar, Final, Self

from lcrag.pipelines._notes import NOTE_TOKENS, answer_from_notes, merge_notes, take_notes
from lcrag.pipelines._run import Run
from lcrag.pipelines._stage import Stage
from lcrag.planning.scale import INSTRUCTION_TOKENS
from lcrag.text.passages import PASSAGE_TOKENS, groups, passages
from lcrag.text.prompts import ANSWER_TOKENS, answer_tokens, prefix, says_nothing
from lcrag.types import Answer, CorpusSize, Estimate, Passage, Workload

SAMPLE: Final = 16
"""Passages from which the tokens of all are estimated."""
SPARE: Final = 1.5
"""How far the whole may be from the estimate; where that does not decide, all is counted, as one text. Not measured."""
LARGER: Final = 1.25
"""How much longer than the mean the longest chunk is taken to be: chunks are cut near one length."""
INSTEAD: Final = "--pipeline chain_of_agents or --pipeline chunk_rag"


@dataclass(frozen=True, slots=True)
class FullContext(Stage):
    """Everything is read; the options are ``Stage``'s."""

    name: ClassVar[str] = "full_context"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls()]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        """In as many parts as the window makes at least."""
        other = INSTRUCTION_TOKENS + ANSWER_TOKENS + self.more_tokens
        room = max(1, window - other)
        parts = max(1, -(-size.tokens // room))
        answer = answer_tokens(estimate.scope_tokens)
        together = parts > 1  # one more call puts the parts' answers together
        again = together * parts * answer
        chunk = size.tokens / max(1, size.chunks)  # which is never split
        longest = max(min(room, size.tokens), round(LARGER * chunk))
        work = Workload(
            input_tokens=size.tokens + (parts + together) * INSTRUCTION_TOKENS + again,
            output_tokens=(parts + together) * answer,
            calls=parts + together,
            rounds=1 + together,
            longest_prompt=longest + INSTRUCTION_TOKENS + ANSWER_TOKENS,
            evidence=1.0,
            read_tokens=longest,
            surroundings="consecutive",
            handovers=(("synthesise", again),) if together else (),
            reusable_tokens=size.tokens,
            written=again,
        )
        return self.staged(work, size.tokens, estimate, size, parts)

    def answer(self, run: Run) -> Answer:
        """Raises DoesNotFit when the window has no room for a passage."""
        corpus, window = run.corpus, run.backend.window
        if not corpus.size.chunks:
            return run.nothing(())
        other = run.frame("answer") + ANSWER_TOKENS + self.more_tokens
        read = passages(corpus.chunks())
        if _fits(run, read, window - other):
            run.retrieved(read, corpus.size.chunks)
            return self.answer_from(run, read)
        return self._in_parts(run, window - other, other)

    def _in_parts(self, run: Run, room: int, other: int) -> Answer:
        """The answer from those of parts, each of which has ``room`` tokens of text in its prompt."""
        read = passages(run.chunks(), limit=max(1, min(PASSAGE_TOKENS, room // 2)))
        sizes = dict(zip((passage.marker for passage in read), run.sizes(read), strict=True))
        run.check_room(max(sizes.values()), other, hint=INSTEAD)
        parts = _parts(read, sizes, room)
        tokens = sum(sizes.values())
        message = (
            f"{tokens:,} tokens exceed the window of {run.backend.model} ({run.backend.window:,}): read in "
            f"{len(parts)} parts"
        )
        run.retrieved(read, run.corpus.size.chunks, tokens=tokens, parts=len(parts), message=message)
        answer = self.answer_from_selection(run, parts)
        if answer is not None:
            return answer
        most = max(1, min(run.answer_tokens, room // 4))  # of four answers that a merge can hold
        tasks, completions = self.ask(run, parts, most)
        answers = [completion for completion in completions if not says_nothing(completion.text)]
        if len(answers) < 2:  # nothing to merge
            return self.cited(run, [*answers, *completions][0], read)
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


def _parts(read: Sequence[Passage], sizes: Mapping[int, int], room: int) -> list[list[Passage]]:
    """The passages in as many parts as ``room`` tokens need: whole documents where they fit, else split between
    passages. ``sizes``: tokens by marker.
    """

    def tokens(passages: Sequence[Passage]) -> int:
        return sum(sizes[passage.marker] for passage in passages)

    pieces: list[list[Passage]] = []
    for _, same in groupby(read, key=lambda passage: passage.document_id):
        document = list(same)
        if tokens(document) <= room:
            pieces.append(document)
        else:
            pieces += groups(document, [sizes[passage.marker] for passage in document], room)
    return [[passage for piece in part for passage in piece] for part in groups(pieces, map(tokens, pieces), room)]
