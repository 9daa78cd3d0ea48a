"""The backend without a server: tasks are done by extraction (``lcrag.backends.extract``) and by the small writer.

Who answers what follows from measurement (``examples/writer/README.md``): quotes hold the answer to a question of fact
most often; the reader's span is the short answer where it is sure, else the writer's, and where the writer says "not
here", nothing is quoted either; what a dialogue comes to, the writer says, as far as the documents support it; a
summary of prose is made of its own sentences (``lcrag.evidence.central``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, groupby, pairwise
from threading import Thread
from typing import Final

from lcrag.backends import answerable, compose, extract
from lcrag.backends.compose import Programmer, Writer
from lcrag.backends.extract import Scored, Unit
from lcrag.evidence.central import FULL, most_central
from lcrag.text import tokens
from lcrag.text.dialogue import is_dialogue
from lcrag.text.followup import standing_alone
from lcrag.text.outlines import most_sections, outline_of, prose_of, write_outline
from lcrag.text.prompts import NOT_FOUND
from lcrag.text.questions import asks_for_list, asks_for_summary, is_broad, without_cue, words_asked
from lcrag.text.refusals import refuses
from lcrag.text.rows import cell_asked
from lcrag.text.sentences import strip_stray_emphasis
from lcrag.types import Backend, Completion, Embedder, OnToken, Reranker, Task, Usage

WINDOW: Final = 4_000_000
"""Tokens read at once: 16 MB of text, whose sentences take about 1 GB of memory and 20 s."""
SURE_SPAN: Final = 6.0
"""The score of the reader's best span from which it is the short answer. At 2,000 tokens, with the writer's for the
rest: exact answers on nq_pool .37 (by the reader alone .37), hotpot_pool .20 (.14), locomo .11 (.06); 60, 100 and 79
questions."""
HALVES: Final = 2
"""Parts of a dialogue that the writer reads one after the other where all of it is asked for: of 6 whole meetings of
qmsum one gave ROUGE-L .15, two .23, three .23. Too few to be sure, and chosen on them."""


BEAMS: Final = 4
"""Programs over tables that are followed at once."""
NEAR: Final = 2
"""Words of the sentences nearest to a section's question for each that the section may have: the most central of these
are taken. Of all that the search finds the central ones are often about something else. Chosen by reading reports."""


class EmbeddedBackend(Backend):
    """Quotes sentences. ``embedder`` None: by words alone; ``reranker`` None: no short answers but the writer's;
    ``writer`` None: no sentences but quotes; ``programmer`` None: no programs over tables.
    """

    name = "embedded"
    window = WINDOW

    def __init__(
        self,
        embedder: Embedder | None,
        reranker: Reranker | None = None,
        writer: Writer | None = None,
        programmer: Programmer | None = None,
    ) -> None:
        self.embedder = embedder
        self.reranker = reranker
        self.writer = writer
        self.programmer = programmer
        self.model = embedder.name if embedder is not None else "lexical"

    @property
    def tokenizer(self) -> str:
        return tokens.tokenizer_name()

    @property
    def template_tokens(self) -> int | None:
        return None

    @property
    def holds(self) -> bool:
        return self.programmer is not None

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return tokens.count_many(texts)

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        """A completion for each task, made of sentences of its passages or notes, within ``max_tokens``."""
        Thread(target=refuses, args=(NOT_FOUND,), daemon=True).start()  # compiles its forms while the models compute
        return [self._completion(task, max_tokens) for task in tasks]

    def _completion(self, task: Task, max_tokens: int) -> Completion:
        begun = time.perf_counter()
        odds = self._odds(task) if task.odds else self._programs(task, max_tokens)
        text, short = (odds[0][0], None) if odds else self._reply(task, max_tokens)
        read = sum(passage.tokens for passage in task.passages) + sum(self.count_many([*task.notes, task.question]))
        [written] = self.count_many([text])
        return Completion(text, Usage(read, 0, written, 1, time.perf_counter() - begun), short=short, odds=odds)

    def _reply(self, task: Task, max_tokens: int) -> tuple[str, str | None]:
        """The text, and the short answer if there is one."""
        answers = task.role in ("answer", "synthesise", "repeat")
        if task.role == "choose" and isinstance(task.shape, tuple):
            return _widest(task.question, task.shape), None
        if task.role in ("demonstrate", "program"):
            return NOT_FOUND, None  # extraction writes no questions, and would learn nothing from them; nor programs
        if task.role == "probe":
            return "\n".join(extract.probe(task)) or NOT_FOUND, None
        if task.role == "rewrite":
            return standing_alone(task.question, *task.notes[-2:]) if task.notes else task.question, None
        if task.role == "outline":
            return self._outline(task), None
        if task.role == "write":
            return self._section(task, max_tokens), None
        if task.role == "summarise" or (answers and asks_for_summary(task.question)):
            return self._summary(task, max_tokens), None
        scored = extract.score(task, self.embedder, self.reranker)
        is_here = bool(scored.ranked) and answerable.is_here(
            scored, answerable.judgement_for(self.embedder, self.reranker)
        )
        if task.role == "judge":
            return "yes" if is_here else "no", None
        is_talk = answers and is_broad(task.question) and _is_dialogue(scored.units)
        if is_talk:
            written = self._written(task, scored.units, scored.weights, max_tokens)
            if written:
                return written, None
        if not is_here:
            return NOT_FOUND, None
        if task.role == "pick":
            return " ".join(dict.fromkeys(unit.markers for unit in extract.choose(task, scored))), None
        if task.role in ("note", "quote", "point"):
            return self._join(extract.choose(task, scored), max_tokens), None
        if asks_for_list(task.question):
            chosen = extract.choose(task, scored)
            return self._join(chosen, max_tokens), self._items(task, chosen)
        is_settled, short = self._settled(task, scored)
        if not is_settled and self.writer is not None:
            bare = compose.short_answer(task, scored.units, scored.weights, self.writer)
            if bare is None and answers and task.passages and not scored.has_code:
                return NOT_FOUND, None  # of lara's unanswerable questions .55 are refused so, without it .31
            unit = compose.holder_of(bare, scored.units, scored.weights) if bare else None
            short = (bare, unit) if bare and unit else scored.span
        chosen = extract.choose(task, replace(scored, span=short))
        return self._join(chosen, max_tokens), short[0] if short else None

    def _odds(self, task: Task) -> tuple[tuple[str, float], ...]:
        """P(the answer is here) as the odds of "yes" and "no"."""
        scored = extract.score(task, self.embedder, self.reranker)
        here = answerable.answerable(scored.features, answerable.judgement_for(self.embedder, self.reranker))
        return tuple(sorted((("yes", here), ("no", 1 - here)), key=lambda pair: -pair[1]))

    def _programs(self, task: Task, max_tokens: int) -> tuple[tuple[str, float], ...]:
        """The likeliest programs of those allowed."""
        if self.programmer is None or task.allows is None:
            return ()
        asked = [{"role": "user", "content": "\n\n".join(task.notes)}]
        return tuple(self.programmer.several(asked, task.allows, BEAMS, max_tokens))

    def _summary(self, task: Task, max_tokens: int) -> str:
        """Of a dialogue the writer's sentences, since those of a speaker mean little alone; of prose its own."""
        units = extract.units_of(task)
        is_talk = (task.passages or task.role != "summarise") and _is_dialogue(units)  # notes are merged as they are
        written = self._minutes(task, units, max_tokens) if is_talk else ""
        words = task.words or words_asked(task.question)
        return written or self._join(most_central(task.question, units, words, self.embedder), max_tokens)

    def _outline(self, task: Task) -> str:
        """The headings of the passages that are near the question."""
        near: list[float] = []
        prose = prose_of(task.passages)
        if self.embedder is not None and prose:
            texts = [f"{passage.context}\n{passage.text}" for passage in prose]
            vectors = self.embedder.embed([without_cue(task.question), *texts])
            near = [float(cosine) for cosine in vectors[1:] @ vectors[0]]
        sections = outline_of(task.question, prose, most_sections(task.shape), task.words, near)
        return write_outline(sections) if sections else NOT_FOUND

    def _section(self, task: Task, max_tokens: int) -> str:
        """Sentences of the passages, without those that the notes hold, a paragraph a passage."""
        written = " ".join(" ".join(task.notes).split())
        task = replace(task, passages=tuple(prose_of(task.passages)), notes=())
        units = [unit for unit in extract.units_of(task) if unit.text not in written]
        weights = compose.by_relevance(task, units, self.embedder)
        near: list[Unit] = []
        for place in sorted(range(len(units)), key=lambda place: (-weights[place], place)):
            if sum(len(unit.text.split()) for unit in near) < NEAR * task.words:
                near.append(units[place])
        near.sort(key=lambda unit: unit.order)
        words = round(2 * task.words / (1 + FULL))  # between FULL and all of what it is given are filled
        chosen = most_central(task.question, near, words, self.embedder)
        paragraphs = [list(same) for _, same in groupby(chosen, key=lambda unit: unit.markers)]
        room = max_tokens // max(1, len(paragraphs))
        return "\n\n".join(self._join(paragraph, room) for paragraph in paragraphs) or NOT_FOUND

    def _minutes(self, task: Task, units: Sequence[Unit], max_tokens: int) -> str:
        """What the writer says of the parts of a dialogue that are asked for, or of each half where all of it is."""
        weights = compose.by_relevance(task, units, self.embedder)
        parts = 1 if any(weights) else HALVES
        bounds = [len(units) * part // parts for part in range(parts + 1)]
        written = (self._written(task, units[a:b], weights[a:b], max_tokens // parts) for a, b in pairwise(bounds))
        return " ".join(filter(None, written))

    def _written(self, task: Task, units: Sequence[Unit], weights: Sequence[float], max_tokens: int) -> str:
        """The writer's sentences that have support; "" without a writer or without any."""
        if self.writer is None or not units:
            return ""
        return " ".join(compose.supported_sentences(task, units, weights, self.writer, max_tokens))

    def _settled(self, task: Task, scored: Scored) -> tuple[bool, tuple[str, Unit] | None]:
        """Whether the short answer needs no writer, and what it is without: of a table the cell that is asked for, else
        the reader's span, which settles it where it is sure."""
        unit = scored.ranked[0][1]
        source = extract.by_markers(task).get(unit.markers)
        header = extract.columns_of(source) if source else ""
        if header and (cell := cell_asked(task.question, header, unit.text)):
            return True, (cell, unit)
        if scored.is_row:
            return True, None  # no cell is called what is asked: the row says it all
        return scored.span is not None and scored.features["best_span"] > SURE_SPAN, scored.span

    def _items(self, task: Task, chosen: Sequence[Unit]) -> str | None:
        """The reader's spans of all sentences quoted that have one."""
        if self.reranker is None:
            return None
        relevances = self.reranker.read(task.question, [unit.text for unit in chosen])
        items = [
            unit.text[slice(*relevance.answer)]
            for unit, relevance in zip(chosen, relevances, strict=True)
            if relevance.answer_score > 0
        ]
        return ", ".join(dict.fromkeys(items)) or None

    def _join(self, chosen: Sequence[Unit], max_tokens: int) -> str:
        """The sentences with their markers, as many as ``max_tokens`` allow; the first in any case."""
        lines = [f"{strip_stray_emphasis(unit.text)} {unit.markers}".strip() for unit in chosen]
        if not lines:
            return NOT_FOUND
        if len("\n".join(lines).encode()) > max_tokens:  # a token is at least one byte
            used = accumulate(self.count_many(lines))
            lines = lines[: max(1, sum(count <= max_tokens for count in used))]
        return "\n".join(lines)


def _widest(question: str, choices: Sequence[str]) -> str:
    """Of ways to look for an answer, named from the narrowest to the widest, the one for this kind of question."""
    return choices[-1] if is_broad(question) or asks_for_list(question) else choices[0]


def _is_dialogue(units: Sequence[Unit]) -> bool:
    return is_dialogue([unit.text for unit in units])
