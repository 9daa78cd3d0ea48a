"""Sections by what their summaries say: made once for an index, searched with every question that asks for them.

A chunk of 128 tokens says little of what it is a part of; a summary of its section does. A hit on a summary raises the
chunks of its section, and what is read and cited is always their own text. (In the "summarization-based retrieval" of
Li et al. 2025, Long Context vs. RAG for LLMs, arXiv 2501.01880, the summaries themselves are read.)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from lcrag.index.summaries import Section, SectionSummary
from lcrag.text.passages import groups, passages
from lcrag.text.places import is_table
from lcrag.text.prompts import says_nothing
from lcrag.text.words import stems
from lcrag.types import Backend, Chunk, Embedder, Emit, Event, Task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lcrag.index.corpus import Corpus

TOKENS: Final = 2000
"""A longer section is summed up in pieces of so many tokens."""
WORDS: Final = 60
"""Words of a summary; a shorter section is its own. Assumed, not measured."""
PROMPT: Final = 1
"""The version of what is asked: another one makes all summaries again."""
ASKED: Final = "Summarise this."
BATCH: Final = 16
"""Sections that are summed up before they are stored: a kill loses no more."""
_MARKERS: Final = re.compile(r"\s*\[\d+\]")


def fill_summaries(corpus: Corpus, backend: Backend, embedder: Embedder | None, emit: Emit) -> int:
    """Sum up every section that has no summary by this backend's model yet; returns the number of these sections.

    Without a model that takes prompts a summary is made of the section's own central sentences. Stored batch by batch,
    so that the next call resumes an interrupted one. ``emit`` gets ``index`` events: a ``message`` with the tokens that
    are to be read, then ``{summed_up, total}``. Raises BackendFailed, and IndexUnavailable for an index that cannot be
    written.
    """
    writer = f"{backend.name} {backend.model} {PROMPT}"
    vectors = embedder.name if embedder is not None else ""
    limit = min(TOKENS, backend.window // 2)
    parts = {section: (first, tokens) for section, first, tokens in _sections(corpus, limit)}
    missing = corpus.missing_summaries(list(parts), writer, vectors)
    known = corpus.summary_texts([section.content for section in missing], writer)
    new = [section for section in missing if section.content not in known]
    tokens = sum(parts[section][1] for section in new)
    emit(Event("index", {"message": f"sections to sum up: {len(new):,}, up to {tokens:,} tokens to read"}))
    done = 0
    for start in range(0, len(missing), BATCH):
        batch = missing[start : start + BATCH]
        fresh = [section for section in batch if section.content not in known]
        firsts = [parts[section][0] for section in fresh]
        chunks = [corpus.get(range(a, a + one.chunks)) for one, a in zip(fresh, firsts, strict=True)]
        texts = _summaries(chunks, backend)
        known |= {section.content: text for section, text in zip(fresh, texts, strict=True)}
        rows = [(section, known[section.content]) for section in batch]
        embedded = embedder.embed([text for _, text in rows]) if embedder is not None else None
        corpus.store_summaries(rows, writer, vectors, embedded)
        done += len(fresh)
        emit(Event("index", {"summed_up": done, "total": len(new)}))
    corpus.prune_summaries(writer)
    return len(new)


def _sections(corpus: Corpus, limit: int) -> Iterator[tuple[Section, int, int]]:
    """The chunks under each heading, long ones in pieces of ``limit`` tokens: with the id of the first chunk, and their
    tokens. Tables have no sections.
    """
    for document, source, _ in corpus.documents():
        if is_table(source):
            continue
        first = 0
        for _, same in groupby(corpus.chunks_of(source), key=lambda chunk: chunk.context):
            under = list(same)
            for part in groups(under, [chunk.tokens for chunk in under], limit):
                said = "\0".join([part[0].context, *(chunk.text for chunk in part)])
                content = hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
                tokens = sum(chunk.tokens for chunk in part)
                yield Section(document, source, first, len(part), content), part[0].id, tokens
                first += len(part)


def _summaries(parts: list[list[Chunk]], backend: Backend) -> list[str]:
    """What each part says, on one line; "" where it says nothing."""
    texts = [" ".join("".join(chunk.text for chunk in part).split()) for part in parts]
    long = [place for place, text in enumerate(texts) if len(text.split()) > WORDS]
    tasks = [Task("summarise", ASKED, tuple(passages(parts[place])), words=WORDS) for place in long]
    completions = backend.run(tasks, max_tokens=2 * WORDS + 16) if tasks else []
    for place, completion in zip(long, completions, strict=True):
        said = completion.text
        texts[place] = "" if says_nothing(said) else " ".join(_MARKERS.sub("", said).split())
    return texts


def section_scores(
    summaries: Sequence[SectionSummary],
    question: str,
    query: npt.NDArray[np.float32] | None,
    cosine_weight: float,
    ids: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """What the summary of each chunk's section says to the question, from 0 to 1, in the order of ``ids``.

    By words and meaning, as chunks are ranked (``query``: the question's vector, which weighs ``cosine_weight``); 0 for
    a chunk of a section without a summary.
    """
    import numpy as np
    from rank_bm25 import BM25Plus

    scores = np.zeros(len(ids))
    if not summaries:
        return scores
    words = np.asarray(BM25Plus([stems(one.text) or [""] for one in summaries]).get_scores(stems(question)))
    own = words / max(words.max(initial=0.0), 1e-9)
    if query is not None:
        own += cosine_weight * np.array([0.0 if one.vector is None else float(one.vector @ query) for one in summaries])
    own = np.maximum(own, 0.0) / max(own.max(), 1e-9)
    by_id = np.argsort(ids, kind="stable")
    ordered = ids[by_id]
    for one, score in zip(summaries, own, strict=True):
        begin, end = np.searchsorted(ordered, (one.first, one.first + one.chunks))
        scores[by_id[begin:end]] = score
    return scores
