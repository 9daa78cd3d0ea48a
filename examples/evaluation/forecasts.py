"""What forecasts of a route are worth: tokens that were forecast next to those that were read, and the answers.

    python examples/evaluation/forecasts.py QUESTIONS.jsonl PATH... [--routes A,B] [--limit N] [--base-url URL]

QUESTIONS is of the format of ``lcrag.comparison.dataset``. Without ``--base-url`` the embedded backend
answers; without ``--routes`` every pipeline and recipe does. ``off`` is the median over questions of
|forecast - read| / read. A route that goes on only where its first step finds nothing is forecast as a mean, which no
single question costs: ``sum`` compares all tokens forecast with all that were read. ``right`` is the mean score of the
answers, as ``lcrag compare`` scores them. ``s``: seconds a question. Routes are asked in this order, each of all
questions, so a server's prefix cache serves all but the first question of a route.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median

from lcrag.comparison.dataset import Question, question_of, records
from lcrag.comparison.scoring import score
from lcrag.errors import LcragError
from lcrag.pipelines import PIPELINES, RECIPES, split_names
from lcrag.session import Session
from lcrag.types import Policy, Settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--routes", type=split_names, default=(*PIPELINES, *RECIPES))
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--kinds", help="task types alone, with commas between", type=split_names, default=())
    parser.add_argument("--base-url")
    parser.add_argument("--dense", default="auto")
    parser.add_argument("--reader", default="auto")
    options = parser.parse_args()
    folder = options.questions.parent
    questions = [question_of(record, folder, where) for where, record in records(options.questions)]
    asked = [one for one in questions if not options.kinds or one.task_type in options.kinds][: options.limit]
    with tempfile.TemporaryDirectory() as index:
        settings = Settings(
            tuple(options.paths),
            index=Path(index),
            dense=options.dense,
            reader=options.reader,
            writer="off",
            backend="server" if options.base_url else "embedded",
            base_url=options.base_url,
        )
        with Session.open(settings) as session:
            print(f"{session.index_info['tokens']:,} tokens, {len(asked)} questions, {session.backend.model}")
            print(f"{'route':45} {'forecast':>9} {'read':>9} {'off':>5} {'sum':>5} {'right':>5} {'s':>6}")
            for route in options.routes:
                print(_line(session, route, asked), flush=True)


def _line(session: Session, route: str, questions: Sequence[Question]) -> str:
    forecast, read, right, seconds, failed = [], [], [], [], 0
    for question in questions:
        policy = Policy(pipeline=route)
        try:
            prepared = session.prepare(question.question, policy)
            answer = session.answer(prepared, policy)
        except LcragError as error:
            failed += 1
            reason = str(error)
            continue
        forecast.append(prepared.plan.chosen.input_tokens)
        read.append(answer.usage.input_tokens)
        value = score(question, answer.text, answer.short, answer.status)
        right.append(value.value if value is not None else 0.0)
        seconds.append(answer.usage.seconds)
    if not read:
        return f"{route:45} failed: {reason}"
    off = median(abs(before / max(1, after) - 1) for before, after in zip(forecast, read, strict=True))
    line = f"{route:45} {fmean(forecast):9,.0f} {fmean(read):9,.0f} {off:5.0%} {sum(forecast) / sum(read) - 1:+5.0%}"
    return f"{line} {fmean(right):5.2f} {fmean(seconds):6.2f}" + (f" ({failed} failed)" if failed else "")


if __name__ == "__main__":
    main()
