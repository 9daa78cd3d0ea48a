"""A program over the tables, never the tables in the prompt (HiddenTables).

A count or a sum over a thousand rows is not in any passage, and a model that reads them all adds badly. Rules write the
program where every word of the question is explained by the table; else a served model writes it from the names, kinds
and some values of the columns. It runs in a sandbox (``lcrag.tables.database``), and the answer shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import ClassVar, Final, Literal, Self

from lcrag.evidence.cite import citation_of
from lcrag.pipelines._run import Run
from lcrag.planning.scale import count_sent
from lcrag.tables.database import Database, Refused
from lcrag.tables.loaded import Loaded
from lcrag.tables.opened import tables_for
from lcrag.tables.program import adds_up, write
from lcrag.tables.results import Said, say
from lcrag.tables.schema import program_of, schema
from lcrag.text.prompts import NOT_FOUND
from lcrag.text.questions import CUES
from lcrag.text.shapes import parse_object
from lcrag.types import (
    Answer,
    Backend,
    Citation,
    CorpusSize,
    CorpusView,
    Emit,
    Estimate,
    Event,
    Ranking,
    Statement,
    Task,
    Workload,
    ignore,
)

TRIES: Final = 3
"""Programs that a model may write for a question: one, and two more with the message of what went wrong."""
PROGRAM_TOKENS: Final = 300
SCHEMA_TOKENS: Final = 600
"""What a schema is forecast to take: 20 tokens a column, 15 a list of values. Assumed, not measured."""
RIGHT: Final = 0.90
"""P(what the rules' program says is right). Measured: 131 of 146 answers to questions of five sets that the rules had
not been tried on. Of two authors who did not know the rules: 15 of 22 of the first, 18 of 19 of the second, after
mends for the first (``examples/evaluation/README.md``)."""
WRITTEN: Final = 0.8
"""P(a model's program is over the right table). Assumed, not measured."""
SHAPE: Final = {
    "type": "object",
    "properties": {"sql": {"type": "string"}},
    "required": ["sql"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Table:
    """``by``: whose program runs: that of rules alone, or of the model where rules write none. ``values``: whether the
    model sees values of the table, or the names and kinds of columns alone.
    """

    by: Literal["rules", "model"] = field(default="model", kw_only=True)
    values: bool = field(default=True, kw_only=True)
    name: ClassVar[str] = "table"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls()]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        is_asked = self.by == "model"
        tokens = SCHEMA_TOKENS if is_asked else 0
        return Workload(
            input_tokens=tokens,
            output_tokens=60 if is_asked else 0,
            calls=int(is_asked),
            rounds=int(is_asked),
            longest_prompt=tokens,
            evidence=WRITTEN if is_asked else 1.0,
            read_tokens=tokens,
            surroundings="consecutive",
            right=None if is_asked else RIGHT,
        )

    def answer(self, run: Run) -> Answer:
        """Raises BackendFailed after retries. Without a table that answers: not found, in whatever was not read."""
        with tables_for(run.question, run.ranking.hits, run.corpus, is_named=True) as (tables, database, left_out):
            for message in left_out:
                run.emit(Event("usage", {"message": f"not read as a table: {message}"}))
            if not tables:
                run.emit(Event("usage", {"message": "there is no table in these documents"}))
                return run.nothing(())
            program = write(run.question, tables, database)
            said = say(program, database, run.corpus.document) if program is not None else None
            if said is None and self.by == "model" and run.backend.template_tokens is not None:
                said = self._asked(run, tables, database)
            return run.nothing(()) if said is None else _answered(run, said)

    def _asked(self, run: Run, tables: Sequence[Loaded], database: Database) -> Said | None:
        """What a program of the model's says; it gets the message of one that does not run, or that finds nothing."""
        described = schema(tables, values=self.values)
        run.check_room(count_sent([described], run.backend)[0], run.frame("program") + PROGRAM_TOKENS)
        notes = [described]
        for _ in range(TRIES):
            task = Task("program", run.question, (), tuple(notes), shape=SHAPE)
            [completion] = run.ask([task], PROGRAM_TOKENS)
            sql = str(parse_object(completion.text).get("sql") or "").strip().rstrip(";").strip()
            if not sql or sql.upper().startswith(NOT_FOUND):
                return None
            try:
                said = say(program_of(sql, tables), database, run.corpus.document)
            except Refused as error:
                problem = str(error)
            else:
                if said is not None:
                    return said
                problem = "it finds no row"
            run.emit(Event("usage", {"message": f"the program {sql!r} was not taken: {problem}"}))
            notes = [described, f"This program was not taken: {sql}\nThe reason: {problem}"]
        return None


def table_for(
    question: str, ranking: Ranking, corpus: CorpusView, backend: Backend, emit: Emit = ignore
) -> Table | None:
    """The route that the router may take: by rules where they explain the whole question; by a served model where the
    best hit is in a table and the question adds up or compares one of its columns.
    """
    with tables_for(question, ranking.hits, corpus, is_named=False) as (tables, database, left_out):
        for message in left_out if CUES["cue_count"].search(question) else ():
            emit(Event("usage", {"message": f"not read as a table: {message}"}))
        try:
            if tables and write(question, tables, database) is not None:
                return Table(by="rules")
        except Refused:  # a table too large for the time that a program may take
            return None
        best = ranking.hits[0].chunk.document_id if ranking.hits else ""
        own = [table for table in tables if table.document == best]
    is_served = backend.template_tokens is not None
    return Table() if is_served and any(adds_up(question, table) for table in own) else None


def _answered(run: Run, said: Said) -> Answer:
    """The lines of what was found, each under the rows that it rests on."""
    citations: list[Citation] = []
    statements: list[Statement] = []
    text = ""
    for line, places in said.lines:
        markers = []
        for start, end in places:
            known = next((one for one in citations if (one.start, one.end) == (start, end)), None)
            if known is None:
                known = citation_of(len(citations) + 1, start, end, said.document)
                citations.append(known)
                run.emit(Event("citation", asdict(known)))
            markers.append(known.marker)
        statements.append(Statement(len(text), len(text) + len(line), True, tuple(markers)))
        text += line + "".join(f" [{marker}]" for marker in markers) + "\n"
    text += "".join(f"({note})\n" for note in said.notes)
    return run.result(
        "answered",
        (),
        text=text.rstrip(),
        citations=tuple(citations),
        short=said.short,
        statements=tuple(statements),
        coverage=1.0,
        program=said.program,
    )
