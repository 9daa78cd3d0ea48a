"""A report: an outline, a search for each section, each section written from what its search found, every sentence
cited.

An answer is one prompt's and at most 1,024 tokens long; a report is longer, and no one search finds what all its
sections need. Sentences that nothing in their passages supports are left out, so that what is left can be looked up.
"parallel": all sections in one batch. "chained": one after the other, each with the end of what is written so far
(after AgentWrite: Bai et al. 2024, LongWriter, arXiv 2408.07055). "program": with a list of the names and numbers used
so far as well, in place of the files that L2MAC keeps (Holt et al. 2023, arXiv 2310.02003). Prompts are our own.

A section of which a small model writes too little is filled with sentences of the documents. A backend without prompts
takes its outline from headings and its sentences from the documents, each once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal, Self

from lcrag.pipelines._run import Run
from lcrag.pipelines._sections import Draft, joined, quotes
from lcrag.pipelines._summaries import most_tokens
from lcrag.planning.scale import INSTRUCTION_TOKENS, count_chunks, count_notes
from lcrag.text.names import names_in
from lcrag.text.outlines import Section, outline_of, outline_shape, parse_outline
from lcrag.text.passages import passages, within
from lcrag.text.prompts import says_nothing
from lcrag.text.questions import words_asked
from lcrag.types import Answer, Chunk, Completion, CorpusSize, Estimate, Event, Task, Usage, Workload

WORDS: Final = 1500
"""Words of a report whose question does not say how many."""
SECTION_WORDS: Final = 250
"""Words of a section for which the outline is asked: AgentWrite's have 200 to 1,000, and the fewer it has, the more of
them are searched for."""
MOST_SECTIONS: Final = 50
OUTLINE: Final = 4000
"""Tokens of the best chunks that the outline is made from."""
TOKENS: Final = 2000
"""Tokens of the best chunks that a section is written from."""
PLANNED: Final = 64
"""Tokens of a section in the outline: title, query, words. Assumed, not measured."""
BEFORE: Final = 500
"""The last words of the report so far that a chained section sees."""
LISTED: Final = 60
"""Names and numbers of the list, the latest. Assumed, not measured."""
SEARCHED: Final = 64
"""Hits of a section's search that are counted: more than 2,000 tokens."""
ENOUGH: Final = 0.8
"""The share of a section's words below which it is searched for once more. Assumed, not measured."""
LITTLE: Final = 0.5
"""The share of a section's words below which sentences of the documents are quoted in it. Of 1,500 words lcrag's small
model (135M) wrote 3 to 96 that had support. Assumed, not measured on others."""
_NUMBER: Final = re.compile(r"[£$€]?\d[\d,.:]*\d|\d")


@dataclass(frozen=True, slots=True)
class Report:
    """``words`` of the report; 0: as many as the question says, else 1,500. ``sections``: at most; 0: one for 250
    words.

    ``tokens``: what a section is written from.
    """

    words: int = 0
    sections: int = 0
    mode: Literal["parallel", "chained", "program"] = "parallel"
    tokens: int = field(default=TOKENS, kw_only=True)
    name: ClassVar[str] = "report"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls()]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        words = self.words or WORDS
        sections = self._sections(words)
        share = self._share(words, sections, window)
        plan, seen = PLANNED * sections, min(BEFORE * 4 // 3, words * 4 // 3 // 2)
        beside = INSTRUCTION_TOKENS + plan + (0 if self.mode == "parallel" else seen)
        outlined = max(1, min(size.tokens, OUTLINE, window - INSTRUCTION_TOKENS - plan))
        read = max(1, min(size.tokens, self.tokens, window - beside - most_tokens(share)))
        return Workload(
            input_tokens=outlined + INSTRUCTION_TOKENS + sections * (read + beside),
            output_tokens=plan + sections * share * 4 // 3,
            calls=1 + sections,
            rounds=2 if self.mode == "parallel" else 1 + sections,
            longest_prompt=max(outlined + INSTRUCTION_TOKENS + plan, read + beside + most_tokens(share)),
            evidence=estimate.covered(read),
            read_tokens=read,
            surroundings="retrieved",
            reads="write",
            written=sections * (beside - INSTRUCTION_TOKENS),
        )

    def answer(self, run: Run) -> Answer:
        """Raises DoesNotFit when the window has no room for a passage beside the outline and a section."""
        words = self.words or words_asked(run.question, WORDS)
        most = self._sections(words)
        planned = PLANNED * most
        chunks = _fitting(run, run.best_chunks(OUTLINE), run.frame("outline", words) + planned)
        if not chunks:
            return run.nothing(())
        read = passages(chunks)
        run.retrieved(read, len(chunks))
        task = Task("outline", run.question, tuple(read), shape=outline_shape(most), words=words)
        [outline] = run.ask([task], planned)
        if says_nothing(outline.text):
            return run.nothing(read)
        sections = parse_outline(outline.text, most, words)
        if len(sections) < most / 2:  # no outline, or one that was cut: by the headings if they have more
            sections = max(sections, outline_of(run.question, read, most, words), key=len)
        drafts = [Draft(section) for section in sections or [Section(_line(run.question), run.question, words)]]
        run.emit(Event("worker", {"index": len(drafts), "of": len(drafts), "status": "outlined"}))
        said: set[str] = set()
        self._write(run, drafts, drafts, said)
        short = [draft for draft in drafts if draft.words < ENOUGH * draft.section.words]
        self._write(run, short, drafts, said)
        if run.backend.template_tokens is None:
            _lengthen(run, drafts, words, said)
        else:
            _fill(run, [draft for draft in short if draft.words < LITTLE * draft.section.words], said)
        return joined(run, drafts, chunks)

    def _write(self, run: Run, drafts: Sequence[Draft], report: Sequence[Draft], said: set[str]) -> None:
        """Add to these sections of the report, from passages that they were not written from yet."""
        in_turn = self.mode != "parallel" or run.backend.template_tokens is None
        batches = [[draft] for draft in drafts] if in_turn else [list(drafts)]
        marker = 1 + sum(len(draft.chunks) for draft in report)
        for batch in filter(None, batches):
            tasks = []
            most = max(most_tokens(self._left(run, draft)) for draft in batch)
            for draft in batch:
                task = self._task(run, draft, report, marker, most)
                if task is not None:
                    tasks.append((draft, task))
                    marker += len(task.passages)
            if not tasks:
                continue
            completions = run.ask([task for _, task in tasks], most)
            for (draft, task), completion in zip(tasks, completions, strict=True):
                draft.add(run, completion, task.passages, said, task.notes)
                run.emit(Event("worker", {"index": 1 + report.index(draft), "of": len(report), "status": "written"}))

    def _task(self, run: Run, draft: Draft, report: Sequence[Draft], marker: int, most: int) -> Task | None:
        """What is asked to write the section, or more of it; None where nothing is left to read for it.

        ``marker``: the first of its passages. ``most``: tokens that its batch may write each.
        """
        section = draft.section
        query = f"{section.query} {run.question}" if draft.chunks else section.query
        ranking = run.ranking if run.ranking.search is None else run.ranking.search(query)
        new = [hit.chunk for hit in ranking.hits if hit.chunk.id not in draft.chunks][:SEARCHED]
        ranked = within(count_chunks(new, run.corpus, run.backend), self.tokens) if new else []
        question = section.query if section.title in section.query else f"{section.title}: {section.query}"
        notes = self._notes(run, draft, report)
        words = self._left(run, draft)
        other = run.frame("write", words) + sum(count_notes([question, *notes], run.backend)) + most
        chunks = _fitting(run, ranked, other)
        if not chunks:
            return None
        read = passages(chunks, first=marker)
        draft.chunks.update({chunk.id: chunk for chunk in chunks})
        draft.read += read
        run.retrieved(read, len(chunks), section=section.title)
        return Task("write", question, tuple(read), notes, words=words)

    def _left(self, run: Run, draft: Draft) -> int:
        """Words that the section lacks, as many as can be written at once."""
        return self._share(draft.section.words - draft.words, 1, run.backend.window)

    def _notes(self, run: Run, draft: Draft, report: Sequence[Draft]) -> tuple[str, ...]:
        """The plan, and what is written so far: all of it for a backend without prompts, else as the mode is."""
        if run.backend.template_tokens is None:
            return tuple(one.text for one in report if one.lines)
        plan = f"The report: {_line(run.question)}\nIts sections: {'; '.join(one.section.title for one in report)}"
        before = " ".join(one.text for one in (report if self.mode != "parallel" else [draft]) if one.lines)
        notes = [plan]
        if self.mode == "program" and before:
            used = list(dict.fromkeys([*names_in(before), *_NUMBER.findall(before)]))
            notes.append(f"Names and numbers used so far, to be kept the same: {'; '.join(used[-LISTED:])}")
        if before:
            notes.append(f"Written so far: {' '.join(before.split()[-BEFORE:])}")
        return tuple(notes)

    def _sections(self, words: int) -> int:
        """How many sections a report of so many words has, at most."""
        return self.sections or min(MOST_SECTIONS, max(1, round(words / SECTION_WORDS)))

    @staticmethod
    def _share(words: int, sections: int, window: int) -> int:
        """Words of a section, as many as leave a window room to read."""
        return max(1, min(words // sections, (window // 4 - most_tokens(0)) // (most_tokens(1) - most_tokens(0))))


def _fill(run: Run, drafts: Sequence[Draft], said: set[str]) -> None:
    """Add quotes to sections of which a model wrote little that is supported, and did not say that nothing is there."""
    filled = [draft for draft in drafts if draft.is_tried]
    for draft in filled:
        text = quotes(run, draft, draft.section.words - draft.words, said)
        draft.add(run, Completion(text, Usage()), draft.read, said)
    if filled:
        run.emit(
            Event("usage", {"message": f"sections of which too little was written, filled with quotes: {len(filled)}"})
        )


def _lengthen(run: Run, drafts: Sequence[Draft], words: int, said: set[str]) -> None:
    """Add quotes to a report of quotes until it has so many words, about as many to each section that has more."""
    growing = [draft for draft in drafts if draft.is_tried]
    while growing and words > sum(draft.words for draft in drafts):
        before = [draft.words for draft in growing]
        for left, draft in zip(range(len(growing), 0, -1), growing, strict=True):
            lacking = words - sum(one.words for one in drafts)
            text = quotes(run, draft, math.ceil(lacking / left), said)
            draft.add(run, Completion(text, Usage()), draft.read, said)
        growing = [draft for draft, count in zip(growing, before, strict=True) if draft.words > count]


def _fitting(run: Run, ranked: Sequence[Chunk], other: int) -> list[Chunk]:
    """The first chunks that leave the window room for ``other`` tokens. Raises DoesNotFit where none does."""
    kept = list(ranked)
    while len(kept) > 1 and sum(run.sizes(passages(kept))) + other > run.backend.window:
        kept.pop()
    if kept:
        run.check_room(sum(run.sizes(passages(kept))), other)
    return kept


def _line(text: str) -> str:
    return " ".join(text.split())
