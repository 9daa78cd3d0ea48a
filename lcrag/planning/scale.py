"""How many tokens a prompt takes: one arithmetic for forecasts, for pipelines and for the check before sending.

An index counts with its own tokenizer, a backend with another, and a chat model sees more than text: a fence around
each passage, an instruction, a template. Forecasts know none of the texts yet, so they use ratios measured on a sample
of chunks (``TokenScale``); a pipeline that has its passages counts them (``prompt_tokens``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lcrag.text.passages import PASSAGE_TOKENS, passages
from lcrag.text.prompts import defused, fence, messages, prefix
from lcrag.types import Backend, Chunk, CorpusSize, CorpusView, Estimate, Passage, Role, Surroundings, Task

SAMPLE: Final = 16
"""Chunks on which the backend's tokens are compared with the index's."""
CHUNKS_PER_HIT: Final = 2.3
"""Chunks that are joined to one passage when hits are read, on average: about every second hit has a neighbour."""
INSTRUCTION_TOKENS: Final = 200
"""Tokens of a prompt without its passages and notes, as workloads assume them. ``frame_tokens`` counts them."""
PLAIN: Final[Mapping[Surroundings, float]] = {"consecutive": 1.0, "retrieved": 1.0}


@dataclass(frozen=True, slots=True)
class TokenScale:
    """``ratio``: tokens of the backend for one of the index. ``marks``: tokens of a prompt for one of text, since each
    passage has a fence, and fewer fences are needed where neighbours are joined. ``tokenizer``: the backend's.
    """

    ratio: float
    marks: Mapping[Surroundings, float]
    tokenizer: str

    @classmethod
    def measure(cls, sample: Sequence[Chunk], size: CorpusSize, tokenizer: str, backend: Backend) -> TokenScale:
        """The scale between an index of this size, whose ``tokenizer`` counted ``sample``, and a backend."""
        if not sample:
            return cls(1.0, PLAIN, backend.tokenizer)
        counted = sum(chunk.tokens for chunk in sample)
        ratio = 1.0
        if backend.tokenizer != tokenizer:
            ratio = backend.count_many(["\n".join(chunk.text for chunk in sample)])[0] / counted
        if backend.template_tokens is None:
            return cls(ratio, PLAIN, backend.tokenizer)
        read = passages(sample)
        text = ratio * counted
        fence_tokens = max(0.0, backend.count_many([prefix(read)])[0] - text) / len(read)
        chunk = text / len(sample)
        joined = max(chunk, min(ratio * size.tokens / size.documents, ratio * PASSAGE_TOKENS - chunk / 2))
        retrieved = min(joined, CHUNKS_PER_HIT * chunk)
        marks: dict[Surroundings, float] = {
            "consecutive": 1 + fence_tokens / joined,
            "retrieved": 1 + fence_tokens / retrieved,
        }
        return cls(ratio, marks, backend.tokenizer)

    def size(self, size: CorpusSize) -> CorpusSize:
        """The corpus in the backend's tokens."""
        return replace(
            size,
            tokens=round(size.tokens * self.ratio),
            longest_document=round(size.longest_document * self.ratio),
        )

    def estimate(self, estimate: Estimate) -> Estimate:
        """The estimate in the backend's tokens."""
        return replace(
            estimate,
            scope_tokens=round(estimate.scope_tokens * self.ratio),
            coverage=tuple((round(k * self.ratio), p) for k, p in estimate.coverage),
        )


def count_chunks(chunks: Sequence[Chunk], corpus: CorpusView, backend: Backend) -> list[Chunk]:
    """The chunks with their tokens as the backend counts them in a prompt, and the index's count kept."""
    texts = [chunk.text for chunk in chunks]
    if corpus.tokenizer == backend.tokenizer and as_sent(texts, backend) == texts:
        return list(chunks)
    counts = count_sent(texts, backend)
    return [
        replace(chunk, tokens=count, index_tokens=chunk.tokens) for chunk, count in zip(chunks, counts, strict=True)
    ]


def as_sent(texts: Sequence[str], backend: Backend) -> list[str]:
    """The texts as a prompt for this backend holds them."""
    return list(texts) if backend.template_tokens is None else [defused(text) for text in texts]


def count_sent(texts: Sequence[str], backend: Backend) -> list[int]:
    """Tokens of each text as a prompt for this backend holds it."""
    return backend.count_many(as_sent(texts, backend))


def count_notes(notes: Sequence[str], backend: Backend) -> list[int]:
    """Tokens of each note as a prompt for this backend holds it: a line of its own."""
    return count_sent(notes if backend.template_tokens is None else [f"{note}\n" for note in notes], backend)


def frame_tokens(role: Role, question: str, backend: Backend, words: int = 0) -> int:
    """Tokens of a prompt without its passages and notes: template, system line, outer fences, question, instruction.

    ``words``: as many as the task says (``Task.words``).
    """
    template = backend.template_tokens
    if template is None:
        return backend.count_many([question])[0]
    task = Task(role, question, (Passage(1, "", "", 0, 0, "", 0),), ("",), words=words)
    return backend.count_many(["\n".join(message["content"] for message in messages(task))])[0] + template


def passage_tokens(read: Sequence[Passage], backend: Backend) -> list[int]:
    """Tokens that each passage takes of a prompt: its text, and the fence around it where there is a prompt."""
    if backend.template_tokens is None:
        return [passage.tokens for passage in read]
    fences = backend.count_many([fence(passage) for passage in read])
    return [passage.tokens + tokens for passage, tokens in zip(read, fences, strict=True)]


def most_tokens(read: Sequence[Passage], question: str) -> int:
    """More tokens than a prompt with these passages can have, without counting: a token is at least one byte."""
    return sum(len(fence(passage).encode()) + passage.tokens for passage in read) + len(question.encode()) + 2000
