"""`lcrag serve` under load: many clients that each ask the next question as soon as they have an answer.

    python examples/benchmarks/serve.py --clients 32 --seconds 30 -- --backend embedded --writer off

First one client alone, so that what the server adds to the backend's own seconds is seen. What follows `--` goes to
`lcrag serve`. Prints JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

EXAMPLES = Path(__file__).parent.parent


@contextmanager
def server(documents: str, flags: Sequence[str]) -> Iterator[httpx.Client]:
    """The server in a process of its own, on a free port."""
    command = [sys.executable, "-m", "lcrag", "serve", documents, "--port", "0", "--no-token", *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = next((line for line in process.stderr if line.startswith("listening on ")), "")
        if not line:
            raise SystemExit("the server did not start")
        try:
            with httpx.Client(
                base_url=line.split()[-1], timeout=600, limits=httpx.Limits(max_connections=None)
            ) as client:
                yield client
        finally:
            process.terminate()


def ask(client: httpx.Client, question: str) -> tuple[int, float, float]:
    """Status, seconds of the request, and of these what the backend took."""
    begun = time.perf_counter()
    reply = client.post("/ask", json={"question": question})
    seconds = time.perf_counter() - begun
    return reply.status_code, seconds, reply.json()["usage"]["seconds"] if reply.is_success else 0.0


def crowd(
    client: httpx.Client, questions: Sequence[str], clients: int, seconds: float
) -> list[tuple[int, float, float]]:
    """What all clients saw; each starts its last question before the time is over."""
    results: list[tuple[int, float, float]] = []
    turns = itertools.cycle(questions)
    lock = threading.Lock()
    end = time.monotonic() + seconds

    def work() -> None:
        while time.monotonic() < end:
            with lock:
                question = next(turns)
            results.append(ask(client, question))

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def summary(results: Sequence[tuple[int, float, float]]) -> dict[str, object]:
    """Of the answered: quantiles of the request, and of what is not the backend's own time."""
    whole = sorted(seconds for status, seconds, _ in results if status == 200)
    added = sorted(seconds - backend for status, seconds, backend in results if status == 200)
    return {
        "n": len(results),
        "errors": sum(status != 200 for status, _, _ in results),
        "p50": round(statistics.median(whole), 4),
        "p95": round(whole[int(0.95 * (len(whole) - 1))], 4),
        "p95_over_p50": round(whole[int(0.95 * (len(whole) - 1))] / statistics.median(whole), 2),
        "added_p50": round(statistics.median(added), 4),
        "added_p95": round(added[int(0.95 * (len(added) - 1))], 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--documents", default=str(EXAMPLES / "saltmarsh"))
    parser.add_argument("--questions", type=Path, default=EXAMPLES / "saltmarsh-questions.jsonl")
    parser.add_argument("flags", nargs="*", help="for lcrag serve, after --")
    args = parser.parse_args()
    lines = args.questions.read_text(encoding="utf-8").splitlines()
    questions = [str(json.loads(line)["question"]) for line in lines]
    with server(args.documents, args.flags) as client:
        alone = [ask(client, question) for question in (*questions, *questions)][len(questions) :]
        together = crowd(client, questions, args.clients, args.seconds)
    report = {
        "load": os.getloadavg()[0],
        "processors": os.cpu_count(),
        "clients": args.clients,
        "one client, second round": summary(alone),
        "all clients": summary(together),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
