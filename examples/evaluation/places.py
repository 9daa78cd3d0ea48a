"""Ask, then look up each citation: does ``lcrag show`` find the quote at the place that was told, in every format?

    python examples/evaluation/places.py PATH... --questions FILE [--quiet]

FILE has one question a line. Each is asked of the paths (``lcrag ask --json``); each citation is then looked up by its
characters, and by its line or page with its quote, as a user would, in processes of their own. Prints what was shown;
exits with 1 when a quote is not where it should be.
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
    asked = lcrag("ask", *options.paths, "--questions", str(options.questions), "--backend", "embedded", "-q")
    found: Counter[tuple[str, str]] = Counter()
    for answer in map(json.loads, asked.stdout.splitlines()):
        if not options.quiet:
            print(f"\n? {answer['question']}  ({answer['status']})\n{answer['answer']}")
        for citation in answer["citations"]:
            held, shown = look_up(citation)
            found[Path(citation["source"]).suffix, "held" if held else "missed"] += 1
            if not options.quiet:
                print(f"\n$ lcrag show {place(citation)}\n{shown}", end="")
    for (suffix, outcome), count in sorted(found.items()):
        print(f"{suffix:8} {outcome:7} {count}")
    return int(any(outcome == "missed" for _, outcome in found))


def place(citation: dict[str, Any]) -> str:
    if citation["page"] is not None:
        return f"{citation['source']}:p{citation['page']}"
    return citation["source"] if citation["line"] is None else f"{citation['source']}:{citation['line']}"


def look_up(citation: dict[str, Any]) -> tuple[bool, str]:
    """Whether the quote stands at its characters and at its line or page, and what was shown of it there."""
    at = lcrag("show", f"{citation['source']}:{citation['start']}-{citation['end']}")
    near = lcrag("show", place(citation), "--quote", citation["quote"])
    same = at.returncode == near.returncode == 0 and at.stdout == near.stdout
    marked = at.stdout.partition("»")[2].partition("«")[0]  # its first line
    held = same and bool(marked) and " ".join(marked.split()) in " ".join(citation["quote"].split())
    return held, near.stdout or near.stderr


def lcrag(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "lcrag", *words], capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
