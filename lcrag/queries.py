"""What other programs may ask of the documents: ``ask``, ``plan``, ``search``, ``show``.

Each takes a session and returns the object that goes out as JSON, by HTTP, by MCP or to llama-index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from lcrag.errors import InputError
from lcrag.report.notebook import message
from lcrag.report.objects import answer_object, plan_object
from lcrag.report.show import page_shown, place_of, show_in
from lcrag.report.text import contradictions, sources, stated
from lcrag.session import Session
from lcrag.text.places import line_of, page_of, part_of
from lcrag.types import Answer, Document, Policy

MOST_HITS: Final = 100


def choose(session: Session, only: list[str] | None, since: str | None) -> Session:
    """The session, on these documents until its next question; what is None is as the server was started with. Raises
    InputError when none is chosen."""
    settings = session.settings
    session.select(settings.only if only is None else only, settings.since if since is None else since)
    return session


def ask(session: Session, question: str, policy: Policy, escalate: bool | None = None) -> tuple[Answer, dict[str, Any]]:
    """The answer, and the same as ``lcrag.answer/1``. Raises what ``Session.ask`` raises."""
    answer = session.ask(question, policy, escalate=escalate)
    return answer, value_of(session, question, answer)


def value_of(
    session: Session, question: str, answer: Answer, *, id: str | int | None = None, all_sources: bool = False
) -> dict[str, Any]:
    """The answer as ``lcrag.answer/1``."""
    return answer_object(
        question,
        answer,
        answer.plan,
        id=id,
        backend=session.backend.name,
        model=session.backend.model,
        index=session.index_info,
        all_sources=all_sources,
    )


def plan(session: Session, question: str, policy: Policy) -> dict[str, Any]:
    """``lcrag.plan/1``; no model is called. Raises what ``Session.plan`` raises."""
    return plan_object(session.plan(question, policy))


def search(session: Session, question: str, limit: int) -> dict[str, Any]:
    """The best chunks, at most ``limit``, each with its place, score and text."""
    if not question.strip():
        raise InputError("the question is empty")
    hits = session.rank(question).hits[:limit]
    documents = {hit.chunk.document_id: session.corpus.document(hit.chunk.document_id) for hit in hits}
    return {
        "question": question,
        "hits": [
            {
                **_place(documents[hit.chunk.document_id], hit.chunk.start, hit.chunk.end),
                "score": hit.score,
                "context": hit.chunk.context,
                "text": hit.chunk.text,
            }
            for hit in hits
        ],
    }


def show(session: Session, place: str, quote: str | None) -> dict[str, Any]:
    """The passage that a citation names, from the index: what is not in it is not shown, wherever it lies.

    Raises NoSuchPath for a file that is not in the index, InputError for a place that is not in the file.
    """
    ids = {source: document for document, source, _ in session.corpus.documents()}
    where = place_of(place, lambda file: str(file) in ids)
    document = session.corpus.document(ids[str(where.file)])
    shown = show_in(document, where, quote)
    return {
        **_place(document, shown.start, shown.end),
        "page": page_shown(shown),
        "quote": shown.quote,
        "before": document.text[shown.first : shown.start],
        "after": document.text[shown.end : shown.last],
    }


def _place(document: Document, start: int, end: int) -> dict[str, Any]:
    return {
        "source": document.source,
        "start": start,
        "end": end,
        "line": line_of(document, start),
        "page": page_of(document, start),
        "part": part_of(document, start),
    }


def policy_with(policy: Policy, options: Mapping[str, Any]) -> Policy:
    """The policy with those of the options that are given."""
    return replace(policy, **{name: value for name, value in options.items() if value is not None})


def said(answer: Answer) -> str:
    """The answer's text with its markers; why there is none, where there is none."""
    if answer.status not in ("answered", "contradictory"):
        return message(answer)
    noted = [contradictions(answer)] if answer.status == "contradictory" else []
    return "\n\n".join((stated(answer).rstrip(), *noted))


def answer_text(answer: Answer) -> str:
    """The answer as a person reads it, with its sources in a list below."""
    listed = "  \n".join(sources(answer).splitlines())  # two spaces: a line's end in Markdown
    return f"{said(answer)}\n\n{listed}".rstrip()
