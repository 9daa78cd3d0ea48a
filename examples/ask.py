"""Ask in Python: one session, several questions, each answer with its citations.

    python examples/ask.py ["your question" ...]

Runs offline on the little corpus beside this file. Exits with 1 when a question found no answer.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lcrag.run import Session, Settings
from lcrag.types import Answer, Policy

CORPUS = Path(__file__).parent / "saltmarsh"
QUESTIONS = (
    "What did it cost Josiah Fenn to build the tide mill?",
    "Where was the first cruise ship built?",
)


def show(question: str, answer: Answer) -> None:
    """Print the answer, then for each citation the file, its line or page, and the words quoted."""
    print(f"Q: {question}")
    if answer.status not in ("answered", "contradictory"):
        print(f"A: ({answer.status})\n")
        return
    print(f"A: {answer.text}")
    for citation in answer.citations:
        at = f"page {citation.page}" if citation.page else f"line {citation.line}" if citation.line else "no line"
        print(f"   [{citation.marker}] {citation.source}, {at}: {citation.quote!r}")
    print(f"   read {answer.tokens_read:,} tokens\n")


def main() -> int:
    questions = sys.argv[1:] or QUESTIONS
    settings = Settings(paths=(str(CORPUS),), backend="embedded")
    found = True
    with Session.open(settings, emit=lambda event: None) as session:
        for question in questions:
            answer, plan = session.ask(question, Policy(prefer="balanced"))
            show(question, answer)
            print(f"   by {plan.pipeline}: {plan.reason}\n")
            found = found and answer.status in ("answered", "contradictory")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
