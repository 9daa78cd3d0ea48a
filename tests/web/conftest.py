"""Documents and a scripted backend behind a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.scripted import QuestionBackend, write_documents
from support.web import Served, served


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web") / "docs"
    write_documents(folder)
    return folder


@pytest.fixture(scope="module")
def server(docs: Path) -> Iterator[Served]:
    with served(docs, QuestionBackend(concurrency=2)) as running:
        yield running
