"""The vLLM servers that ``lcrag up`` started on this machine, as recorded in the user's state folder."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from lcrag.backends.address import split_addresses
from lcrag.paths import state_folder, write_whole

HOST: Final = "127.0.0.1"
USUAL_PORT: Final = 8000
_LISTENS: Final = "0A"
"""The state of a listening socket in /proc/net/tcp."""
CLOCK_TOLERANCE: Final = 2.0
"""Seconds by which a process's start may differ when it is read again: the system's clock may have been set since."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that ``up`` started. ``began``: when its process started, in seconds since the epoch."""

    pid: int
    began: float
    port: int
    model: str
    name: str
    log: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def alive(self) -> bool:
        """False also for a pid that meanwhile belongs to another process."""
        began = start_time(self.pid)
        return began is not None and abs(began - self.began) <= CLOCK_TOLERANCE


def usual_url() -> str:
    """Where a server listens of which nobody said where."""
    return f"http://{HOST}:{USUAL_PORT}"


def addresses(named: str | None) -> list[str]:
    """The servers that are meant: those named (commas between), else those that ``up`` started, else the usual one.

    Raises InputError for a list without an address.
    """
    if named is not None:
        return split_addresses(named)
    return [server.url for server in remembered()] or [usual_url()]


def remembered() -> list[Server]:
    """The servers that ``up`` started and whose processes still run."""
    try:
        servers = [Server(**entry) for entry in json.loads(server_file().read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
    return [server for server in servers if server.alive]


def remember(servers: Sequence[Server]) -> None:
    """Record them, and no others."""
    write_whole(server_file(), json.dumps([asdict(server) for server in servers]))


def may_answer() -> bool:
    """Whether a server of ours runs, or something listens on vLLM's usual port: asked before httpx is imported."""
    if remembered():
        return True
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((HOST, USUAL_PORT)) == 0


def is_users() -> bool:
    """Whether what may answer was started by ``up`` or belongs to this user; False where that cannot be known.

    Any user of the machine may listen on the usual port, and would get the documents of all others.
    """
    return bool(remembered()) or _owners(USUAL_PORT) == {os.getuid()}


def _owners(port: int) -> set[int]:
    """The users who listen on a port of this machine; empty where the system does not say."""
    try:
        tables = [Path(f"/proc/net/{table}").read_text(encoding="ascii") for table in ("tcp", "tcp6")]
    except OSError:
        return _owners_by_process(port)
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    return {int(row[7]) for row in rows if row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port}


def _owners_by_process(port: int) -> set[int]:
    """The same on a system without /proc, where only the connections of this user's own processes can be seen."""
    import psutil

    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in process.net_connections("tcp")):
                return {process.uids().real}
    return set()


def server_file() -> Path:
    """Where ``lcrag up`` records the servers that it started."""
    return state_folder() / "server.json"


def start_time(pid: int) -> float | None:
    """When the process started, in seconds since the epoch; None when it does not run."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None
