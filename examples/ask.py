"""The Python API in short: open some documents, ask questions, look at the citations. Runs offline.

python examples/ask.py
"""

from __future__ import annotations

from pathlib import Path

import lcrag

SALTMARSH = Path(__file__).parent / "saltmarsh"
QUESTIONS = (
    "Who bought back the bell Old Margery, and for how much?",
    "Which enzyme breaks down lactose in yoghurt?",
)


def show(answer: lcrag.Answer) -> None:
    """Print the answer, each citation with the line or page of its file, and why it was answered this way."""
    print(answer.text or answer.status)
    for citation in answer.citations:
        print(f"  [{citation.marker}] {citation.source}:{citation.line or citation.page}  {citation.quote!r}")
    if answer.plan is not None:
        print(f"  {answer.tokens_read:,} tokens read; {answer.plan.reason}\n")


def main() -> None:
    with lcrag.open(SALTMARSH, backend="embedded") as docs:
        show(docs.ask("What did it cost Josiah Fenn to build the tide mill?", prefer="speed"))
        for answer in docs.ask_many(QUESTIONS, max_tokens=20_000):
            show(answer)


if __name__ == "__main__":
    main()
