"""A stand-in for ``lcrag.session``, so that the command line is tested alone: the question says what happens.

Run as a program, it is ``lcrag`` on top of the stand-in.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from support.values import PROFILE, USAGE, answer, plan

from lcrag.errors import BackendFailed, NoSuchPath, NotInstalled, NotRunning, OverBudget
from lcrag.index.corpus import IndexStatus, Refreshed
from lcrag.planning.history import Record, RouteRecord
from lcrag.types import (
    Answer,
    Conflict,
    Emit,
    Event,
    Plan,
    Policy,
    Profile,
    Statement,
    Step,
    Trace,
    Traced,
    Usage,
)

EVIL = "red \x1b[31malert\x07 \u202eright to left\u202c\x9b2J"

opened: list[Settings] = []
"""The settings of every session, in order."""
asked: list[tuple[str, Policy, bool | None]] = []


@dataclass(frozen=True, slots=True)
class Settings:
    paths: tuple[str, ...]
    index: Path | None = None
    backend: str = "auto"
    base_url: str | None = None
    model: str | None = None
    dense: str = "auto"
    embedder: str | None = None
    reader: str = "auto"
    stdin_text: str | None = None
    temperature: float = 0.0
    seed: int = 0
    log: bool = False
    shadow: float = 0.0
    trace: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    question: str
    plan: Plan


class Session:
    backend_name = "embedded"
    model = "extractive"
    index_info: Mapping[str, int] = {"documents": 3, "chunks": 40, "tokens": 24000, "skipped": 2}
    settings = Settings(("docs",))
    failed = (("docs/broken\x1b[1m.pdf", "not a readable pdf file"),)
    refreshed = Refreshed(2, 1, 0, 0, 9, 0, failed)

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.filled = False

    @classmethod
    def open(cls, settings: Settings, emit: Emit) -> Session:
        opened.append(settings)
        if "no-such" in settings.paths:
            raise NoSuchPath("no such file or folder: no-such", hint='lcrag ask docs/ "your question"')
        if "locked" in settings.paths:
            raise PermissionError(13, "Permission denied", "locked")
        emit(Event("index", {"done": 1, "total": 3, "source": "docs/a.md"}))
        emit(Event("index", {"message": "ranking by words only", "hint": "pip install something"}))
        emit(Event("index", {"done": True, **cls.index_info}))
        return cls(emit)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def fill(self) -> int:
        self._emit(Event("index", {"embedded": 40, "total": 40}))
        return 40

    def plan(self, question: str, policy: Policy) -> Plan:
        if question == "budget":
            raise OverBudget("every route needs more than 10 tokens", hint="--max-tokens 2100")
        self._emit(Event("estimate", {"diffusion": 0.41, "scope_tokens": 210}))
        self._emit(Event("plan", {"plan": plan(question)}))
        return plan(question)

    def ask(self, question: str, policy: Policy, *, escalate: bool | None = None) -> tuple[Answer, Plan]:
        prepared = self.prepare(question, policy)
        return self.answer(prepared, policy, escalate=escalate), prepared.plan

    def prepare(self, question: str, policy: Policy) -> Prepared:
        return Prepared(question, self.plan(question, policy))

    def answer(self, prepared: Prepared, policy: Policy, *, escalate: bool | None = None) -> Answer:
        asked.append((prepared.question, policy, escalate))
        self._emit(Event("usage", {"usage": USAGE}))
        return self._answer(prepared.question)

    def beside(self, settings: Settings, emit: Emit) -> Session:
        return type(self)(emit)

    def _answer(self, question: str) -> Answer:
        nothing = (Step("chunk_rag", "not_found", USAGE),)
        match question:
            case "nowhere":
                return Answer("", "not_found", (), USAGE, 24000, nothing)
            case "unread":
                return Answer("", "not_retrieved", (), USAGE, 1800, nothing)
            case "certified":
                return Answer("", "not_found", (), USAGE, 1800, nothing, coverage=0.97)
            case "both":
                return Answer("Yes [1]. No [2].", "contradictory", (), USAGE, 1800)
            case "sides":
                sides = answer("Yes [1]. No [2].", "docs/a.md", "Yes")
                conflict = Conflict((1, 2), ("1860", "2100"), ("3 May 2023\x1b[2J", None))
                return replace(sides, status="contradictory", conflicts=(conflict,))
            case "unsure":
                said = answer("It was Anna [1]. She sang.", "docs/a.md", "It was Anna")
                statements = (Statement(0, 11, True, (1,)), Statement(17, 26, False, ()))
                return replace(said, statements=statements, dropped=2)
            case "traced":
                passages = (
                    Traced("docs/a\x1b.md", 5, 900, 7, None, True, True),
                    Traced("b.pdf", 0, 9, None, 3, True, False),
                )
                traced = Trace(passages, 12, 10, True, Usage(900, 0, 90, 9, 1.0))
                return replace(answer("It was Anna [1].", "docs/a.md", "It was Anna"), trace=traced)
            case "evil":
                return answer(EVIL, f"docs/{EVIL}.md", f"{EVIL}\n{'x' * 500}")
            case "backend":
                raise BackendFailed("the backend failed three times", hint="lcrag doctor")
            case "server":
                raise NotRunning("no server at http://localhost:8000", hint="lcrag up MODEL")
            case "package":
                raise NotInstalled("no embedding model", hint="pip install sentence-transformers")
            case "bug":
                raise ZeroDivisionError("division by zero")
            case "slow":
                print("waiting", file=sys.stderr, flush=True)
                threading.Event().wait()
            case "stream":
                for piece in ("It was ", "Anna [1]", "\x1b."):
                    self._emit(Event("token", {"text": piece}))
                return answer("It was Anna [1]\x1b. So [2].", "docs/a.md", "It was Anna")
            case "restream":
                self._emit(Event("token", {"text": "It was Berta [9]."}))
        return answer("It was Anna [1]. So they say [2].", "docs/a.md", "It was\n  Anna \u2028all along")


def calibrate_backend(settings: Settings, emit: Emit, *, quick: bool = False) -> tuple[Profile, Path]:
    opened.append(settings)
    emit(Event("calibrate", {"part": "cost", "done": 1, "total": 9}))
    emit(Event("calibrate", {"part": "use", "tokens": 512, "done": 1}))
    return PROFILE, Path("profiles/m.json")


def known_profile(settings: Settings, emit: Emit) -> Profile:
    return PROFILE


def forecast_record() -> Record:
    return Record((RouteRecord("chunk_rag", 12, 0.04, 0.21, 0.71, 0.75),), 4, 1, 2, 3.5)


def index_status(settings: Settings) -> IndexStatus:
    if settings.paths == ("new",):
        raise NoSuchPath("no index of new yet", hint="lcrag index new")
    return IndexStatus(3, 40, 24000, 1, Session.failed, {"all-MiniLM-L6-v2": 12}, 2_500_000, "cl100k_base", "1", 86400)


def index_clear(settings: Settings) -> bool:
    return settings.paths != ("new",)


def as_module() -> ModuleType:
    """This file under the name ``lcrag.session``."""
    module = ModuleType("lcrag.session")
    for value in (
        Settings,
        Session,
        index_status,
        index_clear,
        calibrate_backend,
        known_profile,
        forecast_record,
    ):
        setattr(module, value.__name__, value)
    return module


if __name__ == "__main__":
    from lcrag.cli.app import main

    sys.modules["lcrag.session"] = as_module()
    main()
