"""Are follow-up questions answered as well in a session as from the whole transcript, and from how much of it?

    python examples/sessions/answers.py DATASET --base-url URL [--tokens 1000] [--limit N] --out answers.jsonl

The follow-ups of ``turn_by_turn.py``, each asked after the question before it, by a served model: in a session, from
the best chunks; and from the whole transcript, with the question as it stood before its name became a pronoun. One JSON
line a question; what is in the file is not asked again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from turn_by_turn import follow_ups, read_rows

from lcrag.comparison.dataset import load
from lcrag.comparison.scoring import score
from lcrag.conversation.memory import Memory
from lcrag.conversation.talk import Talk
from lcrag.session import Session
from lcrag.types import Answer, Policy, Settings

WHOLE = Policy(pipeline="full_context")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--tokens", type=int, default=1000)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--out", type=Path, default=Path("answers.jsonl"))
    given = parser.parse_args()
    best = Policy(pipeline=f"chunk_rag:tokens={given.tokens}")
    gold = {question.id: question for question in load(given.dataset)}
    done = {}
    if given.out.exists():
        done = {row["id"]: row for row in map(json.loads, given.out.read_text("utf-8").splitlines())}
    cases = list(follow_ups(read_rows(given.dataset)))[: given.limit]
    with given.out.open("a", encoding="utf-8") as file:
        for before, question, row in cases:
            if row["id"] in done:
                continue
            paths = tuple(str(given.dataset / name) for name in row["docs"])
            settings = Settings(paths, backend="server", base_url=given.base_url, log=False)

            def result(answer: Answer, number: str = str(row["id"])) -> dict[str, Any]:
                value = score(gold[number], answer.text, answer.short, answer.status)
                used = answer.usage
                return {"value": value and value.value, "read": used.input_tokens, "seconds": used.seconds}

            with Session.open(settings) as session, tempfile.TemporaryDirectory() as folder:
                with Talk(session, Memory(Path(folder))) as talk:
                    talk.answer(talk.understand(before), best, escalate=False)
                    asked = talk.understand(question)
                    in_session = talk.answer(asked, best, escalate=False)
                whole = session.ask(str(row["question"]), WHOLE, escalate=False)
            line = {"id": row["id"], "typed": question, "asked": asked.question, "session": result(in_session)}
            done[str(row["id"])] = line | {"whole": result(whole)}
            file.write(json.dumps(done[str(row["id"])], ensure_ascii=False) + "\n")
            file.flush()
    for way in ("session", "whole"):
        rows = [row[way] for row in done.values() if row[way]["value"] is not None]
        mean, read = fmean(row["value"] for row in rows), fmean(row["read"] for row in rows)
        print(f"{way}: {mean:.3f} for {read:,.0f} tokens a question, n {len(rows)}")


if __name__ == "__main__":
    main()
