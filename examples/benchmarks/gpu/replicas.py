"""Questions on one server, on two servers, and on one server over two GPUs, each started by ``lcrag up``.

    python examples/benchmarks/gpu/replicas.py WORK --out replicas.json      two GPUs, about 5 minutes on two H200

Random weights of a real shape: speeds are real, words are noise, so replies end after 32 tokens. "one set": 64
questions over the same 64,000 tokens; "again": 64 others over them, of servers that have read them; "many sets": 4
questions over each of 16 sets of 64,000. With each: seconds, and the share of the prompts' tokens that came from the
prefix cache. The first and the last are asked of emptied caches.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

sys.path.append(str(Path(__file__).parents[1]))

import corpus as documents
import shapes
from asking import Short

from lcrag import batch
from lcrag.backends import open_backend
from lcrag.retrieve.embedder import load_embedder
from lcrag.session import Session
from lcrag.types import Policy, Settings, ignore

WHOLE = Policy(pipeline="full_context")
ASKED = ("Who kept the light?", "When was the ferry put out of service?", "What does a mooring cost?", "Who wrote it?")


def folder(work: Path, number: int) -> Path:
    return work / f"set-{number}"


def settings(work: Path, number: int, urls: str | None) -> Settings:
    return Settings(
        (str(folder(work, number)),),
        index=work / f"index-{number}",
        backend="server" if urls else "embedded",
        base_url=urls,
        writer="off",
        log=False,
    )


def prepare(work: Path, sets: int, tokens: int) -> None:
    for number in range(sets):
        documents.write_tokens(folder(work, number), tokens, 100 * number)
        with Session.open(settings(work, number, None)) as session:
            session.fill()


def forget(urls: str) -> None:
    """Empty the servers' caches."""
    for url in urls.split(","):
        httpx.post(f"{url.removesuffix('/v1')}/reset_prefix_cache", timeout=60, trust_env=False).raise_for_status()


def ask(work: Path, urls: str, jobs: Sequence[tuple[int, str]], workers: int, written: int) -> dict[str, Any]:
    """``jobs``: set and question. The questions of a set come together, as ``batch`` wants them."""
    backend = Short(open_backend(settings(work, 0, urls), ignore, lambda: (None, None)), {"answer": written})
    embedder = load_embedder()
    groups = [[job for job in jobs if job[0] == number] for number in dict.fromkeys(number for number, _ in jobs)]

    @contextmanager
    def worker() -> Iterator[Callable[[tuple[int, str]], Any]]:
        opened: dict[int, Session] = {}

        def answer(job: tuple[int, str]) -> Any:
            number, question = job
            if number not in opened:
                opened[number] = Session.open(settings(work, number, urls), backend=backend)
                opened[number].embedder = embedder
            session = opened[number]
            return session.answer(session.prepare(question, WHOLE), WHOLE)

        yield answer
        for session in opened.values():
            session.close()

    begun, computed = time.perf_counter(), time.process_time()
    for _ in batch.run(groups, worker, workers):
        pass
    seconds, computed = time.perf_counter() - begun, time.process_time() - computed
    new, cached, out = (sum(getattr(one, name) for one in backend.batches) for name in ("new", "cached", "out"))
    return {
        "seconds": seconds,
        "client's processor seconds": computed,
        "workers": workers,
        "questions": len(jobs),
        "new": new,
        "cached": cached,
        "out": out,
        "hit_rate": cached / (new + cached),
    }


def up(model: Path, work: Path, python: str, given: Sequence[str], flags: Sequence[str], window: int) -> str:
    """The addresses of what ``lcrag up`` starts, with commas between them."""
    env = os.environ | {"VLLM_SERVER_DEV_MODE": "1"}
    command = [sys.executable, "-m", "lcrag", "up", str(model), "--python", python, "--window", str(window), *given]
    command += ["--", "--load-format", "dummy", *flags]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return ",".join(done.stdout.split())


def down() -> None:
    subprocess.run([sys.executable, "-m", "lcrag", "down"], check=False, capture_output=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, default=Path("replicas.json"))
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has vLLM")
    parser.add_argument("--shape", default="7b", choices=shapes.SHAPES)
    parser.add_argument("--tokens", type=int, default=64_000)
    parser.add_argument("--window", type=int, default=80_000)
    parser.add_argument("--sets", type=int, default=16)
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--workers", default="8,32", help="questions at a time; many sets: the last")
    parser.add_argument("--flags", default="")
    parser.add_argument("--setups", default="replicas,tensor")
    given = parser.parse_args()
    work = given.work.resolve()
    model = work / f"shape-{given.shape}"
    model.mkdir(parents=True, exist_ok=True)
    for name in ("CONFIG", "STATE", "CACHE"):
        os.environ.setdefault(f"XDG_{name}_HOME", str(work / name.lower()))
    shapes.make(given.shape, model)
    prepare(work, given.sets, given.tokens)
    one = [(0, f"{ASKED[n % 4][:-1]} by page {n}?") for n in range(given.questions)]
    many = [
        (number, f"{ASKED[n % 4][:-1]} by page {n}?")
        for number in range(given.sets)
        for n in range(given.questions // given.sets)
    ]
    others = [(0, f"{ASKED[n % 4][:-1]} by line {n}?") for n in range(given.questions)]
    workers = [int(number) for number in given.workers.split(",")]
    found: dict[str, Any] = {"shape": given.shape, "tokens": given.tokens, "when": time.strftime("%Y-%m-%d")}

    def part(name: str, urls: str) -> None:
        def timed(kind: str, jobs: Sequence[tuple[int, str]], at_once: int) -> None:
            found[f"{name}, {kind}"] = ask(work, urls, jobs, at_once, 32)
            given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(name, kind, found[f"{name}, {kind}"], file=sys.stderr, flush=True)

        for at_once in workers:
            forget(urls)
            timed(f"one set, {at_once} at a time", one, at_once)
            timed(f"again, {at_once} at a time", others, at_once)
        forget(urls)
        timed("many sets", many, workers[-1])

    for setup in given.setups.split(","):
        try:
            options = ["--replicas", "2"] if setup == "replicas" else ["--tensor-parallel", "2"]
            begun = time.perf_counter()
            urls = up(model, work, given.python, options, given.flags.split(), given.window)
            found[f"{setup}: up"] = time.perf_counter() - begun
            if setup == "replicas":
                part("one server", urls.split(",")[0])
                part("two servers", urls)
            else:
                part("one server over two GPUs", urls)
        except Exception:  # noqa: BLE001  written to the results: a rented machine does not wait
            found[f"{setup}: failed"] = traceback.format_exc()[-2000:]
            print(found[f"{setup}: failed"], file=sys.stderr, flush=True)
        finally:
            down()
            given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return int(any("failed" in name for name in found))


if __name__ == "__main__":
    sys.exit(main())
