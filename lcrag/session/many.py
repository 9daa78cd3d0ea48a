"""Many questions to one session, several at a time where its backend takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lcrag import batch
from lcrag.errors import LcragError
from lcrag.planning.forecast import route_key
from lcrag.session.answering import Prepared
from lcrag.types import Answer, Emit, Policy, ignore

if TYPE_CHECKING:
    from lcrag.session.session import Session


def ask_many(
    session: Session,
    questions: Sequence[str],
    policy: Policy,
    *,
    escalate: bool | None = None,
    trace: bool = False,
    workers: int | None = None,
    listen: Callable[[int], Emit] = lambda place: ignore,
) -> Iterator[Answer | LcragError]:
    """The answer of each question, or the error that it ended with, in the order of the questions.

    On a backend that takes several at a time, a block of questions is planned first, so that those with the same route,
    whose prompts may begin the same, go together. ``listen`` gives what hears the events of the question at a place.
    """
    workers = batch.workers_for(session.backend, workers)
    prepared: dict[int, Prepared] = {}

    def answer(own: Session, place: int) -> Answer | LcragError:
        own.emit = listen(place)
        try:
            ready = prepared.pop(place, None) or own.prepare(questions[place], policy)
            return own.answer(ready, policy, escalate=escalate, trace=trace)
        except LcragError as error:
            return error

    def groups(block: Sequence[int]) -> list[list[int]]:
        """The block's questions by the route that each will take; a question without one fails in its turn."""
        by_route: dict[str, list[int]] = {}
        for place in block:
            session.emit = listen(place)
            try:
                prepared[place] = session.prepare(questions[place], policy)
                key = route_key(prepared[place].plan.pipeline, prepared[place].plan.options)
            except LcragError:
                key = ""
            by_route.setdefault(key, []).append(place)
        return list(by_route.values())

    @contextmanager
    def worker() -> Iterator[Callable[[int], Answer | LcragError]]:
        if workers == 1:
            yield lambda place: answer(session, place)
            return
        with session.fork() as own:
            yield lambda place: answer(own, place)

    for block in batch.blocks(range(len(questions)), batch.BLOCK if workers > 1 else 1):
        jobs = groups(block) if workers > 1 else [block]
        for _, result in batch.in_order(batch.run(jobs, worker, workers), block):
            yield result
