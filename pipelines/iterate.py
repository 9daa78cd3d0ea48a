"""Probe, search, judge, remember: what was read names what to look up next (after ComoRAG, arXiv 2508.10419; lean).

Wins where evidence is joined by a name that the question lacks (two hops), since rank order finds the second place late
or never. Half of ``tokens`` is read in rank order; the backend names what to look up (role ``probe``); each name is
searched for; the other half is filled with what these searches and the question's own ranking find. Then the backend
judges whether this suffices, and the next cycle reads ``tokens`` more. With ``cycles=0`` that is one probe before the
first try. It stops when the judge says yes and the estimate agrees, when the estimate says that all was read, when
nothing new is found, or after ``cycles``. A cycle takes at most four calls: probe, note, judge, answer. ComoRAG's own
takes fifteen; its layers of summaries and its graph are left out.

What it finds, with the probes of the embedded backend and no reranker; share of questions whose evidence is wholly
within k tokens, by rank and by this (``examples/evaluation/iterate.py``):

    k                                    500  1,000  2,000  4,000
    hotpot_pool (n=100), by rank         .32    .57    .88    .97
                         by this         .33    .74    .95    .98
    locomo (n=118),      by rank         .47    .60    .74    .81
                         by this         .47    .58    .70    .78

So it is for names that lead from one document to the next, and worse than rank order in dialogues. That is where its
judge never says yes. As it stops with the embedded one: .84 after 1,315 tokens on hotpot_pool, .75 after 2,420 on
locomo. The constants were chosen on these questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import ClassVar, Final, Literal, Self

from lcrag.evidence.provenance import restore_markers
from lcrag.pipelines._notes import NOTE_TOKENS, merge_notes, take_notes
from lcrag.pipelines._run import Run
from lcrag.planning.estimate import estimate
from lcrag.planning.scale import INSTRUCTION_TOKENS, count_chunks
from lcrag.text.names import introduces
from lcrag.text.passages import passages, within
from lcrag.text.prompts import ANSWER_TOKENS, answer_tokens, parse_verdict, says_nothing
from lcrag.text.words import stems
from lcrag.types import SURE, Answer, Chunk, CorpusSize, Estimate, Passage, Ranking, Task, Workload

FOUND: Final = 10
"""Hits of a search that count. With 5 or 20 as much is found (hotpot_pool, n=100, an earlier variant)."""
INTRODUCED, MATCHED = 0.5, 0.125
"""What is added to a chunk's share of the best score where a sentence or title of it begins with what was searched for,
and for its share of the best score in that search. Chosen on hotpot_pool (n=100, earlier variants): evidence within
1,000 tokens .73, .70 with 0.3 for the first; without the second .01 less within 4,000."""
FEW: Final = 2
"""Where more chunks of a search than this begin with the name, none introduces it: the speakers of a dialogue."""
AGREES: Final = 0.7
"""P(all the evidence was read), by the estimate, from which the judge is asked: the embedded one says yes to .95 of the
first tries of hotpot_pool, where .74 have their evidence. Share with all evidence when it stops, and tokens read by
then, by what is put here; chosen on these questions:

                              0       .5       .7       .8       .9
    hotpot_pool (n=100)     .76      .77      .84      .88      .97
                          1,041    1,073    1,315    1,777    2,650
    locomo (n=118)          .61      .66      .75      .76      .78
                          1,203    1,713    2,420    2,833    3,373

As many tokens of every question have .78 and .72 at .7, and .89 and .75 at .8. Without the judge, by this alone, .84
from 1,285 tokens and .74 from 2,310."""
PROBE_TOKENS: Final = 256
"""The most tokens of a reply that names what to look up; forecast is a quarter. Assumed, not measured."""
VERDICT: Final = 64
"""The most tokens of a judgement: 'yes' or 'no', or JSON with it."""
GAIN: Final = 0.4
"""P(a cycle finds all the evidence | not all was read before it), from 500 tokens to 1,000: the mean of hotpot_pool
(.61 of 67 questions) and locomo (.19 of 62). Reading on in rank order finds .37 and .24. On financebench, by words
alone, neither finds any of 11."""


@dataclass(frozen=True, slots=True)
class Iterate:
    """``tokens``: what the first try reads, and each cycle more; ``probes``: what is searched for each time, at most.

    ``memory``: what earlier cycles read stays in the prompt as it is ("text"), or as notes.
    """

    tokens: int = 1000
    cycles: int = field(default=3, metadata={"least": 0})
    probes: int = 12
    memory: Literal["text", "notes"] = "text"
    name: ClassVar[str] = "iterate"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls(), cls(cycles=0)]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        """The first try, followed by each cycle. The answer is asked for once, so that a step counts what it adds."""
        unfilled = size.tokens // max(1, size.chunks) // 2  # what is left where the next chunk is too long
        before = min(max(1, self.tokens // 2 - unfilled), size.tokens)
        answered, seen = 0, estimate.covered(before)
        steps: list[Workload] = []
        budgets = self._budgets(estimate, size.tokens)
        calls = asked = written = 0  # since the last try
        for cycle, read in enumerate(budgets):
            noted = cycle > 0 and self.memory == "notes"
            given = self.tokens + cycle * NOTE_TOKENS // 4 if noted else read
            seen = max(estimate.covered(read), seen + GAIN * (1 - seen))
            judged = read < budgets[-1] and estimate.covered(read) >= AGREES
            calls += (before < size.tokens) + noted + judged
            asked += before * (before < size.tokens) + self.tokens * noted + given * judged
            written += PROBE_TOKENS // 4 + NOTE_TOKENS // 4 * noted + judged
            before = min(given, read)
            if read < budgets[-1] and not judged:
                continue
            if not steps:
                calls, written = calls + 1, written + answer_tokens(estimate.scope_tokens)
            work = Workload(
                input_tokens=asked + max(0, given - answered) + calls * INSTRUCTION_TOKENS,
                output_tokens=written,
                calls=max(1, calls),
                rounds=max(1, calls),
                longest_prompt=given + INSTRUCTION_TOKENS + ANSWER_TOKENS,
                evidence=seen,
                read_tokens=given,
                surroundings="retrieved",
            )
            steps.append(work)
            answered, calls, asked, written = given, 0, 0, 0
        whole = steps[-1]
        for step in reversed(steps[:-1]):
            whole = replace(step, then=whole)
        return whole

    def _budgets(self, estimate: Estimate, size: int) -> list[int]:
        """Tokens that are read until each try, up to the one from which nothing more is worth reading."""
        budgets = [min(size, self.tokens * (cycle + 1)) for cycle in range(self.cycles + 1)]
        tries = 1 + sum(read < size and estimate.covered(read) < SURE for read in budgets)
        return budgets[:tries]

    def answer(self, run: Run) -> Answer:
        """Raises DoesNotFit when the window has no room for the first try."""
        memory = Memory(run, self.memory)
        memory.read(run.best_chunks(self.tokens // 2))
        if not memory.chunks:
            return run.nothing(())
        run.check_fits(memory.passages, budget=self.tokens)
        searches: dict[str, Ranking] = {}
        answer: Answer | None = None
        for cycle in range(self.cycles + 1):
            room = self.tokens * (cycle + 1) - sum(chunk.tokens for chunk in memory.chunks)
            searches |= self._searched(run, memory, searches)
            more = within(_ordered(run, searches, memory.chunks), room)
            if sum(chunk.tokens for chunk in more) > room:  # ``within`` takes one chunk in any case
                more = []
            if cycle:
                if not more or not memory.has_room(more):
                    break
                memory.note()
            memory.read(more)
            if not cycle:
                run.check_fits(memory.passages, budget=self.tokens)
            run.retrieved(memory.passages, len(memory.chunks), probes=list(searches))
            covered = memory.covered()
            is_last = cycle == self.cycles or len(memory.chunks) == run.corpus.size.chunks or covered >= SURE
            if is_last or (covered >= AGREES and memory.suffices()):
                answer = memory.answer()
                if is_last or not answer.is_unsupported:
                    return answer
        return memory.answer() if answer is None else answer

    def _searched(self, run: Run, memory: Memory, searches: Mapping[str, Ranking]) -> dict[str, Ranking]:
        """What is searched for now, with its rankings. What shares no word with the question or what was read is
        dropped: probes drift."""
        if run.ranking.search is None or len(memory.chunks) == run.corpus.size.chunks:
            return {}
        before = ("Searched for already: " + "; ".join(searches),) if searches else ()
        task = Task("probe", run.question, tuple(memory.passages), (*memory.notes, *before))
        [completion] = run.ask([task], PROBE_TOKENS)
        if says_nothing(completion.text):
            return {}
        known = set(stems(run.question)).union(*(stems(chunk.text) for chunk in memory.chunks))
        lines = [line.strip(" \t-*•\"'") for line in completion.text.splitlines()]
        new = [line for line in dict.fromkeys(lines) if line not in searches and not known.isdisjoint(stems(line))]
        return {line: run.ranking.search(line) for line in new[: self.probes]}


class Memory:
    """What was read so far: ``chunks`` of every cycle; ``passages`` and ``notes`` that stand for them in a prompt."""

    def __init__(self, run: Run, kind: Literal["text", "notes"]) -> None:
        self.run, self.kind = run, kind
        self.chunks: list[Chunk] = []
        self.passages: list[Passage] = []
        self.notes: list[str] = []
        self._all: list[Passage] = []

    def read(self, chunks: Sequence[Chunk]) -> None:
        """Take these chunks into memory, behind what is there, under markers of their own."""
        new = passages(chunks, first=len(self._all) + 1)
        self.chunks += chunks
        self.passages += new
        self._all += new

    def has_room(self, chunks: Sequence[Chunk]) -> bool:
        """Whether the window has room for these chunks too."""
        kept = self.passages if self.kind == "text" else []
        noted = NOTE_TOKENS + self._notes_room if self.kind == "notes" else 0
        return self.run.fits([*kept, *passages(chunks, first=len(self._all) + 1)], more=noted)

    def note(self) -> None:
        """Put notes in the place of the passages, where that is the kind of memory; merged when they outgrow it."""
        if self.kind == "text":
            return
        task = Task("note", self.run.question, tuple(self.passages), tuple(self.notes))
        notes = take_notes([task], self.run.ask([task], NOTE_TOKENS), self._all)
        room = self._notes_room
        self.notes = merge_notes(self.run, [*self.notes, *notes], self._all, room=room, note_tokens=room // 2)
        self.passages = []

    @property
    def _notes_room(self) -> int:
        return max(2, min(2 * NOTE_TOKENS, self.run.backend.window // 8))

    def covered(self) -> float:
        """P(all the evidence was read), as the estimate has it for as many tokens in rank order."""
        return estimate(self.run.ranking).covered(sum(passage.index_tokens for passage in self._all))

    def suffices(self) -> bool:
        """Whether the backend judges that what is in memory answers."""
        task = Task("judge", self.run.question, tuple(self.passages), tuple(self.notes))
        [verdict] = self.run.ask([task], VERDICT)
        return parse_verdict(verdict.text) == "yes"

    def answer(self) -> Answer:
        """The answer from what is in memory."""
        task = Task("answer", self.run.question, tuple(self.passages), tuple(self.notes))
        [completion] = self.run.ask([task], self.run.answer_tokens)
        if self.notes and not says_nothing(completion.text):
            text = restore_markers(completion.text, tuple(self.passages), self.notes, self._all)
            completion = replace(completion, text=text)
        return self.run.cite(completion, self._all)


def _ordered(run: Run, searches: Mapping[str, Ranking], read: Sequence[Chunk]) -> list[Chunk]:
    """Unread chunks: every other one as the question alone ranks it, so that a search for nothing costs half at most,
    and between them those that the searches move up."""
    taken = {chunk.id for chunk in read}
    by_rank = [hit.chunk for hit in run.ranking.hits if hit.chunk.id not in taken]
    best = max((hit.score for hit in run.ranking.hits), default=0.0) or 1.0
    own = {hit.chunk.id: hit.score / best for hit in run.ranking.hits}
    scores = {chunk.id: own[chunk.id] for chunk in by_rank}
    chunks = {chunk.id: chunk for chunk in by_rank}
    for probe, ranking in searches.items():
        hits = ranking.hits[:FOUND]
        starts = {hit.chunk.id for hit in hits if introduces(hit.chunk.text, probe)}
        bonus = INTRODUCED if len(starts) <= FEW else 0.0
        for hit in hits:
            number, share = hit.chunk.id, hit.score / (hits[0].score or 1.0)
            if number not in taken:
                score = own.get(number, 0.0) + MATCHED * share + bonus * (number in starts)
                chunks[number], scores[number] = hit.chunk, max(score, scores.get(number, 0.0))
    by_search = sorted(chunks, key=lambda number: (-scores[number], number)) if searches else []
    pairs = zip_longest(by_search, [chunk.id for chunk in by_rank])
    order = dict.fromkeys(number for pair in pairs for number in pair if number is not None)
    return count_chunks([chunks[number] for number in order], run.corpus, run.backend)
