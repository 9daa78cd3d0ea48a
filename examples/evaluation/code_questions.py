"""Does a question in words find the function? Asked of a copy of this repository's own package.

    python examples/evaluation/code_questions.py [--questions 480] [--tokens 1000,4000] [--half test|choice]

A question is the first sentence of a function's docstring, which is removed from the copy; it does not say the
function's name. Its evidence is the whole function. The copy is indexed twice: as it is ("units"), and with a suffix
for which there is no grammar ("lines"), so that it is split at blank lines and lines. For every k it prints the share
of questions whose evidence is wholly within the first k tokens in rank order. Settings were chosen on one half of the
questions, by a hash; the other half is reported.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from retrieval import measure, parse_numbers, shares
from scipy.stats import binomtest

import lcrag
from lcrag.comparison.dataset import Question, Span
from lcrag.retrieve.embedder import load_embedder

PACKAGE = Path(lcrag.__file__).parent
LEAST_WORDS = 6
"""Of a question; a shorter sentence says too little."""
SUFFIXES = {"lines": ".lines", "units": ".py"}


@dataclass(frozen=True, slots=True)
class Function:
    """A function with a docstring, in lines from 1: its own, and those of the docstring."""

    file: Path
    first: int
    last: int
    docstring: tuple[int, int]
    question: str

    @property
    def id(self) -> str:
        return f"{self.file}:{self.question}"

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(self.id.encode()).digest()


def main() -> None:
    options = parse()
    chosen = sorted(functions(PACKAGE), key=lambda function: function.hash)[: options.questions]
    embedder = load_embedder(None)
    needs = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, suffix in SUFFIXES.items():
            folder = Path(scratch) / name / PACKAGE.name
            questions = list(copy(chosen, folder, suffix))
            half = [question for question in questions if is_for_choice(question) == (options.half == "choice")]
            needs[name] = measure(half, embedder, Path(scratch) / "indexes", fill=True)["fused"]
    print(f"{'split into':10} {'n':>4} " + " ".join(f"{tokens:>6}" for tokens in options.tokens))
    for name, read in needs.items():
        print(
            f"{name:10} {len(read):>4} " + " ".join(f"{share:6.2f}" for share in shares(read, options.tokens).values())
        )
    for tokens in options.tokens:
        pairs = [
            tuple(need is not None and need <= tokens for need in pair)
            for pair in zip(needs["lines"], needs["units"], strict=True)
        ]
        won, lost = pairs.count((False, True)), pairs.count((True, False))
        p = binomtest(won, won + lost).pvalue if won + lost else 1.0
        print(f"within {tokens}: {won} only with units, {lost} only with lines (sign test: p = {p:.3f})")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--questions", type=int, default=480)
    parser.add_argument("--tokens", type=parse_numbers, default=parse_numbers("500,1000,2000,4000"))
    parser.add_argument("--half", choices=("test", "choice"), default="test")
    return parser.parse_args()


def functions(folder: Path) -> Iterator[Function]:
    """Those whose docstring asks something, and which do something."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not (said := ast.get_docstring(node)):
                continue
            question = " ".join(re.split(r"(?<=[.;:])\s|\n\n", said)[0].split()).rstrip(".;:")
            docstring, *body = node.body
            does_nothing = all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in body)
            is_named = re.search(rf"\b{node.name}\b", question) is not None
            if does_nothing or is_named or len(question.split()) < LEAST_WORDS:
                continue
            lines = docstring.lineno, docstring.end_lineno or 0
            yield Function(file.relative_to(folder), node.lineno, node.end_lineno or 0, lines, question)


def copy(chosen: list[Function], folder: Path, suffix: str) -> Iterator[Question]:
    """Write the package without the docstrings of the chosen functions; yields their questions on the copy."""
    for source in sorted(PACKAGE.rglob("*.py")):
        name = source.relative_to(PACKAGE)
        target = (folder / name).with_suffix(suffix)
        target.parent.mkdir(parents=True, exist_ok=True)
        of_file = [function for function in chosen if function.file == name]
        removed = {line for function in of_file for line in range(function.docstring[0], function.docstring[1] + 1)}
        lines = source.read_text().splitlines(keepends=True)
        kept = ["" if line in removed else text for line, text in enumerate(lines, 1)]
        target.write_text("".join(kept))
        for function in of_file:
            start = sum(map(len, kept[: function.first - 1]))
            length = len("".join(kept[function.first - 1 : function.last]).rstrip())
            evidence = (Span(target, start, start + length),)
            yield Question(function.id, PACKAGE.name, function.question, (), (folder,), evidence, unanswerable=False)


def is_for_choice(question: Question) -> bool:
    """Whether settings were chosen on it: half of the questions, by a hash."""
    return hashlib.sha256(f"half {question.id}".encode()).digest()[0] < 128


if __name__ == "__main__":
    main()
