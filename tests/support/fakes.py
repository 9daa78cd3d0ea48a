"""Stand-ins that behave like the real parts, without their weight."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lcrag import ingest
from lcrag.backends.scripted import ScriptedBackend
from lcrag.index.corpus import Corpus
from lcrag.pipelines import Pipeline, Run
from lcrag.text import tokens
from lcrag.text.prompts import ANSWER, NOT_FOUND, messages
from lcrag.text.words import stems
from lcrag.types import (
    Answer,
    Backend,
    Completion,
    CorpusView,
    Emit,
    Ranking,
    Relevance,
    Reranker,
    Task,
    Usage,
    ignore,
)


class HashingEmbedder:
    """Texts that share words are close: each stem is one of 256 directions."""

    name = "hashing"
    dimensions = 256

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        vectors = np.full((len(texts), self.dimensions), 1e-6, dtype=np.float32)
        for row, text in enumerate(texts):
            for stem in stems(text):
                vectors[row, hashlib.blake2b(stem.encode(), digest_size=1).digest()[0]] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def corpus_of(folder: Path, documents: dict[str, str]) -> Corpus:
    """An index of files with these names and texts, under ``folder``. The caller closes it."""
    root = folder / "documents"
    for name, text in documents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    root.mkdir(exist_ok=True)
    corpus = Corpus.open(folder / "index")
    corpus.refresh(ingest.discover([root]), ignore)
    return corpus


@contextmanager
def corpora_of(folders: pytest.TempPathFactory, shapes: Mapping[str, dict[str, str]]) -> Iterator[dict[str, Corpus]]:
    """An index of each shape's files, by shape."""
    with ExitStack() as opened:
        yield {
            shape: opened.enter_context(corpus_of(folders.mktemp("shape"), documents))
            for shape, documents in shapes.items()
        }


def run_pipeline(
    pipeline: Pipeline,
    question: str,
    corpus: CorpusView,
    ranking: Ranking,
    backend: Backend,
    emit: Emit = ignore,
    reranker: Reranker | None = None,
) -> Answer:
    """The pipeline's answer, as a session would ask for it."""
    return pipeline.answer(Run(question, corpus, ranking, backend, reranker, emit, pipeline=pipeline.name))


class Obliging(ScriptedBackend):
    """A model that does what each task asks, about one ``fact`` that it copies, and attends to that, then to all alike.
    Counts prompts as a server does.

    ``blind``: how many judgements or answers of a question overlook the fact. ``way``: which of several it chooses.
    """

    template_tokens = 32

    def __init__(self, fact: str, *, window: int = 32_768) -> None:
        super().__init__(self.says, window=window)
        self.fact = fact
        self.blind = self.way = 0
        self.overlooked = 0

    @property
    def tokenizer(self) -> str:
        return tokens.tokenizer_name()

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return tokens.count_many(texts)

    @property
    def attends(self) -> bool:
        return True

    def says(self, task: Task) -> str:
        if task.role == "choose":
            assert isinstance(task.shape, tuple)
            return task.shape[self.way]
        if task.role == "demonstrate":
            return json.dumps({"question": "What?", "answer": " ".join(task.passages[0].text.split()[:3])})
        markers = [f"[{passage.marker}]" for passage in task.passages if self.fact in passage.text]
        noted = [note for note in task.notes if self.fact in note]
        if task.role in ("judge", "answer", "synthesise") and self.overlooked < self.blind:
            self.overlooked += 1
            return "no" if task.role == "judge" else NOT_FOUND
        if task.role == "judge":
            return "yes" if markers else "no"
        if not markers and not noted:
            return NOT_FOUND
        said = f"{self.fact} {markers[0]}" if markers else noted[0]
        match task.role:
            case "pick":
                return ", ".join(markers)
            case "point" | "vote":
                return f"{' '.join(self.fact.split()[:6])} {markers[0]}"
            case "repeat":
                return f"{said}\n{ANSWER} {said}"
        return said

    def _completion(self, task: Task, max_tokens: int) -> Completion:
        text = self.says(task)
        sent = "\n".join(message["content"] for message in messages(task))
        [read, written] = self.count_many([sent, text])
        odds = (("NOT", 0.1), ("The", 0.8)) if text != NOT_FOUND else (("NOT", 0.9), ("The", 0.05))
        usage = Usage(read + self.template_tokens, 0, min(written, max_tokens), 1, 0.0)
        if task.attend:
            fact = [(one.marker, one.text.index(self.fact)) for one in task.passages if self.fact in one.text]
            others = [(one.marker, place) for one in task.passages for place in range(0, len(one.text), 40)]
            return Completion("", usage, attended=(*fact, *others))
        return Completion(text, usage, odds=odds if task.odds else ())


class Pointing:
    """A reranker that takes one phrase for the answer wherever it is."""

    name = "pointing"

    def __init__(self, phrase: str) -> None:
        self.phrase = phrase

    def read(self, question: str, texts: Sequence[str]) -> list[Relevance]:
        relevances = []
        for text in texts:
            start = max(0, text.find(self.phrase))
            score = 9.0 if self.phrase in text else -9.0
            places = np.array([(0, len(text))], np.int32)
            end = start + len(self.phrase)
            relevances.append(Relevance(score, score, (start, end), score, places, np.zeros(1, np.float32)))
        return relevances
