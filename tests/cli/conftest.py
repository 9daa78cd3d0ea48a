"""``lcrag(...)``: one command line with a scripted backend, within this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.invocation import Lcrag
from support.scripted import QuestionBackend, write_documents

from lcrag.backends import BACKENDS
from lcrag.session import Prepared, Session
from lcrag.types import Answer, Policy, Settings


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> QuestionBackend:
    """The scripted backend under every name."""
    scripted = QuestionBackend()
    for name in BACKENDS:
        monkeypatch.setitem(BACKENDS, name, lambda settings, models: scripted)
    return scripted


@pytest.fixture
def lcrag(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, backend: QuestionBackend
) -> Lcrag:
    """Runs in a folder of its own, with documents in ``docs``; ranks by words alone."""
    lcrag = Lcrag(monkeypatch, capsys)
    open_session, answer = Session.open, Session.answer

    def record_open(settings: Settings, *args: Any, **more: Any) -> Session:
        lcrag.settings.append(settings)
        return open_session(settings, *args, **more)

    def record_answer(session: Session, prepared: Prepared, policy: Policy, **more: Any) -> Answer:
        lcrag.asked.append((prepared.question, policy, more["escalate"]))
        return answer(session, prepared, policy, **more)

    monkeypatch.setattr(Session, "open", record_open)
    monkeypatch.setattr(Session, "answer", record_answer)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LCRAG_DENSE", "off")
    monkeypatch.setenv("LCRAG_READER", "off")
    work = tmp_path / "work"
    write_documents(work / "docs")
    monkeypatch.chdir(work)
    return lcrag
