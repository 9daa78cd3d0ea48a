"""Indexing: a fresh index, one whose files have not changed, one of whose files has; and llama-index on the same files.

python examples/benchmarks/ingest.py WORK --peer-python PYTHON      PYTHON: one that has llama-index-core and
                                                                    llama-index-readers-file

llama-index reads and splits, but writes no index. It gets a tenth of the files, because it takes longer. The ratio is
of MB/s; its runs alternate with those of lcrag.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import corpus
from clock import LCRAG, median, print_result, run

PEER = (
    "import sys\n"
    "from llama_index.core import SimpleDirectoryReader\n"
    "from llama_index.core.node_parser import SentenceSplitter\n"
    "read = SimpleDirectoryReader(sys.argv[1], recursive=True).load_data()\n"
    "print(len(SentenceSplitter().get_nodes_from_documents(read)))\n"
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--peer-python")
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    docs, tenth = given.work / "docs", given.work / "tenth"
    if not docs.exists():
        corpus.write(docs, given.megabytes, given.files)
        corpus.write(tenth, given.megabytes / 10, given.files // 10)
    index = given.work / "index"
    command = [*LCRAG, "index", str(docs), "--index", str(index), "--dense", "off"]
    runs = {"fresh": [], "unchanged": [], "one changed": [], "llama-index, a tenth": []}
    for number in range(given.repeats):
        shutil.rmtree(index, ignore_errors=True)
        runs["fresh"].append(run(command))
        runs["unchanged"].append(run(command))
        one = next(docs.rglob("*.md"))
        one.write_text(one.read_text(encoding="utf-8") + f"\nChanged {number}.\n", encoding="utf-8")
        runs["one changed"].append(run(command))
        if given.peer_python:
            runs["llama-index, a tenth"].append(
                run([given.peer_python, "-c", PEER, str(tenth)], {"HF_HUB_OFFLINE": "1"})
            )
        print(f"{number + 1} of {given.repeats}", file=sys.stderr)
    figures = {name: median(ran) for name, ran in runs.items() if ran}
    size = sum(path.stat().st_size for path in index.iterdir()) / sum(p.stat().st_size for p in docs.rglob("*.md"))
    more = {"index over text": round(size, 2), "MB/s": round(given.megabytes / figures["fresh"]["wall"], 2)}
    if given.peer_python:
        theirs = figures["llama-index, a tenth"]
        for kind in ("wall", "cpu"):
            more[f"times llama-index, {kind}"] = round(10 * theirs[kind] / figures["fresh"][kind], 2)
    print_result({"runs": figures, **more})
