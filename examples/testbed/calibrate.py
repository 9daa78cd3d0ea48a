"""Calibrates lcrag on the test bed's reading model: ``python calibrate.py [--base-url URL] [--quick] [--json]``.

The model reads nothing but the language of its worlds, so its probes come from there: the same questions, laid out as
documents in their order ("consecutive"), or as the passages that rank highest for the question ("retrieved"): a world
four times as large is ranked by words, and the best passages are taken until the prompt is full, those with the
evidence among them. The Profile goes to where lcrag looks for it.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rank_bm25 import BM25Plus
from tokenizers import Tokenizer
from worlds import FRAME_TOKENS, HERE, LCRAG_ROLES, Example, correct, example

from lcrag.backends import open_backend
from lcrag.calibrate.calibrate import calibrate
from lcrag.calibrate.outcomes import Outcomes
from lcrag.calibrate.probes import Probe
from lcrag.planning.profile import save_profile, to_object
from lcrag.report.calibration import profile_report
from lcrag.text.prompts import fence
from lcrag.text.words import stems
from lcrag.types import Kind, Passage, Role, Settings, Surroundings, Task, ignore

TASKS: Final[dict[Kind, tuple[str, ...]]] = {
    "fact": ("single",),
    "paraphrase": ("para",),
    "hops": ("twohop",),
    "list": ("list",),
    "count": ("count", "maxmin"),
    "absent": ("absent",),
}
WIDER: Final = 4
"""How many times as much text is ranked as is read."""


@dataclass(frozen=True, slots=True)
class WorldProbes:
    """``lcrag.calibrate.probes.ProbeSource`` over worlds; lengths are counted with the model's own tokenizer."""

    tokenizer: Tokenizer
    kinds: tuple[Kind, ...] = tuple(TASKS)

    def count(self, text: str) -> int:
        return len(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def probes(
        self, kinds: Sequence[Kind], tokens: int, surroundings: Surroundings, seed: int, depth: float, role: Role
    ) -> list[Probe]:
        return [self._probe(kind, tokens, surroundings, seed, role) for kind in kinds]

    def _probe(self, kind: Kind, tokens: int, surroundings: Surroundings, seed: int, role: Role) -> Probe:
        r = random.Random(f"probe {kind} {tokens} {surroundings} {seed} {role}")
        task = r.choice(TASKS[kind])
        asked = {"note": "note", "synthesise": "synthesise", "summarise": "compress"}.get(role, "answer")
        ranked = surroundings == "retrieved" and role == "answer"
        made = example(r, task, asked, tokens * WIDER if ranked else tokens, self.count)
        while ranked and self._needed(made) > tokens - FRAME_TOKENS:  # more evidence than may be read: another
            made = example(r, task, asked, tokens * WIDER, self.count)
        shown = self._best(made, tokens) if ranked else made.passages
        right = replace(made, passages=shown)
        notes = notes_in(made.prompt) if role == "synthesise" else ()
        scope = sum(passage.tokens for passage in shown if passage.marker in made.needed)
        asked_for = Task(LCRAG_ROLES[asked], made.question, shown, notes)
        return Probe(kind, asked_for, lambda text: correct(right, text), scope)

    def _best(self, made: Example, tokens: int) -> tuple[Passage, ...]:
        """The passages with the evidence, and the highest-ranked others, in their order."""
        ranking = BM25Plus([stems(passage.text) or [""] for passage in made.passages])
        scores = ranking.get_scores(stems(made.question))
        needed = set(made.needed)
        taken = [passage for passage in made.passages if passage.marker in needed]
        left = tokens - FRAME_TOKENS - sum(map(self._size, taken))
        for place in sorted(range(len(scores)), key=lambda place: -scores[place]):
            passage = made.passages[place]
            size = self._size(passage)
            if passage.marker not in needed and size <= left:
                taken.append(passage)
                left -= size
        return tuple(sorted(taken, key=lambda passage: passage.marker))

    def _needed(self, made: Example) -> int:
        return sum(self._size(passage) for passage in made.passages if passage.marker in set(made.needed))

    def _size(self, passage: Passage) -> int:
        return self.count(fence(passage)) + self.count(passage.text)

    def filler(self, tokens: int, seed: int) -> Task:
        made = example(random.Random(f"filler {seed}"), "list", "note", max(200, tokens), self.count)
        return Task("note", made.question, made.passages)


def notes_in(prompt: str) -> tuple[str, ...]:
    """The notes of a prompt, as one."""
    return (prompt.partition("<notes>\n")[2].partition("\n</notes>")[0],)


def main() -> None:
    parser = argparse.ArgumentParser(description="Calibrates lcrag on the test bed's reading model.")
    parser.add_argument("--base-url", help="where it is served; what lcrag up started otherwise")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--outcomes", type=Path, help="keep the outcomes in this file, and resume from it")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    backend = open_backend(Settings((), backend="server", base_url=args.base_url), ignore, lambda: (None, None))
    source = WorldProbes(Tokenizer.from_file(str(HERE / "tokenizer" / "tokenizer.json")))
    identity, state = backend.identity, backend.cache_state()
    profile = calibrate(
        backend,
        source,
        ignore,
        outcomes=Outcomes.resumed(args.outcomes),
        quick=args.quick,
        dtype=identity.dtype,
        device=identity.device,
        kv_tokens=state.capacity_tokens if state is not None else None,
    )
    save_profile(profile)
    print(json.dumps(to_object(profile)) if args.json else profile_report(profile))


if __name__ == "__main__":
    main()
