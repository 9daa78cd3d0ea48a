"""Past answers are kept for their user alone, and no more than a bounded number of them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from lcrag.conversation import answers
from lcrag.conversation.answers import AnswerLog
from lcrag.errors import InputError, NotAvailable


def value(question: str, text: str = "") -> dict[str, Any]:
    return {"question": question, "status": "answered", "steps": [{"pipeline": "chunk_rag"}], "answer": text}


def test_answer_log_gives_back_what_was_added_the_newest_last(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "new" / "answers.db")
    for question in ("wer?", "qui — où?"):
        log.add(value(question))
    assert [(past.number, past.question, past.route) for past in log.recent(9)] == [
        (1, "wer?", "chunk_rag"),
        (2, "qui — où?", "chunk_rag"),
    ]
    assert [past.number for past in log.recent(1)] == [2]
    assert log.read(2) == value("qui — où?")
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_answer_log_drops_the_oldest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_KEPT", 3)
    log = AnswerLog(tmp_path / "answers.db")
    for number in range(5):
        log.add(value(str(number)))
    assert [past.number for past in log.recent(9)] == [3, 4, 5]
    monkeypatch.setattr(answers, "MOST_BYTES", 500)
    log.add(value("long", "x" * 400))
    assert [past.question for past in log.recent(9)] == ["long"]
    log.add(value("too long", "x" * 600))  # the newest stays, however long
    assert [past.question for past in log.recent(9)] == ["too long"]


def test_answer_log_clear_leaves_no_text_in_the_file(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "answers.db")
    assert log.clear() == 0
    log.add(value("the secret name"))
    assert log.clear() == 1
    assert log.recent(9) == []
    assert b"secret" not in log.path.read_bytes()
    log.add(value("next"))
    assert [past.number for past in log.recent(9)] == [2]  # an old number never opens a new answer


def test_answer_log_without_that_answer_is_wrong_input(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "answers.db")
    with pytest.raises(InputError, match="no answer 1"):
        log.read(1)
    assert not log.path.exists()
    log.add(value("who?"))
    with pytest.raises(InputError, match="no answer 2"):
        log.read(2)


def test_answer_log_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    path.write_text("no database " * 100)
    with pytest.raises(NotAvailable, match=r"answers\.db cannot be used"):
        AnswerLog(path).add(value("who?"))
