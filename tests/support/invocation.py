"""One command line: run within this process or as a process of its own, and what it left behind."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from lcrag.cli.app import run
from lcrag.types import Policy, Settings


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        (value,) = self.lines
        return value

    @property
    def lines(self) -> list[dict[str, Any]]:
        assert not self.out or self.out.endswith("\n")
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Lcrag:
    """Runs command lines within this process.

    ``settings``: those of each session that was opened. ``asked``: question, policy and ``escalate`` of each answer.
    """

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    settings: list[Settings] = field(default_factory=list)
    asked: list[tuple[str, Policy, bool | None]] = field(default_factory=list)

    def __call__(self, *args: str, stdin: bytes = b"") -> Result:
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run(args)
        captured = self.capsys.readouterr()
        return Result(code, captured.out, captured.err)


@contextmanager
def process(args: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that SIGINT interrupts, killed at the end.

    A process ignores SIGINT if its parent does, as in a background job; a handler of the parent becomes the default.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        started = subprocess.Popen(args, text=True, **options)
    finally:
        signal.signal(signal.SIGINT, before)
    with started:
        try:
            yield started
        finally:
            started.kill()
