"""The vLLM server that ``lcrag up`` started on this machine, as it was written down in the user's state folder."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lcrag.paths import state_folder

HOST: Final = "127.0.0.1"
USUAL_PORT: Final = 8000


@dataclass(frozen=True, slots=True)
class Server:
    """A server that ``up`` started. ``began``: the process's start time as the kernel counts it."""

    pid: int
    began: int
    port: int
    model: str
    name: str
    log: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def alive(self) -> bool:
        return start_time(self.pid) == self.began


def remembered() -> Server | None:
    """The server that ``up`` started, if its process still runs."""
    try:
        server = Server(**json.loads(memory_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return server if server.alive else None


def may_answer() -> bool:
    """Whether a server of ours runs, or something listens on vLLM's usual port: asked before httpx is imported."""
    if remembered() is not None:
        return True
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((HOST, USUAL_PORT)) == 0


def memory_file() -> Path:
    """Where ``lcrag up`` writes down the server that it started."""
    return state_folder() / "server.json"


def start_time(pid: int) -> int | None:
    """When the process started, in the kernel's ticks; None when it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
