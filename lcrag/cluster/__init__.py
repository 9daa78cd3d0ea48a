"""Files and questions on the machines of a Ray cluster. Without an address nothing of it is imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lcrag.cluster.files import FilesThere


@contextmanager
def files_there(address: str | None) -> Iterator[FilesThere | None]:
    """The cluster at ``address``, None without one. Raises what ``lcrag.cluster.connection.connected`` raises."""
    if address is None:
        yield None
        return
    from lcrag.cluster.connection import connected
    from lcrag.cluster.files import FilesThere

    with connected(address) as cluster:
        yield FilesThere(cluster)
