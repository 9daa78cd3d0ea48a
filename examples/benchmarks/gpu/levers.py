"""What vLLM's own levers change, one server after another with the same shape and random weights.

    python examples/benchmarks/gpu/levers.py WORK --out levers.json      about 2 minutes a lever on one H200

For each: tokens that the KV cache holds, seconds to the first token of a long prompt that is new and of one that is
cached, of a short one while a long one is read, seconds a token written, tokens a second of 16 replies at once. Speeds
are real, words are noise: what a lever does to answers is measured with a real model (``examples/routing/measure.py``).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import shapes
from asking import Raw, start, stop

from lcrag.backends.openai_server import OpenAIServer

LEVERS: dict[str, list[str]] = {
    "none": [],
    "KV cache in fp8": ["--kv-cache-dtype", "fp8"],
    "weights in fp8": ["--quantization", "fp8"],
    "weights and KV cache in fp8": ["--quantization", "fp8", "--kv-cache-dtype", "fp8"],
    "16,384 tokens a step": ["--max-num-batched-tokens", "16384"],
    "2,048 tokens a step": ["--max-num-batched-tokens", "2048"],
    "no chunked prefill": ["--no-enable-chunked-prefill"],
    "KV cache in the computer's memory, 32 GB": ["--kv-offloading-size", "32", "--kv-offloading-backend", "native"],
}


def ids(tokens: int, seed: int) -> list[int]:
    """A prompt of noise."""
    r = random.Random(seed)
    return [r.randrange(1000, 90_000) for _ in range(tokens)]


def measure(raw: Raw, lengths: Sequence[int], repeats: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    raw.seconds(ids(300, 0), 8)
    for tokens in lengths:
        new, again = [], []
        for number in range(repeats):
            prompt = ids(tokens, 10 * tokens + number)
            new.append(raw.seconds(prompt)[0])
            again.append(raw.seconds([*prompt[:-20], *ids(20, number)])[0])
        found[f"new {tokens}"], found[f"cached {tokens}"] = statistics.median(new), statistics.median(again)
    prompt = ids(lengths[0], 5)
    raw.seconds(prompt)
    times = raw.seconds(prompt, 64)
    found["seconds a token"] = (times[-1] - times[0]) / 63
    with ThreadPoolExecutor(16) as pool:
        shared = ids(min(8000, lengths[0]), 6)
        raw.seconds(shared)
        begun = time.perf_counter()
        list(pool.map(lambda n: raw.seconds([*shared, *ids(20, n)], 64), range(16)))
        found["tokens a second, 16 at once"] = 16 * 64 / (time.perf_counter() - begun)
        behind = []
        for number in range(repeats):
            long = pool.submit(raw.seconds, ids(lengths[-1], 77 + number))
            time.sleep(0.2)
            behind.append(raw.seconds(ids(500, 99 + number))[0])
            long.result()
        found["short one behind a long one"] = statistics.median(behind)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, default=Path("levers.json"))
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has vLLM")
    parser.add_argument("--shape", default="7b", choices=shapes.SHAPES)
    parser.add_argument("--window", type=int, default=143_360)
    parser.add_argument("--lengths", default="31000,124000")
    parser.add_argument("--levers", help="some of them, with | between; all unless given")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--flags", default="", help="more flags for vLLM, in one string")
    parser.add_argument("--seconds", type=float, default=500.0, help="after these no further lever is tried")
    given = parser.parse_args()
    begun = time.perf_counter()
    lengths = [int(length) for length in given.lengths.split(",")]
    work = given.work.resolve()
    folder = work / f"shape-{given.shape}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("CONFIG", "STATE", "CACHE"):
        os.environ.setdefault(f"XDG_{name}_HOME", str(work / name.lower()))
    shapes.make(given.shape, folder)
    found: dict[str, Any] = {"shape": given.shape, "window": given.window, "when": time.strftime("%Y-%m-%d")}
    for name in given.levers.split("|") if given.levers else LEVERS:
        if time.perf_counter() - begun > given.seconds:
            break
        since = time.perf_counter()
        try:
            flags = [*given.flags.split(), *LEVERS[name]]
            wait = start(folder, work, port=8201, window=given.window, python=given.python, kv_bytes=0, flags=flags)
            url = wait()
            up = time.perf_counter() - since
            server = OpenAIServer(url)
            state = server.cache_state()
            with httpx.Client(timeout=600.0, trust_env=False) as client:
                value = measure(Raw(url, server.model, client), lengths, given.repeats)
            found[name] = {"flags": LEVERS[name], "up": up, "holds": state and state.capacity_tokens, **value}
        except Exception:  # noqa: BLE001  written to the results: a rented machine does not wait
            found[name] = {"flags": LEVERS[name], "failed": traceback.format_exc()[-1500:]}
        finally:
            stop(work, 8201)
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {time.perf_counter() - since:.0f} s", file=sys.stderr, flush=True)
    return int(any(isinstance(value, dict) and "failed" in value for value in found.values()))


if __name__ == "__main__":
    sys.exit(main())
