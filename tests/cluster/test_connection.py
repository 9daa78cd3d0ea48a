"""What can be wrong with a Ray cluster is said in a message, within a bounded time."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.corpora import write, write_docs
from support.invocation import Lcrag
from support.ray_cluster import REQUIRED, Machines, machines

import lcrag
from lcrag.cluster import machine
from lcrag.cluster.connection import CONNECT_SECONDS, connected
from lcrag.errors import InputError, NotAvailable, NotRunning

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray's own sockets and processes
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]


@pytest.fixture(scope="module")
def ray() -> None:
    if not REQUIRED:
        pytest.importorskip("ray", reason='needs pip install "lcrag[ray]"')


WITHOUT = """
import sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == "lcrag":
            raise ModuleNotFoundError("no such package here")
sys.meta_path.insert(0, Finder())
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lcrag:
    return Lcrag(monkeypatch, capsys)


@pytest.fixture
def docs(tmp_path: Path) -> str:
    return str(write_docs(tmp_path / "docs"))


@pytest.fixture(scope="module")
def two(ray: None) -> Iterator[Machines]:
    with machines(2) as cluster:
        yield cluster


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where something listens that says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_index_with_an_address_where_nobody_is(run: Lcrag, docs: str) -> None:
    for address in ("127.0.0.1:1", "ray://127.0.0.1:1"):
        begun = time.monotonic()
        result = run("index", docs, "--ray", address)
        assert result.code == 3
        assert f"no Ray cluster at {address}: Connection refused" in result.err
        assert "ray start --head" in result.err
        assert time.monotonic() - begun < CONNECT_SECONDS + 1


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:6379", "127.0.0.1:port", "ray://host", ""])
def test_index_with_an_address_that_is_none(run: Lcrag, docs: str, address: str) -> None:
    result = run("index", docs, "--ray", address)
    assert result.code == InputError.exit_code
    assert "no address of a Ray cluster" in result.err
    assert "HOST:PORT" in result.err


def test_index_without_ray_says_what_to_install(run: Lcrag, docs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = run("index", docs, "--ray", "local")
    assert result.code == 3
    assert 'pip install "lcrag[ray]"' in result.err


@pytest.mark.parametrize("what", ["lcrag", "token counts", "size of file"])
@pytest.mark.usefixtures("ray")
def test_check_names_the_machine_that_differs(
    two: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    write(tmp_path / "a.md", "A file of 20 bytes.\n")
    here = machine.state(str(tmp_path / "a.md"))
    with connected(two.address) as cluster:
        cluster.check(str(tmp_path / "a.md"))
        monkeypatch.setattr(machine, "state", lambda path: here | {what: "another"})
        with pytest.raises(NotAvailable, match=f"has {what} .*{here[what]}, this machine another") as error:
            cluster.check(str(tmp_path / "a.md"))
    assert error.value.hint


def test_state_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert machine.state(str(tmp_path / "no.md"))["size of file"] == f"{tmp_path}/no.md: No such file or directory"


@pytest.mark.usefixtures("ray")
def test_check_of_a_machine_that_cannot_import_lcrag(tmp_path: Path) -> None:
    write(tmp_path / "without" / "sitecustomize.py", WITHOUT)
    with machines(1) as own:
        own.add(env_vars={"PYTHONPATH": str(tmp_path / "without")})
        with (
            connected(own.address) as cluster,
            pytest.raises(NotAvailable, match=r"cannot import lcrag \(no such") as e,
        ):
            cluster.check()
    assert e.value.hint == f'there: pip install "lcrag[ray]=={lcrag.__version__}"'


@pytest.mark.usefixtures("ray")
def test_run_on_a_cluster_that_has_no_machine_left(two: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.cluster.connection.STALLED_SECONDS", 0.5)
    with machines(1) as own, connected(own.address) as cluster:
        assert cluster.run(machine.state, None)["lcrag"] == lcrag.__version__
        own.kill(own.nodes[0])
        with pytest.raises(NotRunning, match="no machine"):
            cluster.run(machine.state, None)
        with pytest.raises(NotRunning, match="no machine"):
            cluster.check()


@pytest.mark.usefixtures("ray")
def test_index_on_a_cluster_that_does_not_speak(run: Lcrag, docs: str, silent: int) -> None:
    """In a process of its own: Ray reads its limits when it is imported."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "lcrag", "index", docs, "--ray", f"127.0.0.1:{silent}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 3
    assert f"no Ray cluster at 127.0.0.1:{silent}" in result.stderr
    assert time.monotonic() - begun < 60


def test_index_auto_takes_the_address_of_the_environment(
    run: Lcrag, docs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    result = run("index", docs, "--ray", "auto")
    assert result.code == 3
    assert "no Ray cluster at 127.0.0.1:1" in result.err


@pytest.mark.usefixtures("ray")
def test_index_on_a_cluster_of_its_own(run: Lcrag, docs: str) -> None:
    result = run("index", docs, "--ray", "local", "--index", f"{docs}/../index")
    assert (result.code, result.out.strip()[:12]) == (0, "3 documents,")


@pytest.mark.usefixtures("ray")
def test_index_through_a_client(two: Machines, docs: str) -> None:
    """In a process of its own, as another machine would."""
    pytest.importorskip("grpc", reason='needs pip install "ray[client]"')
    command = [sys.executable, "-m", "lcrag", "index", docs, "--index", f"{docs}/../index", "--ray", two.for_clients]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("3 documents,")
    assert result.stderr == ""
