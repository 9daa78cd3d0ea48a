"""Indexing with --ray next to indexing without: a cluster of two machines with a processor each, on this machine.

python examples/benchmarks/on_ray.py WORK --megabytes 100 --files 10000

The runs alternate, and the cluster is there before. The processor seconds of a run with --ray are those of Ray's own
processes too, looked at five times a second.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import threading
from pathlib import Path
from typing import Any

import corpus
import psutil
from clock import LCRAG, Run, print_result, run


class Processors:
    """The processor seconds of all descendants of this process, those that have ended included."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[int, float], float] = {}
        threading.Thread(target=self._watch, daemon=True).start()

    def total(self) -> float:
        for process in psutil.Process().children(recursive=True):
            try:
                used = process.cpu_times()
                self._seconds[process.pid, process.create_time()] = used.user + used.system
            except psutil.Error:
                pass  # it has just ended
        return sum(self._seconds.values())

    def _watch(self) -> None:
        while not threading.Event().wait(0.2):
            self.total()


def measured(processors: Processors, command: list[str]) -> Run:
    before = processors.total()
    one = run(command)
    return Run(one.wall, processors.total() - before, one.megabytes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    docs = given.work / f"docs-{given.megabytes:g}"
    if not docs.exists():
        corpus.write(docs, given.megabytes, given.files)
    # The niceness is 15 as a rule, so that other work on the cores would slow --ray alone.
    os.environ.update({"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"})
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    processors = Processors()
    runs: dict[str, list[Run]] = {"plain": [], "ray": []}
    try:
        for number in range(given.repeats):
            for name, more in (("plain", []), ("ray", ["--ray", cluster.address])):
                index = given.work / f"index-{name}"
                shutil.rmtree(index, ignore_errors=True)
                command = [*LCRAG, "index", str(docs), "--index", str(index), "--dense", "off", *more]
                runs[name].append(measured(processors, command))
            print(f"{number + 1} of {given.repeats}", runs["plain"][-1], runs["ray"][-1], file=sys.stderr)
    finally:
        cluster.shutdown()

    def ratio(kind: str) -> dict[str, Any]:
        """Plain over --ray: 1 is as fast, less is slower."""
        pairs = [getattr(a, kind) / getattr(b, kind) for a, b in zip(runs["plain"], runs["ray"], strict=True)]
        return {"median": round(statistics.median(pairs), 3), "pairs": [round(pair, 3) for pair in pairs]}

    seconds = {
        name: {kind: [round(getattr(r, kind), 2) for r in ran] for kind in ("wall", "cpu")}
        for name, ran in runs.items()
    }
    print_result({"seconds": seconds, "speed of --ray": ratio("wall"), "processor time of --ray": ratio("cpu")})
