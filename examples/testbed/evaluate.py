"""Measures how well a test bed's model reads, by role, task and length of the prompt: ``python evaluate.py FOLDER``.

Examples are fresh: their seeds are words that no training seed is, and they are the same for every model. ``--server
URL`` asks them of a running OpenAI-compatible server instead, and makes sure that it reads the same tokens.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import random
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing.pool import Pool
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from tokenizers import Tokenizer
from worlds import (
    END,
    HERE,
    LINES,
    ROLES,
    START,
    TASKS,
    Example,
    chatml,
    correct,
    example,
    lines_found,
    value_correct,
)

if TYPE_CHECKING:
    from model import Reranker

LENGTHS: Final = (512, 1024, 2048, 4096, 8192, 16384)
ALL: Final = "all"
"""Every task in turn."""
NUMBER: Final = 256
CHUNK: Final = 32
"""Examples that a worker process makes at once."""
GROUPS_LIKE: Final = 1024
"""Notes tell of groups as large as in prompts of this length."""
CONCURRENT: Final = 64
Z: Final = 1.96
_TURN: Final = re.compile(rf"{re.escape(START)}(\w+)\n(.*?){re.escape(END)}\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Cell:
    """What is measured together. ``length``: tokens of the prompt; 0 where notes are read, which have their own."""

    role: str
    task: str
    length: int


@dataclass(frozen=True, slots=True)
class Item:
    """An example, the tokens of its prompt, and how many a reply may have."""

    cell: Cell
    example: Example
    tokens: np.ndarray
    most: int


@dataclass(frozen=True, slots=True)
class Result:
    """Of ``number`` examples: right replies, replies with the right value, the sum of the shares of lines found."""

    role: str
    task: str
    length: int
    number: int
    exact: int
    value: int
    found: float

    def row(self) -> dict[str, object]:
        return {
            "role": self.role,
            "task": self.task,
            "length": self.length,
            "n": self.number,
            "exact": _share(self.exact, self.number),
            "exact_interval": wilson(self.exact, self.number),
            "value": _share(self.value, self.number),
            "value_interval": wilson(self.value, self.number),
            "lines_found": _share(self.found, self.number),
        }


def cells(lengths: Sequence[int]) -> list[Cell]:
    """All of them, what matters most first: answers task by task, the other roles over all tasks."""
    listed = [Cell(role, ALL, 0) for role in ("synthesise", "merge")]
    for length in lengths:
        listed += [Cell("answer", task, length) for task in TASKS]
        listed.append(Cell("note", ALL, length))
    return listed + [Cell(role, ALL, length) for role in ("compress", "judge") for length in lengths]


def prepared(
    pool: Pool, wanted: Iterable[Cell], number: int, series: str, deadline: float | None = None
) -> Iterator[list[Item]]:
    """Each cell's examples, made in the pool from now on. Another ``series`` has other examples.

    Raises multiprocessing.TimeoutError where they are not made when time.monotonic() passes ``deadline``.
    """
    listed = list(wanted)
    chunks = [range(start, min(number, start + CHUNK)) for start in range(0, number, CHUNK)]
    made = pool.imap(_items, [(cell, chunk, series) for cell in listed for chunk in chunks])

    def arrived() -> list[Item]:
        return made.next(None if deadline is None else max(0.0, deadline - time.monotonic()))

    return ([item for _ in chunks for item in arrived()] for _ in listed)


def _items(job: tuple[Cell, range, str]) -> list[Item]:
    cell, numbers, series = job
    return [_item(cell, number, series) for number in numbers]


def _item(cell: Cell, number: int, series: str) -> Item:
    r = random.Random(f"evaluation {series} {cell.role} {cell.task} {cell.length} {number}")
    task = TASKS[number % len(TASKS)] if cell.task == ALL else cell.task
    length = cell.length or GROUPS_LIKE
    made = replace(example(r, task, cell.role, length, lambda text: len(encoded(text))), passages=())
    return Item(cell, made, np.array(encoded(made.prompt), np.uint16), len(encoded(made.gold)) * 5 // 4 + 16)


@cache
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(HERE / "tokenizer" / "tokenizer.json"))


def encoded(text: str) -> list[int]:
    return tokenizer().encode(text, add_special_tokens=False).ids


def read_by(reader: Reranker, items: Sequence[Item], deadline: float = math.inf) -> list[str | None]:
    """The model's replies; None where time.monotonic() passed ``deadline`` before."""
    written = reader.generate([item.tokens for item in items], max(item.most for item in items), deadline)
    return [
        None if tokens is None else tokenizer().decode(tokens, skip_special_tokens=False).strip() for tokens in written
    ]


def results(items: Iterable[Item], replies: Iterable[str | None]) -> list[Result]:
    """Cell by cell and, where a cell has all tasks, task by task; without a cell that lacks a reply."""
    groups: dict[tuple[str, str, int], list[tuple[Example, str | None]]] = {}
    for item, reply in zip(items, replies, strict=True):
        cell, made = item.cell, item.example
        for task in dict.fromkeys((cell.task, made.task)):
            groups.setdefault((cell.role, task, cell.length), []).append((made, reply))
    return [_result(*key, group) for key, group in groups.items() if all(reply is not None for _, reply in group)]


def _result(role: str, task: str, length: int, group: Sequence[tuple[Example, str | None]]) -> Result:
    replies = [(made, reply or "") for made, reply in group]
    return Result(
        role,
        task,
        length,
        len(replies),
        sum(correct(made, reply) for made, reply in replies),
        sum(value_correct(made, reply) for made, reply in replies),
        sum(lines_found(made, reply) for made, reply in replies),
    )


def wilson(right: float, number: int) -> tuple[float, float]:
    """The 95% interval of a share."""
    share, spread = right / number, Z * Z / number
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / number + spread / number / 4)
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)


def _share(part: float, number: int) -> float:
    return round(part / number, 4)


def table(measured: Sequence[Result]) -> str:
    """Markdown: a row for each role and task, a column for each length."""
    lengths = sorted({result.length for result in measured})
    there = {(result.role, result.task, result.length): result for result in measured}
    listed = [
        "Right replies, markers included / replies with the right value (of lists and lines: the share found).",
        "",
        "| role | task | " + " | ".join(f"{length:,}" if length else "notes" for length in lengths) + " |",
        "|---|---|" + "---|" * len(lengths),
    ]
    for role in ROLES:
        for task in (*TASKS, ALL):
            row = [there.get((role, task, length)) for length in lengths]
            if any(row):
                listed.append(f"| {role} | {task} | " + " | ".join(map(_entry, row)) + " |")
    return "\n".join(listed)


def _entry(result: Result | None) -> str:
    if result is None:
        return ""
    second = result.found if result.role in LINES or result.task == "list" else result.value
    return f"{result.exact / result.number:.2f} / {second / result.number:.2f}"


def messages_of(prompt: str) -> list[dict[str, str]]:
    """The messages that were rendered as this prompt."""
    listed = [{"role": role, "content": content} for role, content in _TURN.findall(prompt)]
    if chatml(listed) != prompt:
        raise AssertionError("a prompt cannot be read back")
    return listed


class Server:
    """A running server, asked many examples at once."""

    def __init__(self, url: str) -> None:
        import httpx

        limits = httpx.Limits(max_connections=CONCURRENT)
        self.client = httpx.Client(base_url=url.rstrip("/").removesuffix("/v1"), timeout=600, limits=limits)
        self.model = self.client.get("/v1/models").raise_for_status().json()["data"][0]["id"]

    def replies(self, items: Sequence[Item]) -> list[str]:
        with ThreadPoolExecutor(CONCURRENT) as threads:
            return list(threads.map(self._reply, items))

    def _reply(self, item: Item) -> str:
        body = {
            "model": self.model,
            "messages": messages_of(item.example.prompt),
            "temperature": 0,
            "max_tokens": item.most,
        }
        response: dict[str, Any] = self.client.post("/v1/chat/completions", json=body).raise_for_status().json()
        read = response["usage"]["prompt_tokens"]
        if read != len(item.tokens):
            raise SystemExit(f"the server read {read} tokens, not {len(item.tokens)}: its chat template is another one")
        return (response["choices"][0]["message"]["content"] or "").strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?", help="a trained model; not with --server")
    parser.add_argument("--server", metavar="URL", help="ask this server instead")
    parser.add_argument("--number", type=int, default=NUMBER, help="examples of each cell")
    parser.add_argument("--lengths", type=lambda text: tuple(map(int, text.split(","))), default=LENGTHS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here, with 95%% intervals")
    given = parser.parse_args()
    if (given.folder is None) == (given.server is None):
        parser.error("name a model's folder, or a server")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    measured: list[Result] = []
    started = time.monotonic()
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        wanted = prepared(pool, cells(given.lengths), given.number, "final")
        ask = Server(given.server).replies if given.server else partial(read_by, _reader(given.folder))
        for items in wanted:
            made = results(items, ask(items))
            measured += made
            print(
                f"[{time.monotonic() - started:.0f} s] {made[0].role} {made[0].task} {made[0].length}",
                flush=True,
            )
    print(table(measured))
    if given.json:
        given.json.write_text(json.dumps([one.row() for one in measured], indent=1) + "\n", encoding="utf-8")


def _reader(folder: Path) -> Reranker:
    """Imported late: the processes that make examples begin without torch."""
    import torch
    from model import Reranker, load

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Reranker(load(folder, device, torch.bfloat16 if device == "cuda" else torch.float32).eval())


if __name__ == "__main__":
    main()
