"""Documents to an index on disk: one folder for a set of paths."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeGuard

from lcrag.errors import InputError, NoSuchPath
from lcrag.paths import cache_folder, key_of

if TYPE_CHECKING:
    from lcrag.index.corpus import IndexStatus
    from lcrag.index.engine import Engine


MILVUS: Final = "milvus:"
"""What begins the name of an index whose chunks are in Milvus; its address follows."""
POSTGRES: Final = ("postgresql://", "postgres://")
"""What begins the address of a PostgreSQL."""
ADDRESSES: Final = "milvus:http://HOST:19530, milvus:FILE.db, postgresql://USER@HOST/DATABASE"
_ADDRESS: Final = re.compile(r"\w+://|postgres(?:ql)?:", re.IGNORECASE)


def is_external(named: Path | str | None) -> TypeGuard[str]:
    """Whether the index is to have its chunks in a store that ``named`` is the address of, not in a folder."""
    return isinstance(named, str) and named.startswith((MILVUS, *POSTGRES))


def folder_of(paths: Iterable[str], named: Path | str | None = None) -> Path:
    """The folder of the index of these paths, whatever their order; ``named`` is another, or says where the rest is.

    Raises InputError for an address of something else.
    """
    if named is not None and not is_external(named):
        if _ADDRESS.match(str(named)):
            raise InputError(f"{named} is no address of an index", hint=f"--index DIR, or {ADDRESSES}")
        return Path(named).expanduser()  # a file of options has it as it was typed
    key = [path for path in paths if path != "-"]
    if is_external(named):
        key.append(f"/{_place_of(named)}")  # the same in every folder that it is typed in
    return cache_folder() / "index" / key_of(key)


def engine_of(folder: Path, named: Path | str | None) -> Engine | None:
    """What finds the chunks of the index in ``folder``; None for SQLite. Raises InputError for an address that makes no
    sense, NotInstalled without the package that it needs.
    """
    if not is_external(named):
        return None
    from lcrag.index.external import ExternalEngine, name_of

    if named.startswith(POSTGRES):
        from lcrag.index.postgres import PostgresStore

        return ExternalEngine(PostgresStore(named, _without_password(named), name_of(folder)))
    from lcrag.index.milvus import MilvusStore

    uri = named.removeprefix(MILVUS)
    if not uri or ("://" in uri and not _has_port(uri)):
        raise InputError("there is no address of Milvus", hint="--index milvus:http://HOST:19530, or milvus:FILE.db")
    return ExternalEngine(MilvusStore(uri if "://" in uri else str(Path(uri).expanduser()), name_of(folder)))


def _place_of(named: str) -> str:
    """The address without its password; that of a file, with links resolved."""
    uri = named.removeprefix(MILVUS)
    return _without_password(named) if "://" in uri else os.path.realpath(os.path.expanduser(uri))


def _has_port(address: str) -> bool:
    """Whether host and port can be read."""
    from urllib.parse import urlsplit

    try:
        return urlsplit(address).port != 0
    except ValueError:
        return False


def _without_password(address: str) -> str:
    """The address as it may be shown and stored."""
    from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

    if not address.startswith(POSTGRES):
        return address
    try:
        parts = urlsplit(address)
    except ValueError as error:  # its host is no address of IPv6
        raise InputError(
            "what is given is no address of PostgreSQL", hint="postgresql://USER@HOST:5432/DATABASE"
        ) from error
    user, at, place = parts.netloc.rpartition("@")
    query = [(name, value) for name, value in parse_qsl(parts.query) if "password" not in name]
    return urlunsplit(parts._replace(netloc=user.partition(":")[0] + at + place, query=urlencode(query, safe="/")))


def index_status(paths: Iterable[str], named: Path | str | None = None) -> IndexStatus:
    """What the index of these paths holds now, without refreshing it.

    Raises NoSuchPath when there is no index yet.
    """
    from lcrag.index.corpus import Corpus
    from lcrag.index.store import FILE

    folder = folder_of(paths, named)
    if not (folder / FILE).exists():
        shown = " ".join(paths) or str(folder)
        raise NoSuchPath(f"no index of {shown} yet", hint=f"lcrag index {shown}")
    with Corpus.open(folder, engine_of(folder, named)) as corpus:
        return corpus.status()


def index_clear(paths: Iterable[str], named: Path | str | None = None) -> bool:
    """Remove the index of these paths. False when there was none."""
    from lcrag.index.corpus import clear

    folder = folder_of(paths, named)
    engine = engine_of(folder, named)
    if engine is not None:
        engine.clear()
        engine.close()
    return clear(folder)
