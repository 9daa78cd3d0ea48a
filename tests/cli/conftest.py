"""``lcrag(...)``: one command line on the stand-in for ``lcrag.session``, within this process."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from support import fake_run
from support.invocation import Lcrag, Result

from lcrag.cli.app import run


@pytest.fixture
def lcrag(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Lcrag:
    """Runs in an empty folder; ``docs`` is in it."""
    monkeypatch.setitem(sys.modules, "lcrag.session", fake_run.as_module())
    monkeypatch.setattr(fake_run, "opened", [])
    monkeypatch.setattr(fake_run, "asked", [])
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    work = tmp_path / "work"
    (work / "docs").mkdir(parents=True)
    monkeypatch.chdir(work)

    def invoke(*args: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run(args)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return invoke
