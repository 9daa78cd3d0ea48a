"""Reading and embedding, the parts of an index that cost, on a cluster. The index itself is written here alone.

A task reads as many files as a worker process here would get, and does it in such a process (``lcrag.index.workers``):
so a file that crashes its parser, or takes too much, fails in the same way and takes no task with it.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from lcrag.cluster.connection import Cluster
from lcrag.errors import NotAvailable
from lcrag.index.workers import Worker, batches

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lcrag.index.prepare import ParsedFile
    from lcrag.ingest import SourceFile
    from lcrag.retrieve.rank import EmbedBatches
    from lcrag.types import Embedder


@dataclass(frozen=True, slots=True)
class FilesThere:
    """The machines of a cluster as a session uses them (``lcrag.session.Elsewhere``)."""

    cluster: Cluster

    def parse_files(self, files: Sequence[SourceFile], known: set[bytes]) -> Iterator[tuple[SourceFile, ParsedFile]]:
        """As ``lcrag.index.workers.parse_files``. A file has the same path there as here.

        Raises NotAvailable when a machine differs from this one, NotRunning when the cluster is gone.
        """
        if not files:
            return
        found = [replace(file, path=os.path.abspath(file.path)) for file in files]
        self.cluster.check(found[0].path)
        packed = self.cluster.map(_parse, batches(found), self.cluster.share(known))
        yield from zip(files, map(pickle.loads, chain.from_iterable(packed)), strict=True)

    def embedding(self, embedder: Embedder, named: str | None) -> EmbedBatches:
        """Embeds there with the same model as ``embedder``, the one that is ``named``.

        Raises NotInstalled when a machine does not have the model, NotAvailable when it has another.
        """

        def embed(texts: Iterable[list[str]]) -> Iterator[npt.NDArray[np.float32]]:
            self.cluster.check()
            for name, vectors in self.cluster.map(_embed, texts, named):
                if name != embedder.name:
                    raise NotAvailable(
                        f"a machine of the Ray cluster embeds with {name}, this one with {embedder.name}",
                        hint="install the same model there",
                    )
                yield vectors

        return embed


def _parse(batch: list[SourceFile], known: list[Any]) -> list[bytes]:
    return _worker(known[0]).parse_packed(batch)


@lru_cache(maxsize=1)
def _worker(known: Any) -> Worker:
    import ray

    return Worker(ray.get(known))


def _embed(texts: list[str], named: str | None) -> tuple[str, npt.NDArray[np.float32]]:
    embedder = _embedder(named)
    return embedder.name, embedder.embed(texts)


@lru_cache(maxsize=1)
def _embedder(named: str | None) -> Embedder:
    from lcrag.retrieve.embedder import load_embedder

    return load_embedder(named)
