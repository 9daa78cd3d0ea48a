"""Do citations lead to the right place? Each one is looked up with ``lcrag show``, in every format.

    python examples/evaluation/places.py PATH... --questions FILE [--quiet]

FILE has one question a line. Each is asked of the paths; each citation is then looked up in two ways: by its
characters, and, as a user would, by its line or page with its quote. Prints what ``lcrag show`` prints; exits with 1
when a quote is not at its place.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--quiet", action="store_true", help="print the counts alone")
    options = parser.parse_args()
    answers = lcrag("ask", *options.paths, "--questions", str(options.questions), "--backend", "embedded", "-q")
    if answers.returncode > 1:  # 1: some question has no answer
        sys.exit(answers.stderr)
    counts: Counter[tuple[str, str]] = Counter()
    for answer in map(json.loads, answers.stdout.splitlines()):
        if not options.quiet:
            print(f"\n? {answer['question']}  ({answer['status']})\n{answer['answer']}")
        for citation in answer["citations"]:
            in_place, shown = look_up(citation)
            counts[Path(citation["source"]).suffix, "held" if in_place else "missed"] += 1
            if not options.quiet:
                print(f"\n$ lcrag show {place_of(citation)}\n{shown}", end="")
    for (suffix, outcome), count in sorted(counts.items()):
        print(f"{suffix:8} {outcome:7} {count}")
    return int(any(outcome == "missed" for _, outcome in counts))


def place_of(citation: dict[str, Any]) -> str:
    if citation["page"] is not None:
        return f"{citation['source']}:p{citation['page']}"
    return citation["source"] if citation["line"] is None else f"{citation['source']}:{citation['line']}"


def look_up(citation: dict[str, Any]) -> tuple[bool, str]:
    """Whether the quote is at its characters and at its line or page, and what was shown there."""
    by_characters = lcrag("show", f"{citation['source']}:{citation['start']}-{citation['end']}")
    by_place = lcrag("show", place_of(citation), "--quote", citation["quote"])
    same = by_characters.returncode == by_place.returncode == 0 and by_characters.stdout == by_place.stdout
    marked = by_characters.stdout.partition("»")[2].partition("«")[0]  # its first line
    in_place = same and bool(marked) and " ".join(marked.split()) in " ".join(citation["quote"].split())
    return in_place, by_place.stdout or by_place.stderr


def lcrag(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "lcrag", *words], capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
