"""The GPU benchmark asks every route through the server as it should; speeds are the GPU's business."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.faulty_server import faulty_server

ROOT = Path(__file__).parents[2]
MEASURE = """
import sys
from pathlib import Path
import measure
work, url = Path(sys.argv[1]), sys.argv[2]
measuring = measure.Measuring(work, [800, 1600], {}, work / "results.json", 300)
measure.Raw.forget = lambda raw: None
measuring.part("documents", measuring.prepare)
measuring.part("agents", lambda: measuring.agents(1600, url, [500]))
measuring.part("batch", lambda: measuring.batch(800, url, 4, 8))
measuring.part("cost", lambda: measuring.cost(url, 1600, 5))
"""


@pytest.mark.slow
def test_measure_asks_every_route_through_the_server(tmp_path: Path) -> None:
    folders = [ROOT, ROOT / "examples/benchmarks", ROOT / "examples/benchmarks/gpu"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    with faulty_server(window=200_000, delay=0.01) as server:
        command = [sys.executable, "-W", "error", "-c", MEASURE, str(tmp_path), server.url]
        completed = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert completed.returncode == 0, completed.stderr
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["agents"].keys() == {"full_context", "tree 500", "sequential 500"}
    assert results["agents"]["sequential 500"]["batches"] > results["agents"]["tree 500"]["batches"] > 1
    assert results["batch"].keys() == {"together", "sixteen", "one by one"}
    assert [ask["route"] for ask in results["cost"]["asks"]].count("chunk_rag") == 3
