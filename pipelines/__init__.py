"""The ways to answer: one file each, a frozen dataclass of options with one method that answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lcrag.types import Pipeline
from pipelines.chain_of_agents import ChainOfAgents
from pipelines.chunk_rag import ChunkRag
from pipelines.compression import Compression
from pipelines.escalate import Escalate
from pipelines.full_context import FullContext

PIPELINES: Final[Mapping[str, type[Pipeline]]] = {
    kind.name: kind for kind in (ChunkRag, Compression, FullContext, ChainOfAgents, Escalate)
}

__all__ = ["PIPELINES", "ChainOfAgents", "ChunkRag", "Compression", "Escalate", "FullContext"]
