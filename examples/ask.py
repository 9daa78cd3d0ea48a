"""Ask in Python: one session, several questions, each answer with its citations.

    python examples/ask.py ["your question" ...]

Runs offline on the little corpus beside this file. Exits with 1 when a question found no answer.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lcrag.session import Session
from lcrag.types import Answer, Plan, Policy, Settings

CORPUS = Path(__file__).parent / "saltmarsh"
QUESTIONS = (
    "What did it cost Josiah Fenn to build the tide mill?",
    "Who bought back the bell Old Margery, and for how much?",
    "Which enzyme breaks down lactose in yoghurt?",
)


def show(question: str, answer: Answer, plan: Plan) -> None:
    """Print the answer, for each citation the file, its line or page and the words quoted, and what was read."""
    print(f"Q: {question}")
    print(f"A: {answer.text or answer.status}")
    for citation in answer.citations:
        place = f"page {citation.page}" if citation.page else f"line {citation.line}" if citation.line else "text"
        print(f"   [{citation.marker}] {citation.source}, {place}: {citation.quote!r}")
    print(f"   {answer.tokens_read:,} tokens read; {plan.reason}\n")


def main() -> int:
    questions = sys.argv[1:] or QUESTIONS
    settings = Settings(paths=(str(CORPUS),), backend="embedded")
    found = True
    with Session.open(settings, emit=lambda event: None) as session:
        for question in questions:
            answer, plan = session.ask(question, Policy())
            show(question, answer, plan)
            found = found and answer.status in ("answered", "contradictory")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
