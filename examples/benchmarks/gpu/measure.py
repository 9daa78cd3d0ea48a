"""What lcrag adds to vLLM on a GPU, what its routes cost there, and how far all of it is from what the chip can do.

    python examples/benchmarks/gpu/measure.py WORK --out results.json      about 8 minutes on one H100

Five parts (see examples/benchmarks/README.md): first (time to the first token against the same ids sent raw), agents
(chain of agents against the whole in one prompt), batch (64 questions together and one by one), cost (the cost model
against 40 asks), limit (arithmetic and bandwidth). Each result is written as soon as it is
measured; a part that fails is written with its error and the next one starts, because a rented machine does not wait.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

sys.path.append(str(Path(__file__).parents[1]))

import corpus as documents
import shapes
from asking import Raw, Short, start, stop

from lcrag import batch
from lcrag.backends.openai_server import OpenAIServer
from lcrag.calibrate.cost import fit_cost, measure_cost
from lcrag.calibrate.probes import EnglishProbes
from lcrag.pipelines import PIPELINES, ChainOfAgents, FullContext, Pipeline, Run
from lcrag.session import Session
from lcrag.types import CostModel, Policy, Settings, ignore

ASKED = (
    "Who kept the light on the Calf?",
    "When was the ferry put out of service?",
    "What does the harbour charge for a mooring?",
    "Which wreck lies nearest to the bar?",
    "How many walks start at the mill?",
    "Who wrote to the curator?",
)
WHOLE = Policy(pipeline="full_context")


class Measuring:
    """One server, the documents by size, and what was found. ``sizes``: tokens of document text."""

    def __init__(self, work: Path, sizes: Sequence[int], found: dict[str, Any], out: Path, seconds: float) -> None:
        self.work = work
        self.sizes = sizes
        self.found = found
        self.out = out
        self.until = time.perf_counter() + seconds
        self.client = httpx.Client(timeout=600.0, trust_env=False)

    def part(self, name: str, measure: Callable[[], Any]) -> None:
        begun = time.perf_counter()
        try:
            value = measure() if begun < self.until else {"failed": "no time was left"}
        except Exception:  # noqa: BLE001  written to the results, and the exit code is 1
            value = {"failed": traceback.format_exc()}
            print(value["failed"], file=sys.stderr)
        self.found[name] = value
        self.found.setdefault("seconds", {})[name] = round(time.perf_counter() - begun, 1)
        self._write()
        print(f"{name}: {self.found['seconds'][name]} s", file=sys.stderr, flush=True)

    def _write(self) -> None:
        self.out.write_text(json.dumps(self.found, indent=1) + "\n", encoding="utf-8")

    def folder(self, tokens: int) -> Path:
        return self.work / f"docs-{tokens}"

    def prepare(self) -> None:
        """Write the documents and their indexes, vectors included."""
        for tokens in self.sizes:
            documents.write_tokens(self.folder(tokens), tokens, tokens)
            with Session.open(self._settings(tokens, "embedded")) as session:
                session.fill()

    def _settings(self, tokens: int, backend: str, url: str | None = None) -> Settings:
        folder = self.folder(tokens)
        return Settings((str(folder),), index=self.work / f"index-{tokens}", backend=backend, base_url=url)

    @contextmanager
    def session(
        self, tokens: int, url: str, server: OpenAIServer | None = None, **spoken: int
    ) -> Iterator[tuple[Session, Short]]:
        backend = Short(server or OpenAIServer(url))
        backend.spoken.update(spoken)
        with Session.open(self._settings(tokens, "server", url), backend=backend) as session:
            yield session, backend

    def raw(self, url: str) -> Raw:
        return Raw(url, OpenAIServer(url).model, self.client)

    # --- 1

    def first(self, url: str, repeats: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for tokens in self.sizes:
            found.append(self._first(tokens, url, repeats))
            self.found["first"] = found
            self._write()
        return found

    def _first(self, tokens: int, url: str, repeats: int) -> dict[str, Any]:
        raw = self.raw(url)
        ours: dict[str, list[float]] = {"first": [], "second": []}
        theirs: dict[str, list[float]] = {"first": [], "second": [], "text": []}
        parts: list[dict[str, float]] = []
        length = 0
        for _ in range(max(1, repeats // 3) if tokens > 60_000 else repeats):  # 128k cold takes 8 s on one H100
            raw.forget()
            with self.session(tokens, url, answer=1) as (session, backend):
                session.prepare(ASKED[0], WHOLE)  # loads the embedding model; asks no model
                for place in ("first", *["second"] * repeats):
                    question = ASKED[len(ours["second"]) % 5 + (place == "second")]
                    begun = time.perf_counter()
                    prepared = session.prepare(question, WHOLE)
                    planned = time.perf_counter()
                    session.answer(prepared, WHOLE)
                    ours[place].append(time.perf_counter() - begun)
                    served = backend.batches[-1]
                    parts.append(
                        {
                            "plan": planned - begun,
                            "prompt": ours[place][-1] - (planned - begun) - served.seconds,
                            "server": served.seconds,
                            "new": served.new,
                            "cached": served.cached,
                        }
                    )
                    task = backend.tasks[0]
                    if place == "first":
                        head = task
                ids = raw.ids(head)
                length = len(ids)
                raw.forget()
                theirs["first"] += raw.seconds(ids)
                raw.forget()
                theirs["text"].append(raw.seconds_of_text(head)[-1])
                for again in range(repeats):
                    other = raw.ids(type(task)(task.role, ASKED[1 + again % 5], task.passages))
                    theirs["second"] += raw.seconds(other)
        return {
            "tokens": length,
            "raw": {place: _spread(values) for place, values in theirs.items()},
            "session": {place: _spread(values) for place, values in ours.items()},
            "parts": parts,
            "process": [self._process(tokens, url, ASKED[n % 6], cold=n == 0) for n in range(1 + min(3, repeats))],
        }

    def _process(self, tokens: int, url: str, question: str, *, cold: bool) -> dict[str, Any]:
        """``lcrag ask`` from the shell's view: seconds to each kind of event, the first token's last."""
        if cold:
            self.raw(url).forget()
        command = [sys.executable, "-m", "lcrag", "ask", str(self.folder(tokens)), question, "--ndjson", "--no-log"]
        command += ["--index", str(self.work / f"index-{tokens}"), "--pipeline", "full_context"]
        command += ["--backend", "server", "--base-url", url]
        begun = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            seen: dict[str, Any] = {"cold": cold}
            assert process.stdout is not None
            for line in process.stdout:
                kind = json.loads(line)["event"]
                seen.setdefault(kind, round(time.perf_counter() - begun, 4))
                if kind in ("token", "answer", "error"):
                    break
            process.terminate()
        return seen

    # --- 2

    def agents(self, tokens: int, url: str, worker_tokens: Sequence[int]) -> dict[str, Any]:
        question = "What is told of each boat, and by whom?"
        found = {}
        with self.session(tokens, url, answer=128) as (session, backend):
            ranking = session.rank(question)
            routes: dict[str, Pipeline] = {"full_context": FullContext()}
            for worker in worker_tokens:
                routes[f"tree {worker}"] = ChainOfAgents(worker, "tree")
                routes[f"sequential {worker}"] = ChainOfAgents(worker, "sequential")
            for name, route in routes.items():
                self.raw(url).forget()
                backend.batches.clear()
                begun = time.perf_counter()
                answer = route.answer(Run(question, session.corpus, ranking, backend, session.reranker))
                seconds = time.perf_counter() - begun
                used = asdict(answer.usage) | {"seconds": seconds, "batches": len(backend.batches)}
                found[name] = used | {"longest": max(one.seconds for one in backend.batches)}
        return found

    # --- 3

    def batch(self, tokens: int, url: str, count: int, written: int) -> dict[str, Any]:
        questions = [f"{ASKED[n % 6][:-1]} according to page {n}?" for n in range(count)]
        found: dict[str, Any] = {}
        with self.session(tokens, url, answer=written) as (session, backend):
            for name, workers in (("together", 8), ("sixteen", 16), ("one by one", 1)):
                self.raw(url).forget()
                backend.batches.clear()
                begun = time.perf_counter()
                self._all(session, questions, workers)
                seconds = time.perf_counter() - begun
                new = sum(one.new for one in backend.batches)
                cached = sum(one.cached for one in backend.batches)
                out = sum(one.out for one in backend.batches)
                found[name] = {"seconds": seconds, "new": new, "cached": cached, "out": out}
                found[name]["hit_rate"] = cached / (new + cached)
        return found

    @staticmethod
    def _all(session: Session, questions: Sequence[str], workers: int) -> None:
        @contextmanager
        def worker() -> Iterator[Callable[[str], Any]]:
            if workers == 1:
                yield lambda one: session.answer(session.prepare(one, WHOLE), WHOLE)
                return
            with session.fork() as other:
                yield lambda one: other.answer(other.prepare(one, WHOLE), WHOLE)

        for _ in batch.run([questions], worker, workers):
            pass

    # --- 4

    def cost(self, url: str, longest: int, count: int) -> dict[str, Any]:
        server = OpenAIServer(url)
        begun = time.perf_counter()
        cost = fit_cost(measure_cost(server, EnglishProbes(server), ignore, longest=longest, quick=True))
        fitting = time.perf_counter() - begun
        return {"model": asdict(cost), "seconds_to_fit": fitting, "asks": list(self._asks(url, server, cost, count))}

    def _asks(self, url: str, server: OpenAIServer, cost: CostModel, count: int) -> Iterator[dict[str, Any]]:
        """Asks of all kinds: whole and by chunks, cold and warm, short answers and longer ones, alone and many."""
        routes: list[tuple[str, dict[str, Any]]] = [
            ("full_context", {}),
            ("chunk_rag", {"tokens": 1000}),
            ("chunk_rag", {"tokens": 4000}),
            ("chunk_rag", {"tokens": 16000}),
            ("chain_of_agents", {"worker_tokens": 8000, "mode": "tree"}),
        ]
        for number in range(count):
            name, options = routes[number % len(routes)]
            tokens = self.sizes[number // len(routes) % min(3, len(self.sizes))]
            if number // len(routes) % 4 < 2:
                self.raw(url).forget()
            with self.session(tokens, url, server, answer=(16, 64, 192)[number % 3]) as (session, backend):
                ranking = session.rank(ASKED[number % 6])
                backend.count_many([chunk.text for chunk in session.corpus.chunks()])  # not the model's time
                route = PIPELINES[name](**options)
                answer = route.answer(Run(ASKED[number % 6], session.corpus, ranking, backend, session.reranker))
                forecast = sum(
                    cost.seconds(
                        batch.new / batch.calls, batch.cached / batch.calls, batch.out / batch.calls, batch.calls
                    )
                    for batch in backend.batches
                )
                taken = sum(batch.seconds for batch in backend.batches)
            yield {
                "route": name,
                "options": options,
                "corpus": tokens,
                "batches": len(backend.batches),
                "input": answer.usage.input_tokens,
                "cached": answer.usage.cached_tokens,
                "output": answer.usage.output_tokens,
                "seconds": taken,
                "forecast": forecast,
                "error": abs(forecast - taken) / taken,
            }

    # --- 5

    def decode(self, url: str, written: int) -> list[dict[str, Any]]:
        """Seconds a token, written alone after a prompt that is cached."""
        raw = self.raw(url)
        found = []
        for tokens in self.sizes:
            with self.session(tokens, url, answer=1) as (session, backend):
                session.ask(ASKED[0], WHOLE)
                ids = raw.ids(backend.tasks[0])
            raw.seconds(ids)
            times = raw.seconds(ids, written)
            found.append({"tokens": len(ids), "seconds_a_token": (times[-1] - times[0]) / max(1, len(times) - 1)})
        return found


def chip() -> dict[str, float]:
    """What the GPU reaches: operations a second of a bf16 matrix product, bytes a second read (a sum over memory)."""
    program = (
        "import json, time, torch\n"
        "a, b = (torch.randn(8192, 8192, device='cuda', dtype=torch.bfloat16) for _ in 'ab')\n"
        "x = torch.randn(2**30, device='cuda', dtype=torch.bfloat16)\n"
        "def best(f, n):\n"
        "    for _ in range(3): f()\n"
        "    found = []\n"
        "    for _ in range(5):\n"
        "        torch.cuda.synchronize(); t = time.perf_counter()\n"
        "        for _ in range(n): f()\n"
        "        torch.cuda.synchronize(); found.append((time.perf_counter() - t) / n)\n"
        "    return sorted(found)[2]\n"
        "print(json.dumps({'flops': 2 * 8192**3 / best(lambda: a @ b, 20), 'bytes': 2 * x.numel() / best(lambda: "
        "x.max(), 20), 'device': torch.cuda.get_device_name()}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    value: dict[str, float] = json.loads(done.stdout)
    return value


def limits(found: dict[str, Any], shape: str) -> dict[str, Any]:
    """The fewest seconds that the chip's own rates allow, next to those measured."""
    rates = found["chip"]
    prefill = [
        {
            "tokens": one["tokens"],
            "least": shapes.prefill_flops(shape, one["tokens"]) / rates["flops"],
            "raw": one["raw"]["first"]["median"],
            "ours": one["session"]["first"]["median"],
        }
        for one in found.get("first", ())
    ]
    decode = [
        {
            "tokens": one["tokens"],
            "least": shapes.decode_bytes(shape, one["tokens"]) / rates["bytes"],
            "measured": one["seconds_a_token"],
        }
        for one in found.get("decode", ())
    ]
    return {"prefill": prefill, "decode": decode}


def _spread(values: Sequence[float]) -> dict[str, Any]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "n": len(values)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("work", type=Path, help="a folder for models, documents and indexes")
    parser.add_argument("--out", type=Path, default=Path("results.json"))
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has vLLM")
    parser.add_argument("--shape", default="7b", choices=shapes.SHAPES)
    parser.add_argument("--small", default="0.5b", help='the shape for many workers; "" for none')
    parser.add_argument("--sizes", default="8000,32000,64000,128000", help="tokens of document text, rising")
    parser.add_argument("--window", type=int, default=143_360)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--parts", default="first,decode,agents,batch,cost,small", help="in the order given")
    parser.add_argument("--asks", type=int, default=40)
    parser.add_argument(
        "--kv-gigabytes", type=float, default=24.0, help="KV cache of the larger model; 0: vLLM decides"
    )
    parser.add_argument("--seconds", type=float, default=500.0, help="after these no further part begins")
    parser.add_argument("--flags", default="", help="more flags for vLLM, in one string")
    given = parser.parse_args()
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    for name in ("CONFIG", "STATE", "CACHE"):
        os.environ.setdefault(f"XDG_{name}_HOME", str(work / name.lower()))
    sizes = [int(size) for size in given.sizes.split(",")]
    found: dict[str, Any] = {"shape": given.shape, "window": given.window, "when": time.strftime("%Y-%m-%d")}
    m = Measuring(work, sizes, found, given.out, given.seconds)
    waits = {}
    try:
        for shape, port, share in ((given.shape, 8101, 1.0), (given.small, 8102, 0.25)):
            if shape:
                folder = work / f"shape-{shape}"
                folder.mkdir(exist_ok=True)
                shapes.make(shape, folder)
                waits[port] = start(
                    folder,
                    work,
                    port=port,
                    window=given.window,
                    python=given.python,
                    kv_bytes=int(given.kv_gigabytes * share * 1e9),
                    flags=given.flags.split(),
                )
        m.part("chip", chip)
        m.part("documents", m.prepare)
        url = ""

        def up() -> str:
            nonlocal url
            url = waits[8101]()
            return url

        m.part("up", up)
        m.raw(url).seconds(list(range(1000, 1600)), 8)
        parts: dict[str, Callable[[], Any]] = {
            "first": lambda: m.first(url, given.repeats),
            "decode": lambda: m.decode(url, 48),
            "agents": lambda: m.agents(sizes[-1], url, [8000]),
            "batch": lambda: m.batch(sizes[-2], url, given.questions, 32),
            "cost": lambda: m.cost(url, sizes[-1], given.asks),
            "small": lambda: m.agents(sizes[-1], waits[8102](), [2000]),
        }
        for name in given.parts.split(","):
            if name != "small" or given.small:
                m.part(name, parts[name])
        m.part("limit", lambda: limits(found, given.shape))
    finally:
        for port in waits:
            stop(work, port)
    return int(any(isinstance(value, dict) and "failed" in value for value in found.values()))


if __name__ == "__main__":
    sys.exit(main())
