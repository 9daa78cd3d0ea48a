"""What may happen between the passages and the answer: a selection, demonstrations. Options of several pipelines.

``select``: the model first says which passages it needs ("passages", Context-Picker, arXiv 2512.14465), copies the
sentences ("quotes", ALR², arXiv 2410.03227) or their first words ("sentences", after CFIC, arXiv 2402.09760), and then
answers from these alone; "repeat" does both in one reply (after "Paraphrasing the original text", arXiv
2312.11193). What is quoted is searched for in the passages, and what is not there is dropped: models invent what
they claim to have found. Where the selection holds no answer, all passages are asked once more. With ``read_all`` they
are there from the start, and the selection is a note beside them.

``shots``: a question and answer of the model's own for each of a few passages come before the question (DoubleDipper,
arXiv 2406.13632). They are kept in the index and paid for once.

``cite``: "after" asks the model, once it has answered, for the sources of what words lead to none
(``pipelines/_cite_after.py``).

As prompts; the papers' figures are those of tuned models but for DoubleDipper's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from lcrag.evidence.quotes import located
from lcrag.pipelines._cite_after import add_markers
from lcrag.pipelines._prune import extract
from lcrag.pipelines._run import Run
from lcrag.planning.scale import CHUNKS_PER_HIT, INSTRUCTION_TOKENS
from lcrag.text.passages import PASSAGE_TOKENS
from lcrag.text.prompts import ANSWER, NOT_FOUND, says_nothing
from lcrag.text.shapes import parse_object
from lcrag.types import Answer, Completion, CorpusSize, Estimate, Event, Passage, Role, Task, Workload

SELECTED: Final = 512
"""The most tokens of a selection."""
SHOT: Final = 128
"""The most tokens of a demonstration."""
SHOWN: Final = 40
"""Tokens that are forecast of one. Assumed, not measured."""
LEAST: Final = 128
"""Tokens that are forecast of what is selected, at least. Assumed, not measured."""

MARKERS: Final = rf"\[\d+\](, ?\[\d+\])*|{NOT_FOUND}"
DEMONSTRATION: Final = {
    "type": "object",
    "properties": {"question": {"type": "string"}, "answer": {"type": "string"}},
    "required": ["question", "answer"],
    "additionalProperties": False,
}
ROLES: Final[dict[str, Role]] = {"passages": "pick", "quotes": "quote", "sentences": "point"}
SHARE: Final = {"passages": 0.05, "quotes": 1.0, "sentences": 0.4}
"""Tokens that a selection writes for one that it keeps: markers alone, all, first words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """``select``: what is taken of the passages before the answer, ``rounds`` times, each from what was taken before.

    ``read_all``: all passages are read for the answer, with what was selected as notes; not where they need several
    prompts. ``shots``: demonstrations. ``cite``: by markers, and by words where there are none; or ask again after.
    """

    select: Literal["none", "passages", "quotes", "sentences", "repeat"] = "none"
    rounds: int = 1
    read_all: bool = False
    shots: int = 0
    cite: Literal["marked", "after"] = "marked"

    def __post_init__(self) -> None:
        if self.rounds > 1 and self.select not in ROLES:
            raise ValueError(f"rounds needs select={'|'.join(ROLES)}")
        if self.read_all and self.select not in ROLES:
            raise ValueError(f"read_all needs select={'|'.join(ROLES)}")

    @property
    def more_tokens(self) -> int:
        """Tokens of the prompt that answers, and its reply, beyond those of a plain one; at most."""
        return SELECTED * (self.select == "repeat" or self.read_all) + SHOT * self.shots

    def answer_from(self, run: Run, read: Sequence[Passage]) -> Answer:
        """The answer from these passages in one prompt, which leaves room for ``more_tokens``."""
        if not read:
            return run.nothing(read)
        answer = self.answer_from_selection(run, [read])
        if answer is not None:
            return answer
        _, [completion] = self.ask(run, [read], run.answer_tokens)
        return self.cited(run, completion, read)

    def cited(self, run: Run, completion: Completion, read: Sequence[Passage]) -> Answer:
        """The answer that a completion from these passages makes, by ``cite``."""
        if self.cite == "after" and run.backend.template_tokens is not None and not says_nothing(completion.text):
            completion = replace(completion, text=add_markers(run, completion.text, read))
        return run.cite(completion, read)

    def ask(self, run: Run, parts: Sequence[Sequence[Passage]], max_tokens: int) -> tuple[list[Task], list[Completion]]:
        """What each part answers, in one batch, and the tasks."""
        role: Role = "repeat" if self.select == "repeat" else "answer"
        tasks = [Task(role, run.question, tuple(part), self._demonstrations(run, part)) for part in parts]
        completions = run.ask(tasks, max_tokens + SELECTED * (role == "repeat"))
        return tasks, [_without_repeated(completion) for completion in completions]

    def answer_from_selection(self, run: Run, parts: Sequence[Sequence[Passage]]) -> Answer | None:
        """The answer from what the model selects of all parts; None without a selection, or where it holds no answer
        and was not all that there is."""
        if self.select not in ROLES:
            return None
        read = [passage for part in parts for passage in part]
        chosen = self._select(run, parts)
        if chosen and self.read_all and len(parts) == 1:
            noted = _note(chosen, ROLES[self.select])
            task = Task("answer", run.question, tuple(read), (noted, *self._demonstrations(run, read)))
            [completion] = run.ask([task], run.answer_tokens)
            return self.cited(run, completion, read)
        if not chosen or not run.fits(chosen, more=self.more_tokens):
            return None
        before, after = (sum(passage.tokens for passage in passages) for passages in (read, chosen))
        run.retrieved(chosen, len(chosen), compressed_from=before, ratio=round(before / max(1, after), 2))
        task = Task("answer", run.question, tuple(chosen), self._demonstrations(run, chosen))
        [completion] = run.ask([task], run.answer_tokens)
        if chosen != read and says_nothing(completion.text):
            return None
        return self.cited(run, completion, read)

    def _select(self, run: Run, parts: Sequence[Sequence[Passage]]) -> list[Passage]:
        role = ROLES[self.select]
        given = [passage for part in parts for passage in part]
        most = max(1, min(SELECTED, run.backend.window // 4))
        taken: list[Passage] = []
        for _ in range(self.rounds):
            shape = MARKERS if role == "pick" else None
            completions = run.ask([Task(role, run.question, tuple(part), shape=shape) for part in parts], most)
            again = [
                passage
                for part, completion in zip(parts, completions, strict=True)
                for passage in take_selected(run, role, completion.text, part)
            ]
            if not again or again == given:
                return again or taken
            taken = given = again
            if not run.fits(given):
                break
            parts = [given]
        return taken

    def _demonstrations(self, run: Run, read: Sequence[Passage]) -> tuple[str, ...]:
        """Questions with answers on a few of the passages, spread over all, as one note; none on the passage that ranks
        first, which may hold the answer."""
        if not self.shots:
            return ()
        best = run.hits[0] if run.hits else None
        others = [passage for passage in read if best is None or not _holds(passage, best.document_id, best.start)]
        shots = min(self.shots, len(others))
        drawn = [others[(2 * shot + 1) * len(others) // (2 * shots)] for shot in range(shots)]
        tasks = [Task("demonstrate", "", (passage,), shape=DEMONSTRATION) for passage in drawn]
        shown = [
            f"Question: {demonstration[0]} Answer: {demonstration[1]} [{passage.marker}]"
            for passage, reply in zip(drawn, run.ask_once(tasks, SHOT), strict=True)
            if (demonstration := _demonstration(reply, passage)) is not None
        ]
        return ("Examples of questions and answers:\n" + "\n".join(shown),) if shown else ()

    def staged(self, work: Workload, tokens: int, estimate: Estimate, size: CorpusSize, parts: int = 1) -> Workload:
        """The workload of a pipeline whose prompt, or ``parts``, holds ``tokens`` of text, with this stage in it."""
        chunk = size.tokens / max(1, size.chunks)
        joined = CHUNKS_PER_HIT * chunk if work.surroundings == "retrieved" else size.tokens / max(1, size.documents)
        passage = max(1, round(min(PASSAGE_TOKENS - chunk / 2, joined, tokens)))
        if self.shots:
            shots = min(self.shots, max(0, round(tokens / passage) - 1))
            work = replace(
                work,
                input_tokens=work.input_tokens + shots * (passage + INSTRUCTION_TOKENS // 2 + SHOWN),
                output_tokens=work.output_tokens + shots * SHOWN,
                calls=work.calls + shots,
                rounds=work.rounds + (shots > 0),
                longest_prompt=work.longest_prompt + SHOT * self.shots,
            )
        if self.select == "repeat":
            repeated = min(SELECTED, 2 * estimate.scope_tokens)
            return replace(
                work,
                output_tokens=work.output_tokens + parts * repeated,
                longest_prompt=work.longest_prompt + SELECTED,
            )
        if self.select not in ROLES:
            return work
        taken = min(tokens, max(LEAST, passage if self.select == "passages" else 0, 2 * estimate.scope_tokens))
        selections = [tokens + parts * INSTRUCTION_TOKENS, *[taken + INSTRUCTION_TOKENS] * (self.rounds - 1)]
        written = min(SELECTED, round(SHARE[self.select] * taken))
        if self.read_all and parts == 1:
            return replace(
                work,
                input_tokens=work.input_tokens + sum(selections) + written,
                output_tokens=work.output_tokens + len(selections) * written,
                calls=work.calls + self.rounds,
                rounds=work.rounds + self.rounds,
                longest_prompt=work.longest_prompt + SELECTED,
                written=written,
            )
        return replace(
            work,
            input_tokens=sum(selections) + taken + INSTRUCTION_TOKENS,
            output_tokens=work.output_tokens + len(selections) * written,
            calls=parts + self.rounds,
            rounds=self.rounds + 1,
            reads=ROLES[self.select],
            handovers=(("answer", taken),),
            pieces=parts,
            written=0,
            then=work,
        )


def _note(chosen: Sequence[Passage], role: Role) -> str:
    """What was selected, as a note: copied, or the markers alone where whole passages were."""
    if role == "pick":
        return "Passages that are needed: " + ", ".join(f"[{passage.marker}]" for passage in chosen)
    return "\n".join(f"{' '.join(passage.text.split())} [{passage.marker}]" for passage in chosen)


def take_selected(run: Run, role: Role, reply: str, part: Sequence[Passage]) -> list[Passage]:
    """What a reply selects of a part, in its order; what it invents is reported."""
    if role == "pick":
        named = {int(number) for number in re.findall(r"\d{1,6}", reply)}
        return [passage for passage in part if passage.marker in named]
    found = located(reply, part)
    if found.invented:
        message = f"{found.invented:,} quotes of the model are not in what it read: dropped"
        run.emit(Event("usage", {"message": message}))
    return [
        extract(passage, found.places[passage.marker], run.backend)
        for passage in part
        if passage.marker in found.places
    ]


def _demonstration(reply: str, passage: Passage) -> tuple[str, str] | None:
    """A question with an answer that is in the passage; None for anything else."""
    question, answer = (parse_object(reply).get(name) for name in ("question", "answer"))
    if not isinstance(question, str) or not isinstance(answer, str) or not question.strip():
        return None
    text = " ".join(passage.text.split()).lower()
    answer = " ".join(answer.split())
    return (" ".join(question.split()), answer) if answer and answer.lower() in text else None


def _without_repeated(completion: Completion) -> Completion:
    """The answer alone of a reply that first repeats what it rests on."""
    repeated, said, answer = completion.text.rpartition(ANSWER)
    return replace(completion, text=answer.strip()) if said and repeated else completion


def _holds(passage: Passage, document_id: str, start: int) -> bool:
    return passage.document_id == document_id and passage.start <= start < passage.end
