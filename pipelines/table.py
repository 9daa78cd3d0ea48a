"""A program over the tables, never the tables in the prompt (HiddenTables).

A count or a sum over a thousand rows is not in any passage, and a model that reads them all adds badly. Rules write the
program where every word of the question is explained by the table; else a model writes it from names, kinds and some
values of the columns: a served one, or lcrag's own, which is held to what can run (``lcrag.tables.written``). It runs
in a sandbox (``lcrag.tables.database``), and the answer shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import ClassVar, Final, Literal, Self

from lcrag.evidence.cite import citation_of
from lcrag.pipelines._run import Run
from lcrag.pipelines.chunk_rag import ChunkRag
from lcrag.planning.scale import count_sent
from lcrag.tables import written
from lcrag.tables.database import Database, Refused
from lcrag.tables.loaded import Loaded
from lcrag.tables.opened import WHOLE, tables_for
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

PROMPTS: Final = 2
"""The small model reads the tables in one order and in the other."""
TRIES: Final = 3
"""Programs that a model may write for a question: one, and two more with the message of what went wrong."""
PROGRAM_TOKENS: Final = 300
SCHEMA_TOKENS: Final = 600
"""What a schema is forecast to take: 20 tokens a column, 15 a list of values. Assumed, not measured."""
RIGHT: Final = 0.90
"""P(what the rules' program says is right). Measured: 131 of 146 answers to questions of five sets that the rules had
not been tried on. Of two authors who did not know the rules: 15 of 22 of the first, 18 of 19 of the second, after
mends for the first (``examples/evaluation/README.md``)."""
WRITTEN_RIGHT: Final = 0.26
"""P(the small model's program is believed and right) where rules write none. Measured: 79 of 309 questions (276 have an
answer) of five domains held out and of ``tests/tables/unmended``; 11 were believed and wrong."""
SECONDS: Final = 2.6
"""That the small model takes for its programs on two cores: median of 296 questions to two to four tables."""
AFTER: Final = 2000
"""Tokens of the best chunks that are forecast to be read where the small model is not sure, as it says of most."""
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
    """``by``: whose program runs: that of rules alone, or where these write none, of lcrag's own small model, or of the
    backend's. ``values``: whether a served model sees values of the table, or the names and kinds of columns alone.
    """

    by: Literal["rules", "writer", "model"] = field(default="model", kw_only=True)
    values: bool = field(default=True, kw_only=True)
    name: ClassVar[str] = "table"

    @classmethod
    def candidates(cls, estimate: Estimate, size: CorpusSize, window: int) -> Sequence[Self]:
        return [cls()]

    def workload(self, estimate: Estimate, size: CorpusSize, window: int) -> Workload:
        calls = {"rules": 0, "writer": PROMPTS, "model": 1}[self.by]
        return Workload(
            input_tokens=SCHEMA_TOKENS * calls,
            output_tokens=60 * calls,
            calls=calls,
            rounds=calls,
            longest_prompt=SCHEMA_TOKENS if calls else 0,
            evidence=WRITTEN if calls else 1.0,
            read_tokens=SCHEMA_TOKENS if calls else 0,
            surroundings="consecutive",
            right={"rules": RIGHT, "writer": WRITTEN_RIGHT / WRITTEN}.get(self.by),
            seconds=SECONDS if self.by == "writer" else 0.0,
            then=ChunkRag(AFTER).workload(estimate, size, window) if self.by == "writer" else None,
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
            if said is None and self.by != "rules":
                said = self._written(run, tables, database)
            return run.nothing(()) if said is None else _answered(run, said)

    def _written(self, run: Run, tables: Sequence[Loaded], database: Database) -> Said | None:
        """What a program of the backend's model says, if it has one."""
        if not run.backend.holds:
            is_served = run.backend.template_tokens is not None
            if self.by == "writer" and is_served:
                run.emit(Event("usage", {"message": f"the {run.backend.name} backend holds no reply to a grammar"}))
            return self._asked(run, tables, database) if is_served and self.by == "model" else None
        prompts, allows = written.asked(run.question, tables, database)
        tasks = [Task("program", run.question, (), (prompt,), allows=allows) for prompt in prompts]
        replies = [completion.odds for completion in run.ask(tasks, PROGRAM_TOKENS)]
        sql = written.chosen(run.question, replies, database)
        return None if sql is None else say(program_of(sql, tables), database, run.corpus.document)

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
    """The route that the router may take: by rules where they explain the whole question; by a model where the best hit
    is in a table and the question adds up or compares one of its columns; by lcrag's own, which says when it is not
    sure, wherever the best hit is in a file of nothing but tables.
    """
    with tables_for(question, ranking.hits, corpus, is_named=False) as (tables, database, left_out):
        for message in left_out if CUES["cue_count"].search(question) else ():
            emit(Event("usage", {"message": f"not read as a table: {message}"}))
        try:
            if tables and write(question, tables, database) is not None:
                return Table(by="rules")
        except Refused:  # a table too large for the time that a program may take
            return None
        best = ranking.hits[0].chunk if ranking.hits else None
        own = [table for table in tables if best is not None and table.document == best.document_id]
    if not backend.holds and backend.template_tokens is None:
        return None
    is_for_tables = any(adds_up(question, table) for table in own)
    if backend.holds and (is_for_tables or (best is not None and own and best.source.lower().endswith(WHOLE))):
        return Table(by="writer")
    return Table() if is_for_tables else None


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
