"""Documents to measure on: as many megabytes as asked, always the same for the same numbers.

Random sentences of the Saltmarsh collection in examples/saltmarsh, different in every file. Every fourth has a new
word, so that the vocabulary grows with the text as in real collections, and no two files are alike.

    python examples/benchmarks/corpus.py FOLDER --megabytes 100 --files 10000
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "saltmarsh"
PARTS, CHARACTERS = 8, 3.45
"""Documents of ``write_tokens``, and characters for a token of them in a prompt."""


def sentences() -> list[str]:
    """What the documents are made of: the collection's own sentences of ordinary length."""
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in sorted(SOURCE.glob("*.md")) + sorted(SOURCE.glob("*.txt"))
    )
    found = (" ".join(piece.split()) for piece in re.split(r"(?<=[.!?])\s+|\n{2,}", text))
    return sorted({piece for piece in found if 40 <= len(piece) <= 240 and piece[-1] in ".!?" and "|" not in piece})


def document(pool: list[str], characters: int, seed: int) -> str:
    """Markdown of about that many characters: a title, sections, paragraphs of three to seven sentences."""
    return "".join(_paragraphs(pool, characters, random.Random(seed)))


def _paragraphs(pool: list[str], characters: int, r: random.Random) -> Iterator[str]:
    begin = f"# Papers of box {r.randrange(10**6)}\n\n"
    left = characters - len(begin)
    yield begin
    for number in range(10**9):
        if left <= 0:
            return
        heading = f"## Part {number // 6 + 1}\n\n" if number % 6 == 0 else ""
        said = r.choices(pool, k=r.randint(3, 7))
        said[0] = f"{said[0][:-1]}, as {_word(r)} has it."
        paragraph = f"{heading}{' '.join(said)}\n\n"
        left -= len(paragraph)
        yield paragraph


def _word(r: random.Random) -> str:
    """A name that nobody has used: two to four syllables."""
    return "".join(r.choice("bdfghklmnprstvw") + r.choice("aeiou") for _ in range(r.randint(2, 4))).capitalize()


def write(folder: Path, megabytes: float, files: int, seed: int = 0) -> None:
    """Fill ``folder`` with that many files of equal size, a thousand a folder."""
    pool = sentences()
    each = int(megabytes * 1e6 / files)
    for number in range(files):
        path = folder / f"{number // 1000:03}" / f"{number:06}.md"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document(pool, each, seed * 10**6 + number), encoding="utf-8")


def write_tokens(folder: Path, tokens: int, seed: int) -> None:
    """Write eight documents into ``folder`` that have about that many tokens together in a prompt, fences included."""
    folder.mkdir(parents=True, exist_ok=True)
    pool = sentences()
    for number in range(PARTS):
        text = document(pool, int(tokens * CHARACTERS / PARTS), seed + number)
        (folder / f"{number}.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=float, required=True)
    parser.add_argument("--files", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    write(given.folder, given.megabytes, given.files, given.seed)
