"""A connection to a Ray cluster: functions of lcrag run on its machines, a bounded number at a time, results in order.

Ray runs a task again when the process or the machine that had it is gone. What is wrong with a task itself (an
LcragError) is raised here as it would be without Ray, with the machine's name.

Tasks rather than Ray Data: the order is ours, and so is what waits in memory; ``pyarrow`` is not needed.
"""

from __future__ import annotations

import logging
import os
import platform
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import lcrag
from lcrag.errors import InputError, LcragError, NotAvailable, NotInstalled, NotRunning

_log = logging.getLogger("lcrag")

J = TypeVar("J")
R = TypeVar("R")

CONNECT_SECONDS: Final = 5.0
"""For a connection to an address (assumed, not measured: machines of one cluster answer within milliseconds)."""
LOOK_SECONDS: Final = 60.0
"""For the first answer of each machine, which starts a Python process (assumed; 2 s on two busy cores)."""
STALLED_SECONDS: Final = 10.0
"""How often a wait looks whether the cluster still has a machine that can work (assumed, not measured)."""
RETRIES: Final = 10
"""Times that a task is run again when its process or machine is gone (assumed, not measured). More would hide a task
that kills it."""
AHEAD: Final = 2
"""Tasks in flight for each processor of the cluster: one runs, one waits (as without Ray, ``lcrag.index.workers``)."""

_IMPATIENT: Final = {"RAY_NUM_REDIS_GET_RETRIES": "1", "RAY_py_gcs_connect_timeout_s": "5"}
"""Without these Ray (2.60) tries for more than two minutes to reach an address where something else answers."""
TASK_HINT: Final = "ray logs; is RAY_AUTH_TOKEN, or the file with the token, the same on all machines?"
FORMS: Final = "--ray auto, local, HOST:PORT or ray://HOST:PORT"


@dataclass(frozen=True, slots=True)
class _Failed:
    """The error of a task, and the machine that it ran on."""

    error: LcragError
    machine: str


def _run(function: Callable[..., R], *values: Any) -> R | _Failed:
    """The worker's side of a task."""
    try:
        return function(*values)
    except LcragError as error:
        return _Failed(error, platform.node())


class Cluster:
    """A Ray cluster that this process is connected to, see ``connected``. Any thread may call its methods."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._task = ray.remote(max_retries=RETRIES)(_run)
        self._is_checked = False

    @property
    def processors(self) -> int:
        """Those of all machines that are there now."""
        return int(self._ray.cluster_resources().get("CPU", 0))

    def share(self, value: Any) -> list[Any]:
        """A handle for ``value``, which each machine fetches once: ``ray.get`` of what is in it, in a task."""
        return [self._ray.put(value)]  # in a list, or Ray would hand the value to each task

    def run(self, function: Callable[..., R], *values: Any) -> R:
        """``function(*values)`` on a machine of the cluster, which must be able to import it. Waits for the result.

        Raises the LcragError that it raised there, NotRunning when the cluster has lost it.
        """
        task = self._task.remote(function, *values)
        try:
            return self._result(task)  # type: ignore[no-any-return]
        except BaseException:
            self._ray.cancel(task)
            raise

    def map(
        self, function: Callable[..., R], jobs: Iterable[J], *values: Any, at_once: int | None = None
    ) -> Iterator[R]:
        """``function(job, *values)`` for each job, in order; ``at_once`` of them, or ``AHEAD`` for each processor."""
        waiting: deque[Any] = deque()
        try:
            for job in jobs:
                waiting.append(self._task.remote(function, job, *values))
                if len(waiting) >= (at_once or AHEAD * self.processors):
                    yield self._result(waiting[0])
                    waiting.popleft()
            while waiting:
                yield self._result(waiting[0])
                waiting.popleft()
        finally:
            for task in waiting:
                self._ray.cancel(task)

    def check(self, path: str | None = None) -> None:
        """Look at every machine that can work, once; again for a ``path``, a file that all must have.

        Raises NotAvailable when one has another lcrag, counts tokens in another way, or does not have the file;
        NotRunning when there is none, or one does not answer.
        """
        if self._is_checked and path is None:
            return
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from lcrag.cluster.machine import state

        def look(path: str | None) -> dict[str, str] | str:
            try:  # nothing of lcrag may be named outside of this: the function itself must arrive
                from lcrag.cluster.machine import state
            except ImportError as error:
                return str(error)
            return state(path)

        here = state(path)
        machines = [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        if not machines:
            raise NotRunning("the Ray cluster has no machine that can work", hint="ray start --address HOST:PORT")
        looks = [
            self._ray.remote(look)
            .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
            .remote(path)
            for node in machines
        ]
        for node, task in zip(machines, looks, strict=True):
            name = node["NodeManagerHostname"]
            there = self._result(task, LOOK_SECONDS)
            if isinstance(there, str):
                raise NotAvailable(
                    f"{name} cannot import lcrag ({there})",
                    hint=HINTS["lcrag"],
                )
            for what, value in here.items():
                if there[what] != value:
                    raise NotAvailable(f"{name} has {what} {there[what]}, this machine {value}", hint=HINTS[what])
        self._is_checked = True

    def _result(self, task: Any, limit: float | None = None) -> Any:
        """What a task returned. Raises its LcragError, NotRunning when it is lost or takes longer than ``limit``."""
        from ray.exceptions import RayError, RayTaskError

        waited = 0.0
        while not self._ray.wait([task], timeout=STALLED_SECONDS)[0]:
            waited += STALLED_SECONDS
            if limit is not None and waited >= limit:
                raise NotRunning(f"a machine of the Ray cluster has not answered for {waited:.0f} s", hint="ray status")
            if not self.processors:
                raise NotRunning("the Ray cluster has no machine left that can work", hint="ray status")
        try:
            result = self._ray.get(task)
        except RayTaskError as error:
            cause = f"{type(error.cause).__name__}: {_first_line(error.cause)}"
            raise NotAvailable(f"a task failed on the Ray cluster: {cause}", hint=TASK_HINT) from error
        except RayError as error:
            raise NotRunning(f"the Ray cluster has lost a task: {_first_line(error)}", hint="ray status") from error
        if isinstance(result, _Failed):
            result.error.args = (f"{result.error} (on {result.machine})",)
            raise result.error
        return result


HINTS: Final = {
    "lcrag": f'there: pip install "lcrag[ray]=={lcrag.__version__}"',
    "token counts": "pip install llama-index-core on both",
    "size of file": "the documents must be under the same path on all machines",
}
"""By what ``lcrag.cluster.machine.state`` says: what to change where a machine differs."""


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The cluster at ``address``: "auto" (the one that runs on this machine), "local" (one of its own, for this call),
    "HOST:PORT", "ray://HOST:PORT".

    Raises NotInstalled without Ray, InputError for an address that is none, NotRunning when nobody answers there within
    some 20 seconds, NotAvailable for another version of Ray or of Python.
    """
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or address
    if address not in ("auto", "local"):
        _reach(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # or it reports to its makers
    if address != "local":
        for name, value in _IMPATIENT.items():
            os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise NotInstalled("--ray needs Ray", hint='pip install "lcrag[ray]"') from error
    handler = signal.getsignal(signal.SIGTERM)
    options = {} if address.startswith("ray://") else {"include_dashboard": False if address == "local" else None}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except ImportError as error:
        raise NotInstalled(f"Ray lacks a package: {error}", hint='pip install "lcrag[ray]"') from error
    except (ConnectionError, TimeoutError, ValueError) as error:
        reason = "on this machine" if address == "auto" else f"at {address}: {_first_line(error)}"
        raise NotRunning(f"no Ray cluster {reason}", hint=f"ray start --head; {FORMS}") from error
    except (RuntimeError, ray.exceptions.RayError) as error:  # another Ray or Python there, or a token that is wrong
        raise NotAvailable(f"the Ray cluster at {address} cannot be used: {_first_line(error)}") from error
    try:
        signal.signal(signal.SIGTERM, handler)  # Ray has put its own there
        _keep_standard_output()
        yield Cluster(ray)
    finally:
        ray.shutdown()


def _keep_standard_output() -> None:
    """Log what Ray says of its machines. It would print that on standard output, where answers go, and has no switch
    for it (2.60).
    """
    from ray._private import worker

    def log(data: Mapping[str, Any], ignore_prefix: bool) -> None:
        _log.info("Ray: %s", " ".join(data["lines"]))

    worker.print_to_stdstream = log


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _reach(address: str) -> None:
    """Raise InputError if this is no address, NotRunning if nothing listens there."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in ("", "ray") or not host or not port:
        raise InputError(f"{address} is no address of a Ray cluster", hint=FORMS)
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise NotRunning(f"no Ray cluster at {address}: {reason}", hint=f"ray start --head; {FORMS}") from error
