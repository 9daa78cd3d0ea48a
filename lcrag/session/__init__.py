"""An index and a backend, ready for questions: open → rank → plan → ask.

The only part below ``comparison`` that names pipelines. What it decides is decided by a module below it.
"""

from __future__ import annotations

from lcrag.pipelines import RECIPES, every_pipeline, options_of, split_names
from lcrag.session.answering import Prepared
from lcrag.session.documents import Elsewhere, path_strings
from lcrag.session.many import ask_many
from lcrag.session.session import Session

__all__ = [
    "RECIPES",
    "Elsewhere",
    "Prepared",
    "Session",
    "ask_many",
    "every_pipeline",
    "options_of",
    "path_strings",
    "split_names",
]
