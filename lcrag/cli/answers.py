"""Answers and events on the two streams, in the format of the call: what ``ask``, ``chat`` and ``history`` share."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import Any, Final

from lcrag.cli import options as opt
from lcrag.cli.call import Call
from lcrag.cli.output import Output, width
from lcrag.cli.progress import Progress
from lcrag.errors import LcragError, NoRoute
from lcrag.report import markdown, plans, text
from lcrag.report.objects import event_data
from lcrag.report.streamed import Streamed
from lcrag.report.terminal import printable
from lcrag.types import Answer, Emit, Event, Plan, Status

EXIT_CODES: Final[dict[Status, int]] = {
    "answered": 0,
    "contradictory": 0,
    "not_found": 1,
    "not_retrieved": 1,
    "refused_by_budget": NoRoute.exit_code,
}


class Printer:
    """Prints the events and the answers of one call. May be called from several threads.

    ``streams``: whether answers are printed as they are written; ``streamed``: the part that has been printed.
    """

    def __init__(self, call: Call, progress: Progress, *, streams: bool) -> None:
        options = call[opt.Ask]
        self.output = call.output
        self.progress = progress
        self.streamed = Streamed()
        self.all_sources = options.all_sources
        self._lock = threading.Lock()
        self._explain = options.explain
        self._tokens = options.stream is not False
        self._streams = streams and self.output.form == "plain"

    def __call__(self, event: Event) -> None:
        self._print(event, {})

    def of(self, id: str | int | None) -> Emit:
        """An ``Emit`` for one of many questions: its events carry the id."""
        return lambda event: self._print(event, {"id": id})

    def _print(self, event: Event, id: dict[str, object]) -> None:
        with self._lock:
            self.progress(event)
            if self.output.form == "ndjson" and event.kind != "wait" and (self._tokens or event.kind != "token"):
                self.output.event(event.kind, id | event_data(event))
            if event.kind == "plan" and self._explain:
                self.progress.clear()
                plan: Plan = event.data["plan"]
                self.output.report(plans.plan_report(plan, width=width(), colour=self.output.colour(sys.stderr)))
            if self._streams and (piece := self.streamed.event(event)):
                self.progress.done()
                self.output.write(piece)

    def explain(self, answer: Answer) -> None:
        """With --explain, print the forecast next to the actual cost; with --trace, what the answer depends on."""
        if self._explain and answer.plan is not None:
            self.progress.clear()
            colour = self.output.colour(sys.stderr)
            self.output.report(plans.outcome_report(answer.plan, answer, width=width(), colour=colour))
        if answer.trace is not None and self.output.form in ("plain", "md"):
            self.progress.clear()
            self.output.report(text.trace_report(answer.trace))

    def answer(self, answer: Answer, value: Mapping[str, Any], *, sources: bool) -> int:
        """Print the answer to one question, what was not found on standard error; returns the exit code.

        ``value``: the answer as ``lcrag.answer/1``.
        """
        self.progress.done()
        self.explain(answer)
        code = EXIT_CODES[answer.status]
        if self.output.form in ("json", "ndjson"):
            self._value(value)
        elif code:
            self.output.note(text.nothing_found(answer, value["read"]["of"], all_sources=self.all_sources))
        else:
            _note_doubts(answer, self.output)
            self._text(answer, value, sources=sources)
        return code

    def answer_of_many(self, answer: Answer, value: Mapping[str, Any], *, sources: bool) -> int:
        """Print one of many answers, also one that was not found, on standard output; returns its exit code."""
        self.explain(answer)
        if self.output.form == "md":
            with self._lock:
                self._section(answer, value, sources=sources)
        else:
            self._value(value)
        return EXIT_CODES[answer.status]

    def _value(self, value: Mapping[str, Any]) -> None:
        with self._lock:
            if self.output.form == "ndjson":
                self.output.event("answer", value)
            else:
                self.output.line(value)

    def _section(self, answer: Answer, value: Mapping[str, Any], *, sources: bool) -> None:
        self.output.write(markdown.section(value["question"], answer, value["read"]["of"], sources=sources))

    def _text(self, answer: Answer, value: Mapping[str, Any], *, sources: bool) -> None:
        """Print the rest of the answer after what was streamed; all of it if it was corrected since."""
        if self.output.form == "md":
            self._section(answer, value, sources=sources)
            return
        listed = text.sources(answer, links=self.output.links(sys.stdout)) if sources else ""
        if answer.program is not None and sources:
            listed += f"{printable(answer.program)}\n"
        self.output.write(f"{self.streamed.rest(text.stated(answer))}\n" + (f"\n{listed}" if listed else ""))

    def error(self, error: LcragError, id: str | int | None) -> None:
        """Print the error of one of many questions."""
        with self._lock:
            self.progress.clear()
            self.output.error(error, id=id)


def _note_doubts(answer: Answer, output: Output) -> None:
    if answer.status == "contradictory":
        output.note(text.contradictions(answer))
    if answer.dropped:
        output.note(f"citation markers without a source, left out: {answer.dropped}")


def keep(value: dict[str, object], output: Output) -> None:
    """Keep an answer for ``lcrag history``. One that cannot be kept has been printed all the same."""
    from lcrag.conversation.answers import AnswerLog

    try:
        AnswerLog().add(value)
    except LcragError as error:
        output.warn(f"not kept: {error}", error.hint)
