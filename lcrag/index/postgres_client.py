"""A PostgreSQL with pgvector: how it is reached, and what is said when it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from lcrag.errors import InputError, NotAvailable, NotInstalled, NotRunning

if TYPE_CHECKING:
    import psycopg

LEAST_VERSION: Final = (0, 8)
"""Of pgvector: the first whose HNSW goes on after ``EF_SEARCH``."""
CONNECT_SECONDS: Final = 10
"""Unless the address says otherwise. Assumed, not measured."""


class Postgres:
    """The database at ``uri``, which is shown as ``name``; tables are those of ``schema`` unless they say otherwise.

    Raises NotInstalled without psycopg, InputError for an address that makes no sense, NotRunning when it does not
    answer, NotAvailable where its pgvector is too old.
    """

    def __init__(self, uri: str, name: str, schema: str) -> None:
        self._uri = uri
        self.name = name
        self.schema = schema
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query finds; bytes and numbers come as they are, not as text."""
        with self.connected() as db:
            found: list[tuple[Any, ...]] = db.execute(sql, values, binary=True).fetchall()
        return found

    def run(self, sql: str, *values: Any) -> None:
        with self.connected() as db:
            db.execute(sql, values)

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        with self.connected() as db, db.transaction():
            yield db

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """The connection, made again if it was lost. Each statement is a transaction of its own."""
        try:
            import psycopg
        except ImportError as error:
            raise NotInstalled(f"psycopg cannot be imported: {error}", hint='pip install "lcrag[postgres]"') from error
        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._connect()
                self._prepare(self._connection)
            yield self._connection
        except psycopg.Error as error:
            message = " ".join(str(error).split())
            raise NotRunning(f"{self.name} failed: {message}", hint=_advice(error)) from error

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict

        ours = {"application_name": "lcrag", "connect_timeout": CONNECT_SECONDS}
        try:
            given = conninfo_to_dict(self._uri)
            if any(port and not port.isdecimal() for port in str(given.get("port", "")).split(",")):
                raise psycopg.ProgrammingError(f"invalid port number: {given['port']}")
            missing: dict[str, Any] = {name: value for name, value in ours.items() if name not in given}
            return psycopg.connect(self._uri, **missing, autocommit=True)
        except psycopg.Error as error:
            # libpq reads the whole address before it connects
            if isinstance(error, psycopg.ProgrammingError) or str(error).startswith("connection is bad: invalid "):
                raise InputError(
                    f"{self.name} is no address: {error}", hint="postgresql://USER@HOST:5432/DATABASE"
                ) from error
            raise

    def _prepare(self, db: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Find pgvector, wherever it is installed in the database; install it where that is allowed."""
        installed = "SELECT nspname, extversion FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace"
        installed += " WHERE extname = 'vector'"
        if not db.execute(installed).fetchall():
            db.execute("CREATE EXTENSION IF NOT EXISTS vector")
        [(schema, version)] = db.execute(installed).fetchall()
        if tuple(map(int, version.split(".")[:2])) < LEAST_VERSION:
            least = ".".join(map(str, LEAST_VERSION))
            raise NotAvailable(
                f"{self.name} has pgvector {version}, which is too old",
                hint=f"install pgvector {least} or later there, then: ALTER EXTENSION vector UPDATE",
            )
        db.execute("SELECT set_config('search_path', %s, false)", (f'{self.schema}, "{schema}"',))


def _advice(error: psycopg.Error) -> str:
    from psycopg import errors

    if isinstance(error, errors.FeatureNotSupported | errors.UndefinedFile):
        return "install pgvector there, on Debian: apt install postgresql-VERSION-pgvector"
    if isinstance(error, errors.InsufficientPrivilege):
        return "the user needs CREATE on the database, and pgvector in it: CREATE EXTENSION vector"
    if isinstance(error, errors.DiskFull):
        return "its disk, or its shared memory, is full; in a container: docker run --shm-size 4g"
    return "is it running, and are user and password right? PGPASSWORD or ~/.pgpass may hold the password"
