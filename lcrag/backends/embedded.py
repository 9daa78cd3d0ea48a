"""The backend without a language model: tasks are done by extraction, offline (``lcrag.backends.extract``)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from lcrag.backends import extract
from lcrag.backends.extract import Scored, Unit
from lcrag.text import tokens
from lcrag.text.prompts import NOT_FOUND
from lcrag.text.questions import asks_for_list, asks_for_summary
from lcrag.types import Backend, Completion, Embedder, OnToken, Reranker, Task, Usage

WINDOW: Final = 4_000_000
"""Tokens read at once: 16 MB of text, whose sentences take about 1 GB of memory and 20 s."""


class EmbeddedBackend(Backend):
    """Quotes sentences. ``embedder`` None: by words alone; ``reranker`` None: no short answers."""

    name = "embedded"
    window = WINDOW

    def __init__(self, embedder: Embedder | None, reranker: Reranker | None = None) -> None:
        self.embedder = embedder
        self.reranker = reranker
        self.model = embedder.name if embedder is not None else "lexical"

    @property
    def tokenizer(self) -> str:
        return tokens.tokenizer_name()

    @property
    def template_tokens(self) -> int | None:
        return None

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return tokens.count_many(texts)

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        """A completion for each task, made of sentences of its passages or notes, within ``max_tokens``."""
        tokens.preload()  # while the models compute
        return [self._completion(task, max_tokens) for task in tasks]

    def _completion(self, task: Task, max_tokens: int) -> Completion:
        begun = time.perf_counter()
        text, short = self._reply(task, max_tokens)
        read = sum(passage.tokens for passage in task.passages) + sum(self.count_many([*task.notes, task.question]))
        [written] = self.count_many([text])
        return Completion(text, Usage(read, 0, written, 1, time.perf_counter() - begun), short=short)

    def _reply(self, task: Task, max_tokens: int) -> tuple[str, str | None]:
        """The text, and the short answer if there is one."""
        if task.role == "summarise" or (task.role in ("answer", "synthesise") and asks_for_summary(task.question)):
            return self._join(extract.summarise(extract.units_of(task)), max_tokens), None
        scored = extract.score(task, self.embedder, self.reranker)
        judgement = extract.judgement_for(self.embedder, self.reranker)
        is_here = extract.answerable(scored.features, judgement) >= extract.threshold(judgement)
        if task.role == "judge":
            return "yes" if is_here else "no", None
        if not scored.ranked or not is_here:
            return NOT_FOUND, None
        chosen = extract.choose(task, scored)
        return self._join(chosen, max_tokens), self._short_answer(task, scored, chosen)

    def _short_answer(self, task: Task, scored: Scored, chosen: Sequence[Unit]) -> str | None:
        """The best span; for a list the spans of all sentences quoted that have one. None without a reranker."""
        if self.reranker is None or task.role == "note":
            return None
        if not asks_for_list(task.question):
            return scored.span[0] if scored.span else None
        relevances = self.reranker.read(task.question, [unit.text for unit in chosen])
        items = [
            unit.text[slice(*relevance.answer)]
            for unit, relevance in zip(chosen, relevances, strict=True)
            if relevance.answer_score > 0
        ]
        return ", ".join(dict.fromkeys(items)) or None

    def _join(self, chosen: Sequence[Unit], max_tokens: int) -> str:
        """The sentences with their markers, as many as ``max_tokens`` allow; the first in any case."""
        lines = [f"{extract.strip_stray_emphasis(unit.text)} {unit.markers}".strip() for unit in chosen]
        if not lines:
            return NOT_FOUND
        if len("\n".join(lines).encode()) > max_tokens:  # a token is at least one byte
            used = accumulate(self.count_many(lines))
            lines = lines[: max(1, sum(count <= max_tokens for count in used))]
        return "\n".join(lines)
