"""A Ray cluster of several machines on this one, for tests. They are skipped without Ray unless REQUIRE_RAY is set."""

from __future__ import annotations

import importlib.util
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

REQUIRED = bool(os.environ.get("REQUIRE_RAY"))
NEEDED = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None and not REQUIRED, reason='needs pip install "lcrag[ray]"'
    ),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray's own sockets and processes
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]
"""Marks of a module that needs Ray."""


class Machines:
    """A cluster whose head does no work, and machines with a processor each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        head = {"num_cpus": 0, "include_dashboard": False, "ray_client_server_port": port}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address: str = self._cluster.address
        self.for_clients = f"ray://127.0.0.1:{port}"
        self.nodes: list[Any] = []

    def add(self, **options: Any) -> Any:
        node = self._cluster.add_node(num_cpus=1, **options)
        self.nodes.append(node)
        return node

    def kill(self, node: Any) -> None:
        """As when a machine loses its power."""
        self.nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    def workers(self) -> list[tuple[psutil.Process, str]]:
        """The processes that run tasks now, or wait for one, with what Ray calls them."""
        found = []
        for process in psutil.Process().children(recursive=True):
            try:
                name = "".join(process.cmdline()[:1])
                if name.startswith("ray::"):
                    found.append((process, name))
            except psutil.Error:
                continue  # it has just ended
        return found

    def shutdown(self) -> None:
        self._cluster.shutdown()


@contextmanager
def machines(count: int) -> Iterator[Machines]:
    cluster = Machines()
    try:
        for _ in range(count):
            cluster.add()
        yield cluster
    finally:
        cluster.shutdown()


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for it to become true; fail if it does not."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.05)
