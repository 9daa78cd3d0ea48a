"""One question, answered: by the route of its plan, and by others where that one does not fit or finds nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lcrag import pipelines
from lcrag.errors import BackendFailed, DoesNotFit, LcragError, NoRoute
from lcrag.pipelines import Run
from lcrag.planning.explain import label
from lcrag.planning.forecast import route_key
from lcrag.planning.router import as_it_went, choose, further
from lcrag.planning.scale import frame_tokens
from lcrag.planning.use import invents
from lcrag.text.prompts import ANSWER_TOKENS, most_answer_tokens
from lcrag.types import Answer, Emit, Event, Forecast, OnToken, Passage, Plan, Policy, Ranking, ignore

if TYPE_CHECKING:
    from lcrag.session.session import Session


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question that has been ranked and planned but not answered."""

    question: str
    ranking: Ranking
    plan: Plan


@dataclass(frozen=True, slots=True)
class Answering:
    """A question that ``session`` answers. ``asked`` collects the passages that were given to the backend."""

    session: Session
    prepared: Prepared
    policy: Policy
    on_token: OnToken | None = None
    asked: list[Passage] = field(default_factory=list)

    def by_plan(self) -> Answer:
        """The answer of the chosen route, logged; or of the next best where one does not fit after all.

        A forecast knows no texts: it may be wrong by some tokens, or documents have no chapters to list. A route that
        was asked for by name is not replaced.
        """
        plan = self.prepared.plan
        possible, option = list(plan.forecasts), plan.chosen
        while True:
            try:
                answer = self._run(option, self.session.emit)
                break
            except NoRoute as error:
                possible.remove(option)
                if self.policy.pipeline is not None:
                    raise
                try:
                    option = choose(possible, self.policy, self.session.profile.window)
                except NoRoute:
                    raise error from None
                self.session.warn(f"{error}: taking {label(option)} instead")
        self._keep(option, answer)
        return answer

    def _keep(self, route: Forecast, answer: Answer) -> None:
        """Log what came of the route. A log that cannot be written, or a second route that fails, costs no answer."""
        if self.session.log is None:
            return
        unseen = replace(self, on_token=None, asked=[])
        try:
            event = self.session.log.add(
                self.prepared.plan, route, answer, self.session.backend, lambda other: unseen._run(other, ignore)
            )
        except LcragError as error:
            self.session.warn(f"not logged: {error}")
        else:
            if event is not None:
                self.session.emit(event)

    def by_further_routes(self, answer: Answer, escalate: bool | None) -> Answer:
        """What follows the answer of the plan's own route: further routes while nothing supported was found.

        A further route that fails costs no answer: the best one so far stays, with a warning.
        """
        session, policy, plan = self.session, self.policy, self.prepared.plan
        tried, possible = [as_it_went(plan.chosen, answer)], list(plan.forecasts)
        while (policy.pipeline is None if escalate is None else escalate) and answer.is_unsupported:
            made_up = invents(session.profile) if answer.status != "answered" else 0.0
            option = further(possible, tried, answer.usage, plan.estimate, policy, made_up)
            if option is None:
                break
            session.emit(
                Event("escalate", {"from": tried[-1].pipeline, "to": option.pipeline, "status": answer.status})
            )
            try:
                again = self._run(option, session.emit)
            except (DoesNotFit, BackendFailed) as error:
                session.warn(f"{label(option)} failed: {error}")
                if isinstance(error, BackendFailed):
                    break
                possible.remove(option)
                continue
            if again.is_unsupported and answer.status == "answered":
                answer = replace(answer, usage=answer.usage + again.usage, steps=answer.steps + again.steps)
            else:
                answer = answer.followed_by(again)
            tried.append(as_it_went(option, again))
        session.emit(Event("usage", {"usage": answer.usage}))
        return replace(answer, plan=plan).with_left_out(session.left_out)

    def traced(self, answer: Answer) -> Answer:
        """With the passages that it depends on, found by asking again without some."""
        if answer.status not in ("answered", "contradictory"):
            return answer
        from lcrag.evidence.trace import trace

        backend, question = self.session.backend, self.prepared.question
        room = backend.window - ANSWER_TOKENS - frame_tokens("answer", question, backend)
        found = trace(question, answer, self.asked, self.session.corpus, backend, room)
        return replace(answer, trace=found, usage=answer.usage + found.usage)

    def _run(self, route: Forecast, emit: Emit) -> Answer:
        """The answer of one route, with the coverage of what it read: what it forecast, but no more than it read."""
        session, prepared = self.session, self.prepared

        def written(piece: str) -> None:
            emit(Event("token", {"text": piece}))
            if self.on_token is not None:
                self.on_token(piece)

        run = Run(
            prepared.question,
            session.corpus,
            replace(prepared.ranking, search=session.rank),
            session.backend,
            session.reranker,
            emit,
            None if emit is ignore and self.on_token is None else written,
            route.pipeline,
            most_answer_tokens(prepared.plan.estimate.scope_tokens),
            asked=self.asked,
        )
        options: dict[str, Any] = dict(route.options)
        answer = pipelines.every_pipeline()[route.pipeline](**options).answer(run)
        read = prepared.plan.estimate.covered(answer.tokens_read * session.scale.ratio)
        if session.backend.template_tokens is not None:
            key, usage = route_key(route.pipeline, route.options), answer.usage
            # Asked before and nothing came from the cache: this server has none, or has forgotten it.
            forgotten = session.cached.get(key) and not usage.cached_tokens
            session.cached[key] = 0 if forgotten else usage.input_tokens
        return answer.certified(min(route.evidence, read))
