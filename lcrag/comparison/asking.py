"""One question by one route: the row that is stored of it. A session is all that it needs, on whatever machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from lcrag.comparison.dataset import Question
from lcrag.comparison.points import points_read
from lcrag.comparison.results import ROUTER
from lcrag.comparison.rows import (
    ANSWER_FIELDS,
    holds,
    places_of,
    plan_fields,
    refused_row,
    stored_answer,
    stored_options,
    unique_passages,
)
from lcrag.comparison.scoring import Place, evidence_score
from lcrag.comparison.scoring import asked as question_text
from lcrag.comparison.shared import Rankings
from lcrag.errors import BackendFailed, NoRoute
from lcrag.report.show import surrounding_text
from lcrag.session import Prepared, Session
from lcrag.types import Answer, Passage, Plan, Policy, Task

VERDICT_TOKENS: Final = 64
"""The most tokens of the backend's own judgement of an answer: 'yes' or 'no', or JSON with it."""

Row = dict[str, Any]
Taken = tuple[Plan, Answer]
"""A plan of the router and the answer of its own route, from which the route log learns."""


@dataclass(frozen=True, slots=True)
class Job:
    """One question to one route; ``place``: the question's in the list. ``gold``: where its evidence is."""

    place: int
    route: str
    paths: tuple[str, ...]
    question: Question
    gold: tuple[Place, ...] = ()


@dataclass(frozen=True, slots=True)
class Asker:
    """``judges``: the backend judges its own answers; ``at_once``: how many questions are asked together."""

    policy: Policy
    judges: bool
    at_once: int

    def row(self, job: Job, session: Session, rankings: Rankings, stored: Mapping[str, Row]) -> tuple[Row, list[Taken]]:
        """What comes of a job. ``stored``: the rows of this question by route, as far as they are there."""
        policy = self.policy if job.route == ROUTER else replace(self.policy, pipeline=job.route)
        asked: list[Passage] = []
        taken: list[Taken] = []
        row: Row = {"id": job.question.id, "route": job.route, "question": job.question.question, "error": None}
        row["at_once"] = self.at_once
        row["corpus"] = {"documents": session.corpus.size.documents, "tokens": session.corpus.size.tokens}
        try:
            text = question_text(job.question)
            ranking = rankings.get(job.paths, job.place, lambda: session.rank(text))
            prepared = session.prepare(text, policy, ranking)
            row |= plan_fields(prepared.plan)
            if job.route == ROUTER:
                row |= self._routed(job, session, prepared, asked, stored, taken)
            else:
                answer = session.answer(prepared, policy, asked=asked)
                row |= self._answered(job, session, answer, asked)
        except NoRoute as error:
            row |= refused_row(str(error))
        except BackendFailed as error:
            row["error"] = {"kind": error.kind, "message": str(error), "hint": error.hint}
        return row, taken

    def _routed(
        self,
        job: Job,
        session: Session,
        prepared: Prepared,
        asked: list[Passage],
        stored: Mapping[str, Row],
        taken: list[Taken],
    ) -> Row:
        """The router's answer: that of the constant route with the same plan, and what follows it."""
        plan = prepared.plan
        same = stored.get(plan.pipeline)
        if same is None or same["error"] or same.get("options") != stored_options(plan):
            answer = session.answer(prepared, self.policy, asked=asked)
            if len(answer.steps) == 1:
                taken.append((plan, answer))
            return self._answered(job, session, answer, asked)
        taken.append((plan, stored_answer(same)))
        answer = session.continue_from(stored_answer(same), prepared, self.policy, asked=asked)
        if not asked:  # it was answered, or nothing that reads more was left to try
            return {key: same.get(key) for key in ANSWER_FIELDS} | {"same_as": plan.pipeline}
        row = self._answered(job, session, answer, asked)
        row["steps"] = same["steps"] + row["steps"]
        if row["evidence"]:
            row["evidence"]["read"] = max(row["evidence"]["read"], same["evidence"]["read"])
        if row["points"]:
            row["points"] = list(map(max, row["points"], same.get("points") or row["points"]))
        return row

    def _answered(self, job: Job, session: Session, answer: Answer, asked: Sequence[Passage]) -> Row:
        cited = [(citation.document_id, citation.start, citation.end) for citation in answer.citations]
        evidence = None
        if job.gold:
            evidence = asdict(evidence_score(job.gold, places_of(asked), cited))
        return {
            "status": answer.status,
            "answer": answer.text,
            "short": answer.short,
            "citations": [
                {
                    **asdict(citation),
                    "around": surrounding_text(
                        session.corpus.document(citation.document_id).text, citation.start, citation.end
                    ),
                }
                for citation in answer.citations
            ],
            "usage": asdict(answer.usage),
            "read": answer.tokens_read,
            "steps": [step.pipeline for step in answer.steps],
            "evidence": evidence,
            "points": points_read(job.question.points, asked) if job.question.points else None,
            "verdict": self._judged(job.question, session, answer, asked) if self.judges else None,
            "same_as": None,
        }

    @staticmethod
    def _judged(question: Question, session: Session, answer: Answer, asked: Sequence[Passage]) -> str | None:
        """What the backend says of the passages that the answer cites: whether they suffice to answer the question.

        None where there is no answer to judge; "no" where it cites nothing.
        """
        if answer.status not in ("answered", "contradictory"):
            return None
        cited = [passage for passage in asked if any(holds(passage, place) for place in answer.citations)]
        if not cited:
            return "no"
        listed = tuple(replace(passage, marker=place) for place, passage in enumerate(unique_passages(cited), 1))
        [verdict] = session.backend.run([Task("judge", question_text(question), listed)], max_tokens=VERDICT_TOKENS)
        return verdict.text
