"""A folder of tables as a database."""

from __future__ import annotations

from pathlib import Path

from lcrag import ingest
from lcrag.tables.database import Database
from lcrag.tables.loaded import Loaded
from lcrag.types import Document

QUESTIONS = "questions.jsonl"
"""May be in the folder, too."""


def loaded(folder: Path) -> tuple[Database, list[Loaded], dict[str, Document]]:
    """The database, its tables, and the documents by their ids."""
    read = [ingest.read(file) for file in ingest.discover([folder]).files if not file.path.endswith(QUESTIONS)]
    documents = {document.id: document for document in read}
    database = Database()
    for document in documents.values():
        database.load(document)
    return database, database.open(documents), documents
