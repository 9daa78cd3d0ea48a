"""The ways to answer, a file each: a frozen dataclass of options whose method ``answer`` does the work."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Final, TypeVar

from lcrag.pipelines._names import named_among, options_of, split_names
from lcrag.pipelines._run import Pipeline, Run
from lcrag.pipelines.ask_first import AskFirst
from lcrag.pipelines.chain_of_agents import ChainOfAgents
from lcrag.pipelines.chunk_rag import ChunkRag
from lcrag.pipelines.compression import Compression
from lcrag.pipelines.escalate import Escalate
from lcrag.pipelines.full_context import FullContext
from lcrag.pipelines.iterate import Iterate
from lcrag.pipelines.outline import Outline
from lcrag.pipelines.recipes import RECIPES, Recipe
from lcrag.pipelines.report import Report
from lcrag.pipelines.scan import Scan
from lcrag.pipelines.summarise import Summarise
from lcrag.pipelines.table import Table, table_for

P = TypeVar("P", bound=type[Pipeline])

PIPELINES: Final[dict[str, type[Pipeline]]] = {
    kind.name: kind for kind in (ChunkRag, Compression, FullContext, ChainOfAgents, Escalate)
}
"""By name, in the order in which they are forecast."""
FOR_STRUCTURE: Final = Outline
"""What answers questions about chapters, files and rows, and no others."""
FOR_REPORTS: Final = Report
"""What is offered where a report, an essay or a survey is to be written, and nothing else then."""
FOR_TABLES: Final = Table
"""What answers questions about the rows of tables, and no others."""
BY_NAME: Final[tuple[type[Pipeline], ...]] = (Summarise, AskFirst, Iterate, Scan)
"""What is there to be compared with, and not offered by the router: none was measured better on two sources."""


def every_pipeline() -> dict[str, type[Pipeline]]:
    """All of them by name, those for structure, tables and reports first."""
    first: tuple[type[Pipeline], ...] = (FOR_STRUCTURE, FOR_TABLES, FOR_REPORTS)
    named = {kind.name: kind for kind in first}
    return {**named, **PIPELINES, **{kind.name: kind for kind in BY_NAME}}


def named(name: str) -> Pipeline | type[Pipeline]:
    """The pipeline of a route's name: with its options, where it has them (``chunk_rag:tokens=4000``, a recipe); else
    its class, whose options are left to the router.

    Raises InputError for a name, an option or a value that does not exist, with those that do.
    """
    return named_among(every_pipeline(), {recipe: RECIPES[recipe].route for recipe in RECIPES}, name)


def register_pipeline(kind: P) -> P:
    """Add a way to answer; the router and ``compare`` then offer it too. Use it as a class decorator.

    Raises ValueError for a class that is no dataclass, or whose name is taken.
    """
    if not is_dataclass(kind):
        raise ValueError(f"{kind.__name__} is no dataclass: its fields are the pipeline's options")
    if kind.name in every_pipeline() or kind.name in RECIPES:
        raise ValueError(f"there is a pipeline {kind.name!r} already")
    PIPELINES[kind.name] = kind
    return kind


__all__ = [
    "BY_NAME",
    "FOR_REPORTS",
    "FOR_STRUCTURE",
    "FOR_TABLES",
    "PIPELINES",
    "RECIPES",
    "AskFirst",
    "ChainOfAgents",
    "ChunkRag",
    "Compression",
    "Escalate",
    "FullContext",
    "Iterate",
    "Outline",
    "Pipeline",
    "Recipe",
    "Report",
    "Run",
    "Scan",
    "Summarise",
    "Table",
    "every_pipeline",
    "named",
    "options_of",
    "register_pipeline",
    "split_names",
    "table_for",
]
