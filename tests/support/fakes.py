"""Stand-ins that behave like the real parts, without their weight."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lcrag import ingest
from lcrag.index.corpus import Corpus
from lcrag.text.words import stems
from lcrag.types import Answer, Backend, CorpusView, Emit, Ranking, Reranker, ignore
from pipelines import Pipeline, Run


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
