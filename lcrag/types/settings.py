"""What the user sets for a whole session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """What a session reads, how it ranks, and what answers.

    ``paths`` may hold "-": the document in ``stdin_text``. ``index``: a folder instead of the one in the user's cache,
    or "milvus:" and the address of a Milvus, or the address of a PostgreSQL ("postgresql://…").
    ``dense``: "auto", "on", "off"; ``reader``: "auto", "off" (the reranker); ``writer``: the same
    (the small language model of the embedded backend). ``ca_file``: certificates to
    trust in addition to the system's. ``compress_kv``: keep 1 of so many keys and values of the documents (backend
    "hf"). ``log``: keep the route log; ``shadow``:
    the share of questions that a second route is run on as well, for the log. ``transcript``: one more file to read,
    what the user said in a session, which takes at most a quarter of what is retrieved. ``only`` and ``since``: read
    only documents whose path matches one of these patterns (as in .gitignore), and files changed since that date.
    """

    paths: tuple[str, ...]
    index: Path | str | None = None
    stdin_text: str | None = None
    dense: str = "auto"
    embedder: str | None = None
    reader: str = "auto"
    writer: str = "auto"
    backend: str = "auto"
    base_url: str | None = None
    ca_file: Path | None = None
    model: str | None = None
    compress_kv: int | None = None
    temperature: float = 0.0
    seed: int = 0
    log: bool = False
    shadow: float = 0.0
    transcript: Path | None = None
    only: tuple[str, ...] = ()
    since: str | None = None
