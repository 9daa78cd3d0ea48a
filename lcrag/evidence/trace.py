"""Which of the passages that were read does the answer depend on? Asked again without some of them, to find out.

Group testing: passages whose absence together changes nothing are cleared by one call; a group that matters is halved
until it is single passages, so that m of n passages are found in O(m log n) calls, all calls of a round in one batch
(TracLLM, Wang et al. 2025). Informed: the first cut is between the passages that the answer cites and the others. Two
passages that stand in for each other matter although neither is missed alone: each is looked for with the other gone,
as in delta debugging (Zeller and Hildebrandt 2002). ``minimal`` is a set that alone gives the same answer and loses it
with any one removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lcrag.evidence.cite import MARKER
from lcrag.evidence.support import facts
from lcrag.text.places import line_of, page_of
from lcrag.text.prompts import ANSWER_TOKENS, says_nothing
from lcrag.types import Answer, Backend, CorpusView, Passage, Task, Trace, Traced, Usage

SAME: Final = 0.6
"""Share of an answer's words that another must have to say the same; of its numbers it must have all."""

Places = frozenset[int]


def trace(
    question: str, answer: Answer, asked: Sequence[Passage], corpus: CorpusView, backend: Backend, room: int
) -> Trace:
    """The trace of an answer that was made from the passages ``asked``, by asking ``backend`` again with parts of them.

    What does not fit one prompt of ``room`` tokens of passages, the cited ones first, is not considered. An answer that
    the passages do not give when they are read together is not reproduced, and nothing is said of it. Raises what the
    backend raises.
    """
    read = list({(passage.document_id, passage.start, passage.end): passage for passage in asked}.values())
    considered = _within(answer, read, room)
    search = _Search(question, answer, considered, backend)
    everything = frozenset(range(len(considered)))
    reproduced = bool(considered) and search.same([everything])[0]
    needed, minimal = search.found(_cited(answer, considered)) if reproduced else (frozenset(), frozenset())
    return Trace(
        tuple(
            _traced(considered[place], place in needed, place in minimal, corpus) for place in sorted(needed | minimal)
        ),
        len(read),
        len(considered),
        reproduced,
        search.usage,
    )


class _Search:
    def __init__(self, question: str, answer: Answer, passages: Sequence[Passage], backend: Backend) -> None:
        self._question = question
        self._answer = facts(_words(answer.text))
        self._passages = passages
        self._backend = backend
        self._all: Places = frozenset(range(len(passages)))
        self._known: dict[Places, bool] = {frozenset(): False}
        self.usage = Usage()

    def same(self, kept: Sequence[Places]) -> list[bool]:
        """Whether each of these sets of passages gives the same answer: those not known yet are asked in one batch."""
        new = [one for one in dict.fromkeys(kept) if one not in self._known]
        tasks = [Task("answer", self._question, tuple(self._passages[place] for place in sorted(one))) for one in new]
        done = self._backend.run(tasks, max_tokens=ANSWER_TOKENS) if tasks else []
        for one, completion in zip(new, done, strict=True):
            self.usage += completion.usage
            self._known[one] = self._says_the_same(completion.text)
        return [self._known[one] for one in kept]

    def found(self, cited: Places) -> tuple[Places, Places]:
        """The passages whose absence, alone or with those that stand in for them, changes the answer; and a set that
        gives the same answer and does not with any one of it removed.
        """
        needed = self._missed(self._all, frozenset(), cited)
        minimal = self._minimal(needed)
        order = sorted(minimal)
        missed = self.same([self._all - {place} for place in order])
        alone = frozenset(place for place, same in zip(order, missed, strict=True) if not same)
        for place in minimal - alone:  # with it gone, what stands in for it is missed
            needed |= {place} | self._missed(self._all - alone - {place}, frozenset({place}), cited)
        return needed, minimal

    def _missed(self, part: Places, gone: Places, cited: Places) -> Places:
        """The passages of a part that are missed when ``gone`` is; all of it together is."""
        if len(part) < 2:
            return part
        found: set[int] = set()
        waiting = [self._cut(part, gone, cited)]
        while waiting:
            tests = [self._all - gone - part for *halves, gone in waiting for part in halves]
            unchanged = self.same(tests)
            several: list[tuple[Places, Places]] = []
            for place, (left, right, gone) in enumerate(waiting):
                left_matters, right_matters = (not same for same in unchanged[2 * place : 2 * place + 2])
                if not left_matters and not right_matters:  # each stands in for the other
                    several += [(left, gone | right), (right, gone | left)]
                several += [(left, gone)] if left_matters else []
                several += [(right, gone)] if right_matters else []
            found.update(place for part, _ in several if len(part) == 1 for place in part)
            waiting = [self._cut(part, gone, cited) for part, gone in several if len(part) > 1]
        return frozenset(found)

    def _minimal(self, needed: Places) -> Places:
        """Passages that give the same answer, as few as QuickXplain finds (Junker 2004), the needed ones preferred."""
        others = [] if self.same([needed])[0] else sorted(self._all - needed)
        left = self._enough(frozenset(), [*sorted(needed), *others], grown=False)
        while True:  # once, unless a model's answers do not grow with what it is shown
            fewer = [left - {place} for place in sorted(left)]
            enough = self.same(fewer)
            if True not in enough:
                return left
            left = fewer[enough.index(True)]

    def _enough(self, base: Places, part: Sequence[int], *, grown: bool) -> Places:
        """What of a part must join ``base`` for the same answer, all of the part together being enough."""
        if grown and self.same([base])[0]:
            return frozenset()
        if len(part) == 1:
            return frozenset(part)
        half = len(part) // 2
        first, rest = part[:half], part[half:]
        later = self._enough(base | frozenset(first), rest, grown=True)
        return later | self._enough(base | later, first, grown=bool(later))

    @staticmethod
    def _cut(part: Places, gone: Places, cited: Places) -> tuple[Places, Places, Places]:
        """Two halves of a part, the first time the cited and the others; and what is gone meanwhile."""
        if part & cited and part - cited:
            return part & cited, part - cited, gone
        ordered = sorted(part)
        half = (len(ordered) + 1) // 2
        return frozenset(ordered[:half]), frozenset(ordered[half:]), gone

    def _says_the_same(self, text: str) -> bool:
        if says_nothing(text):
            return False
        said = facts(_words(text))
        both = len(said.words & self._answer.words)
        return self._answer.numbers <= said.numbers and both >= SAME * max(1, len(self._answer.words))


def _words(text: str) -> str:
    return MARKER.sub("", text)


def _cited(answer: Answer, passages: Sequence[Passage]) -> Places:
    return frozenset(
        place
        for place, passage in enumerate(passages)
        if any(
            one.document_id == passage.document_id and one.start < passage.end and passage.start < one.end
            for one in answer.citations
        )
    )


def _within(answer: Answer, read: Sequence[Passage], room: int) -> list[Passage]:
    """The passages that fit one prompt, the cited ones first to be taken, under markers of their own."""
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
