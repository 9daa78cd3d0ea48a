"""Commands by the clock: wall, processor time and the memory of the whole process tree; medians as one JSON object."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

LCRAG = (sys.executable, "-m", "lcrag")


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds by the wall and of processors, and the most MB that the command and its children held together."""

    wall: float
    cpu: float
    megabytes: float
    memory: tuple[tuple[float, float], ...] = ()


def run(
    command: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    every: float = 0.02,
    allowed: Sequence[int] = (0,),
) -> Run:
    """One run of a command that ends with an ``allowed`` code; what it prints is dropped. ``memory``: MB by seconds."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    curve: list[tuple[float, float]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every):
            curve.append((round(time.perf_counter() - begun, 3), tree_megabytes(process.pid)))

    watching = threading.Thread(target=watch)
    watching.start()
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    over.set()
    watching.join()
    if process.returncode not in allowed:
        raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}\n{errors.decode()[-2000:]}")
    most = max([used.ru_maxrss / 1024, *(megabytes for _, megabytes in curve)])
    return Run(wall, used.ru_utime + used.ru_stime, most, tuple(curve))


def tree_megabytes(pid: int) -> float:
    """Resident memory of a process and its children; what they share counts for each."""
    total = 0.0
    try:
        total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(tree_megabytes(int(child)) for child in (task / "children").read_text().split())
    except (OSError, ValueError, IndexError):
        pass  # the process has ended
    return total


def median(runs: Sequence[Run]) -> dict[str, Any]:
    walls = [run.wall for run in runs]
    return {
        "wall": round(statistics.median(walls), 4),
        "low": round(min(walls), 4),
        "high": round(max(walls), 4),
        "cpu": round(statistics.median(run.cpu for run in runs), 4),
        "megabytes": round(max(run.megabytes for run in runs)),
        "n": len(runs),
    }


def print_result(figures: dict[str, Any]) -> None:
    """Print the figures, with the machine and its load."""
    machine = {"cores": os.cpu_count(), "load": [round(one, 1) for one in os.getloadavg()], "python": sys.version[:6]}
    print(json.dumps({"machine": machine, **figures}, indent=1, default=asdict))
