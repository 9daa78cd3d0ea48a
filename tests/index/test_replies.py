"""What models said of passages is kept with the documents, and goes with them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from support.fakes import corpus_of

from lcrag.index import store


def test_replies_are_kept_by_key_and_go_with_their_document(tmp_path: Path) -> None:
    with corpus_of(tmp_path, {"a.md": "One light.", "b.md": "Two boats."}) as corpus:
        first, second = (document for document, _, _ in corpus.documents())
        corpus.keep_replies([("x", first, "said"), ("y", second, "more"), ("z", "no such document", "lost")])
        corpus.keep_replies([("x", first, "said again")])
        assert corpus.replies(["x", "y", "z", "w"]) == {"x": "said again", "y": "more"}
    (tmp_path / "documents" / "b.md").unlink()
    with corpus_of(tmp_path, {}) as corpus:
        assert corpus.replies(["x", "y"]) == {"x": "said again"}


def test_replies_that_cannot_be_written_cost_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with corpus_of(tmp_path, {"a.md": "One light."}) as corpus:
        [(document, _, _)] = corpus.documents()
        corpus._live.execute("PRAGMA query_only = ON")
        corpus.keep_replies([("x", document, "said")])
        assert corpus.replies(["x"]) == {}
    assert "replies are not kept" in caplog.text


def test_vectors_outlive_the_format_before_replies(tmp_path: Path) -> None:
    with corpus_of(tmp_path, {"a.md": "One light."}) as corpus:
        path = corpus.folder / store.FILE
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = '7' || substr(value, instr(value, ',')) WHERE name = 'form'")
        db.execute("INSERT INTO embedders (name) VALUES ('e')")
        db.execute("DROP TABLE replies")
    db.close()
    with corpus_of(tmp_path, {"a.md": "One light."}) as corpus:
        assert corpus.size.documents == 1
        assert corpus.replies(["x"]) == {}
        assert corpus._live.execute("SELECT name FROM embedders").fetchall() == [("e",)]
