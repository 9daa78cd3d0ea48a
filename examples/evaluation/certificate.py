"""How reliable is "not in these documents" when not everything was read? Reported coverage against the truth.

    python examples/evaluation/certificate.py DIR... [--dense off] [--index FOLDER]

Each DIR is a dataset as lcrag.comparison.dataset reads it. For each question with known evidence, and each budget of
chunk_rag that is smaller than the corpus, it compares the coverage that ``lcrag ask`` would report with whether the
evidence really is within that budget. For each threshold it prints how many pairs of question and budget reach it, and
in how many of these the evidence had been read. The estimator's weights were fitted on questions like these;
``examples/estimator/evaluate.py`` reports how it does on documents that it has not seen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from gold import rank_questions

from lcrag.comparison.dataset import load
from lcrag.pipelines.chunk_rag import BUDGETS
from lcrag.planning.estimate import estimate
from lcrag.retrieve.embedder import load_embedder

THRESHOLDS = (0.7, 0.8, 0.9, 0.95, 0.98)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--dense", choices=("auto", "off"), default="auto")
    parser.add_argument("--index", type=Path, help="keep the indexes in this folder")
    options = parser.parse_args()
    embedder = None if options.dense == "off" else load_embedder()
    pairs: list[tuple[str, float, bool]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for folder in options.folders:
            for _, ranking, gold in rank_questions(load(folder), embedder, options.index or Path(scratch)):
                estimated = estimate(ranking)
                for budget in BUDGETS:
                    if gold is not None and budget < ranking.size.tokens:
                        pairs.append((folder.name, estimated.covered(budget), gold.covered(budget)))
    print(f"{'':16}" + "".join(f"{'at ' + str(threshold):>18}" for threshold in THRESHOLDS))
    for name in [*sorted({folder for folder, _, _ in pairs}), "all"]:
        cells = []
        for threshold in THRESHOLDS:
            read = [truth for folder, p, truth in pairs if name in (folder, "all") and p >= threshold]
            cells.append(f"{sum(read) / len(read):.3f} of {len(read)}" if read else "–")
        print(f"{name:16}" + "".join(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    main()
