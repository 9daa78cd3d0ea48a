"""Which of the passages that were read does the answer depend on? The question is asked again without some of them.

Group testing: passages whose absence together changes nothing are cleared by one call; a group that matters is halved
until it is single passages, so that m of n passages are found in O(m log n) calls, all calls of a round in one batch
(TracLLM, Wang et al. 2025). Informed: the first cut is between the passages that the answer cites and the others. Two
passages that stand in for each other matter although neither is missed alone: each is looked for with the other gone,
as in delta debugging (Zeller and Hildebrandt 2002). ``minimal`` is a set that alone gives the same answer and loses it
with any passage removed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lcrag.evidence.cite import MARKER
from lcrag.text.facts import facts
from lcrag.text.places import line_of, page_of
from lcrag.text.prompts import ANSWER_TOKENS, says_nothing
from lcrag.types import Answer, Backend, CorpusView, Passage, Task, Trace, Traced, Usage

SAME: Final = 0.6
"""Share of an answer's words that another must have to be the same; of its numbers it must have all. Not measured."""

Places = frozenset[int]
"""A set of passages, by their places in the list of those considered."""


def trace(
    question: str, answer: Answer, asked: Sequence[Passage], corpus: CorpusView, backend: Backend, room: int
) -> Trace:
    """The trace of an answer that was made from the passages ``asked``, by asking ``backend`` again with parts of them.

    What does not fit one prompt of ``room`` tokens of passages, the cited ones first, is not considered. An answer that
    the passages do not give when they are read together is not reproduced, and its trace is empty. The usage has the
    seconds of the clock. Raises what the backend raises.
    """
    read = list({(passage.document_id, passage.start, passage.end): passage for passage in asked}.values())
    considered = _within(answer, read, room)
    search = _Search(question, answer, considered, backend)
    everything = frozenset(range(len(considered)))
    reproduced = bool(considered) and search.give_same([everything])[0]
    needed, minimal = search.find(_cited(answer, considered)) if reproduced else (frozenset(), frozenset())
    traced = tuple(
        _traced(considered[place], place in needed, place in minimal, corpus) for place in sorted(needed | minimal)
    )
    return Trace(traced, len(read), len(considered), reproduced, search.usage)


class _Search:
    """The search for the passages of one answer; what was asked once is remembered."""

    def __init__(self, question: str, answer: Answer, passages: Sequence[Passage], backend: Backend) -> None:
        self._question = question
        self._answer = facts(_words(answer.text))
        self._passages = passages
        self._backend = backend
        self._all: Places = frozenset(range(len(passages)))
        self._known: dict[Places, bool] = {frozenset(): False}
        self.usage = Usage()

    def give_same(self, sets: Sequence[Places]) -> list[bool]:
        """Whether each of these sets of passages gives the same answer: the unknown ones are asked in one batch."""
        new = [places for places in dict.fromkeys(sets) if places not in self._known]
        tasks = [
            Task("answer", self._question, tuple(self._passages[place] for place in sorted(places))) for places in new
        ]
        begun = time.perf_counter()
        completions = self._backend.run(tasks, max_tokens=ANSWER_TOKENS) if tasks else []
        used = sum((completion.usage for completion in completions), Usage())
        self.usage += replace(used, seconds=time.perf_counter() - begun)
        for places, completion in zip(new, completions, strict=True):
            self._known[places] = self._is_same(completion.text)
        return [self._known[places] for places in sets]

    def find(self, cited: Places) -> tuple[Places, Places]:
        """The passages whose absence, alone or with those that stand in for them, changes the answer; and a set that
        gives the same answer and does not with any passage of it removed.
        """
        needed = self._find_missed(self._all, frozenset(), cited)
        minimal = self._find_minimal(needed)
        order = sorted(minimal)
        same = self.give_same([self._all - {place} for place in order])
        alone = frozenset(place for place, unchanged in zip(order, same, strict=True) if not unchanged)
        for place in minimal - alone:  # with it gone, the passages that replace it are missed
            needed |= {place} | self._find_missed(self._all - alone - {place}, frozenset({place}), cited)
        return needed, minimal

    def _find_missed(self, part: Places, gone: Places, cited: Places) -> Places:
        """The passages of a part that are missed when ``gone`` is; all of it together is."""
        if len(part) < 2:
            return part
        missed: set[int] = set()
        waiting = [self._cut(part, gone, cited)]
        while waiting:
            unchanged = self.give_same([self._all - gone - half for *halves, gone in waiting for half in halves])
            parts: list[tuple[Places, Places]] = []
            for number, (left, right, gone) in enumerate(waiting):
                left_matters, right_matters = (not same for same in unchanged[2 * number : 2 * number + 2])
                if not left_matters and not right_matters:  # each stands in for the other
                    parts += [(left, gone | right), (right, gone | left)]
                parts += [(left, gone)] if left_matters else []
                parts += [(right, gone)] if right_matters else []
            missed.update(place for part, _ in parts if len(part) == 1 for place in part)
            waiting = [self._cut(part, gone, cited) for part, gone in parts if len(part) > 1]
        return frozenset(missed)

    def _find_minimal(self, needed: Places) -> Places:
        """Passages that give the same answer, as few as QuickXplain finds (Junker 2004), the needed ones preferred."""
        others = [] if self.give_same([needed])[0] else sorted(self._all - needed)
        left = self._add_enough(frozenset(), [*sorted(needed), *others], grown=False)
        while True:  # once, unless a model's answers do not grow with what it is shown
            fewer = [left - {place} for place in sorted(left)]
            same = self.give_same(fewer)
            if True not in same:
                return left
            left = fewer[same.index(True)]

    def _add_enough(self, base: Places, part: Sequence[int], *, grown: bool) -> Places:
        """What of a part must join ``base`` for the same answer, all of the part together being enough."""
        if grown and self.give_same([base])[0]:
            return frozenset()
        if len(part) == 1:
            return frozenset(part)
        half = len(part) // 2
        first, rest = part[:half], part[half:]
        later = self._add_enough(base | frozenset(first), rest, grown=True)
        return later | self._add_enough(base | later, first, grown=bool(later))

    @staticmethod
    def _cut(part: Places, gone: Places, cited: Places) -> tuple[Places, Places, Places]:
        """Two halves of a part, the first time the cited and the others; and what is gone meanwhile."""
        if part & cited and part - cited:
            return part & cited, part - cited, gone
        ordered = sorted(part)
        half = (len(ordered) + 1) // 2
        return frozenset(ordered[:half]), frozenset(ordered[half:]), gone

    def _is_same(self, text: str) -> bool:
        if says_nothing(text):
            return False
        other = facts(_words(text))
        shared = len(other.words & self._answer.words)
        return self._answer.numbers <= other.numbers and shared >= SAME * max(1, len(self._answer.words))


def _words(text: str) -> str:
    return MARKER.sub("", text)


def _cited(answer: Answer, passages: Sequence[Passage]) -> Places:
    """The passages that overlap a citation."""
    return frozenset(
        place
        for place, passage in enumerate(passages)
        if any(
            citation.document_id == passage.document_id
            and citation.start < passage.end
            and passage.start < citation.end
            for citation in answer.citations
        )
    )


def _within(answer: Answer, read: Sequence[Passage], room: int) -> list[Passage]:
    """The passages that fit ``room`` tokens, the cited ones taken first, in their order under new markers."""
    cited = _cited(answer, read)
    taken: list[int] = []
    for place in sorted(range(len(read)), key=lambda place: (place not in cited, place)):
        if read[place].tokens <= room:
            taken.append(place)
            room -= read[place].tokens
    return [replace(read[place], marker=marker) for marker, place in enumerate(sorted(taken), 1)]


def _traced(passage: Passage, needed: bool, minimal: bool, corpus: CorpusView) -> Traced:
    document = corpus.document(passage.document_id)
    line, page = line_of(document, passage.start), page_of(document, passage.start)
    return Traced(passage.source, passage.start, passage.end, line, page, needed, minimal)
