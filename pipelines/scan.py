"""The model looks through everything, window by window, and says little of each; what it picks is read for the answer.

"certainty" (after XL3M, arXiv 2405.17755): each window is asked the question, and the first token alone is looked at.
The paper ranks by how certain it is; a model that is told to say so when nothing is there is most certain of just that,
so here P(it does not say so) comes first. "quotes" (after CFIC, arXiv 2402.09760): each window's sentences that matter
are copied, and searched for in the documents. "attention" (after InfiniRetri, arXiv 2502.12962): nothing is asked, a
layer of the model shows what the question attends to; on the hf backend alone.

Wins where the question shares no words with its evidence, so that ranking misses it, and where a long prompt is used
badly. Costs a reading of everything, once: the documents come first in every prompt, so that a server with a prefix
cache reads only the question the next time. Loses evidence that means something only next to that of another window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar, Final, Literal, Self

from lcrag.pipelines._attended import carry
from lcrag.pipelines._notes import NOTE_TOKENS
from lcrag.pipelines._prune import fits, hit_scores, prune
from lcrag.pipelines._run import Run
from lcrag.pipelines._stage import LEAST, take_selected
from lcrag.planning.scale import INSTRUCTION_TOKENS
from lcrag.text.passages import PASSAGE_TOKENS, groups, passages
from lcrag.text.prompts import ANSWER_TOKENS, NOT_FOUND, answer_tokens, says_nothing
from lcrag.types import Answer, CorpusSize, Estimate, Event, Passage, Task, Workload

ODDS: Final = 20
"""Likeliest first tokens that are looked at: as many as servers tell."""
WIDER: Final = 4
"""How many times ``keep`` the windows have from which a reader takes the best sentences. Not measured."""
HITS: Final = 32_000
"""Tokens of what ranking gives."""

Odds = Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Scan:
    """``by``: how a window is looked through. ``window``: tokens of text of one. ``keep``: of what is picked.

    ``over``: all that there is, or what ranks best.
    """

    by: Literal["certainty", "quotes", "attention"] = "certainty"
    window: int = 2000
    keep: int = 2000
    over: Literal["corpus", "hits"] = "corpus"
    name: ClassVar[str] = "scan"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls()]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        seen = size.tokens if self.over == "corpus" else min(size.tokens, HITS)
        piece = min(self._piece(window, INSTRUCTION_TOKENS), max(1, seen))
        chunk = size.tokens / max(1, size.chunks)
        passage = min(piece, max(1, round(PASSAGE_TOKENS - chunk / 2)))  # a window holds whole ones
        whole = piece // passage * passage
        windows = max(1, -(-seen // whole))
        asked = windows if windows > 1 or self.by != "certainty" else 0
        carried = [0]
        if self.by == "attention":
            kept = min(self._room(window, INSTRUCTION_TOKENS), seen)
            written, carried = 0, [min(kept, number * whole) for number in range(windows)]
        elif self.by == "quotes":
            kept = min(self._room(window, INSTRUCTION_TOKENS), seen, max(LEAST, 2 * estimate.scope_tokens))
            written = min(asked * NOTE_TOKENS, kept)
        else:
            kept = min(self._room(window, INSTRUCTION_TOKENS), seen)
            kept = kept if estimate.reranker else min(kept, max(piece, kept - kept % piece))
            written = asked
        return Workload(
            input_tokens=(seen + asked * INSTRUCTION_TOKENS if asked else 0) + sum(carried) + kept + INSTRUCTION_TOKENS,
            output_tokens=written + answer_tokens(estimate.scope_tokens),
            calls=asked + 1,
            rounds=len(carried) + 1 if asked else 1,
            longest_prompt=max(piece + carried[-1] + NOTE_TOKENS, kept + ANSWER_TOKENS) + INSTRUCTION_TOKENS,
            evidence=1.0 if self.over == "corpus" else estimate.covered(seen),
            read_tokens=piece,
            surroundings="consecutive" if self.over == "corpus" else "retrieved",
            reads=("quote" if self.by == "quotes" else "pick") if asked else "answer",
            handovers=(("answer", kept),) if asked else (),
            reusable_tokens=seen if self.over == "corpus" and self.by != "attention" else 0,
            pieces=windows,
        )

    def answer(self, run: Run) -> Answer:
        """Raises DoesNotFit when the window has no room for a passage."""
        chunks = run.chunks() if self.over == "corpus" else run.hits
        if not chunks:
            return run.nothing(())
        total, frame = run.backend.window, run.frame("quote")
        piece = self._piece(total, frame)
        read = passages(chunks, limit=min(PASSAGE_TOKENS, piece))
        sizes = run.sizes(read)
        run.check_room(max(sizes), frame + max(NOTE_TOKENS, ANSWER_TOKENS))
        longest = total - frame - NOTE_TOKENS - self._carried(total, frame)
        shares = [max(passage.tokens / self.window, size / longest) for passage, size in zip(read, sizes, strict=True)]
        windows = list(groups(read, shares, 1.0))
        room = self._room(total, frame)
        if self.by == "attention" and run.backend.attends:
            marks = [size - passage.tokens for size, passage in zip(sizes, read, strict=True)]
            kept = carry(run, windows, marks, room)
        else:
            kept = self._keep(run, windows, room)
        if not kept:
            return run.nothing(read)
        before, after = (sum(passage.tokens for passage in passages) for passages in (read, kept))
        run.retrieved(kept, len(chunks), compressed_from=before, ratio=round(before / max(1, after), 2))
        run.check_fits(kept)
        [completion] = run.ask([Task("answer", run.question, tuple(kept))], run.answer_tokens)
        return run.cite(completion, read)

    def _keep(self, run: Run, windows: Sequence[Sequence[Passage]], room: int) -> list[Passage]:
        """What is picked of the windows, within ``room`` tokens where that can be."""
        if self.by == "certainty" and len(windows) == 1:
            return _within(run, windows, room)
        if self.by == "certainty":
            completions = run.ask(
                [Task("answer", run.question, tuple(window), odds=ODDS) for window in windows], max_tokens=1
            )
            odds = [completion.odds for completion in completions]
            if _tell(odds):
                scores = [_score(one) for one in odds]
                ranked = sorted(range(len(windows)), key=lambda place: (-scores[place][0], scores[place][1], place))
                return _within(run, [windows[place] for place in ranked], room)
            message = "the first token of a reply does not say whether a window holds the answer"
            run.emit(Event("usage", {"message": f"{message}: it is asked for quotes"}))
        if self.by == "attention":
            message = f"the {run.backend.name} backend does not tell what the question attends to, as hf does"
            run.emit(Event("usage", {"message": f"{message}: the windows are asked for quotes"}))
        completions = run.ask([Task("quote", run.question, tuple(window)) for window in windows], NOTE_TOKENS)
        for number, completion in enumerate(completions, 1):
            status = "nothing" if says_nothing(completion.text) else "noted"
            run.emit(Event("worker", {"index": number, "of": len(windows), "status": status}))
        quoted = [
            passage
            for window, completion in zip(windows, completions, strict=True)
            for passage in take_selected(run, "quote", completion.text, window)
        ]
        return _best_quoted(run, quoted, room)

    def _piece(self, window: int, frame: int) -> int:
        """Tokens of text of one window."""
        return max(1, min(self.window, window - frame - NOTE_TOKENS - self._carried(window, frame)))

    def _carried(self, window: int, frame: int) -> int:
        """Tokens of a prompt that come from earlier windows, at most."""
        return self._room(window, frame) if self.by == "attention" else 0

    def _room(self, window: int, frame: int) -> int:
        """Tokens of text that the answer is taken from; the marks around short passages may take as many again."""
        return max(1, min(self.keep, (window - frame - ANSWER_TOKENS) // 2))


def _within(run: Run, ranked: Sequence[Sequence[Passage]], room: int) -> list[Passage]:
    """The best windows in document order; with a reader, the best sentences of WIDER times as many."""
    limit = WIDER * room if run.reranker is not None else room
    used = accumulate(sum(passage.tokens for passage in window) for window in ranked)
    taken = ranked[: max(1, sum(tokens <= limit for tokens in used))]
    whole = sorted((passage for window in taken for passage in window), key=lambda passage: passage.marker)
    return prune(run.question, whole, room, run.backend, run.ranking, run.reranker)


def _best_quoted(run: Run, quoted: Sequence[Passage], room: int) -> list[Passage]:
    """What was quoted, in document order; of more than there is room for, what ranks best."""
    if fits(quoted, room):
        return list(quoted)
    scores = [
        max(hit_scores(run.ranking, [(passage.document_id, start) for start, _ in passage.parts])) for passage in quoted
    ]
    best = sorted(range(len(quoted)), key=lambda place: (-scores[place], place))
    used = accumulate(quoted[place].tokens for place in best)
    taken = best[: max(1, sum(tokens <= room for tokens in used))]
    run.emit(Event("usage", {"message": f"{len(quoted) - len(taken)} of {len(quoted)} quoted passages are left out"}))
    return [quoted[place] for place in sorted(taken)]


def _tell(odds: Sequence[Odds]) -> bool:
    """Whether odds say anything: a model that thinks first never opens with what it says when nothing is there."""
    return all(odds) and any(_not_found(one) > 0 for one in odds)


def _score(odds: Odds) -> tuple[float, float]:
    """P(a reply does not say that nothing is there), and the entropy in nats of how else it begins."""
    others = [p for token, p in odds if not _opens_not_found(token) and p > 0]
    entropy = -sum(p / sum(others) * math.log(p / sum(others)) for p in others)
    return 1 - _not_found(odds), entropy


def _not_found(odds: Odds) -> float:
    """P(a reply says that nothing is there)."""
    if dict(odds).keys() == {"yes", "no"}:  # the embedded backend's
        return dict(odds)["no"]
    return sum(p for token, p in odds if _opens_not_found(token))


def _opens_not_found(token: str) -> bool:
    word = token.strip().strip("*")
    return bool(word) and NOT_FOUND.startswith(word)
