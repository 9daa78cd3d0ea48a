"""The vectors of chunks: stored in SQLite under their content, and copied to one file in reading order for speed.

SQLite returns them one by one, 3 µs each. The file is read in blocks as fast as memory allows, never all at once: a
question is compared with a million vectors in 0.2 s. The file only repeats what the index holds; if its stamp is not
that of the index's generation, or its checksums are not right, it is ignored and rewritten. Its end has the checksum of
each block, and the rows without a vector.

float16 becomes float32 by shifting its bits to where float32 has them, which leaves the exponent 112 too low; the
question's vector makes up for it. The products are those of a true conversion, in half its time. They are taken row by
row: a matrix product starts BLAS's own threads in each of ours, and took 1.4 s for a million instead of 0.2.

Our own code because no library is clearly better: all cosines of 200,000 x 384 float16 take 35 ms here and 33 ms with
usearch, which is 57 MB with its dependencies; sqlite-vec has no float16, and not every Python can load it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lcrag.paths import replacing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Ids = npt.NDArray[np.int64]

FILE_FROM = 20_000
"""Vectors from which on reading them one by one takes longer than all the rest of a question: 0.1 s."""

HEADER: Final = 512
BLOCK_ROWS: Final = 8192
_SIGN_AND_REST: Final = -0x70000001  # all bits but the three that sign extension puts above a float16's exponent

_OF_CHUNKS: Final = (
    "FROM json_each(?) CROSS JOIN chunks ON chunks.id = value CROSS JOIN embedders"
    " CROSS JOIN vectors ON embedder = embedders.id AND vectors.content = chunks.content WHERE name = ?"
)


def read(db: sqlite3.Connection, ids: Sequence[int], embedder: str) -> tuple[list[int], npt.NDArray[np.float32]]:
    """The ids that have a vector, in the order of ``ids``, and those vectors, float32, ``(number, dimensions)``."""
    import numpy as np

    rows = db.execute(f"SELECT value, vector {_OF_CHUNKS}", (json.dumps(list(ids)), embedder)).fetchall()
    if not rows:
        return [], np.empty((0, 0), dtype=np.float32)
    return [chunk for chunk, _ in rows], _unpack(rows).astype(np.float32)


def missing(db: sqlite3.Connection, ids: Sequence[int], embedder: str) -> list[int]:
    """The ids that have no vector yet, in the order of ``ids``."""
    stored = {chunk for (chunk,) in db.execute(f"SELECT value {_OF_CHUNKS}", (json.dumps(list(ids)), embedder))}
    return [chunk for chunk in ids if chunk not in stored]


def count(db: sqlite3.Connection) -> dict[str, int]:
    """The number of stored vectors by embedder."""
    return dict(
        db.execute("SELECT name, count(*) FROM embedders JOIN vectors ON embedder = id GROUP BY name").fetchall()
    )


def store(db: sqlite3.Connection, ids: Sequence[int], embedder: str, vectors: npt.NDArray[np.float32]) -> None:
    """Store one vector (row) per id as float16; chunks that no longer exist are skipped. Part of a transaction."""
    db.execute("INSERT OR IGNORE INTO embedders (name) VALUES (?)", (embedder,))
    db.executemany(
        "REPLACE INTO vectors SELECT embedders.id, content, ? FROM chunks, embedders WHERE chunks.id = ? AND name = ?",
        ((row.tobytes(), chunk, embedder) for chunk, row in zip(ids, vectors.astype("<f2"), strict=True)),
    )


def cosines(
    db: sqlite3.Connection,
    index: Path,
    generation: str,
    query: npt.NDArray[np.float32],
    embedder: str,
    ids: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """The product of ``query`` with the vector of each of ``ids``, all chunks in reading order; NaN where it has none.

    From ``FILE_FROM`` vectors on they are read from a file next to the ``index``, which is written when it is missing
    or of another ``generation``.
    """
    import numpy as np

    [(stored,)] = db.execute(
        "SELECT count(*) FROM (SELECT 1 FROM embedders JOIN vectors ON embedder = id WHERE name = ? LIMIT ?)",
        (embedder, FILE_FROM),
    )
    if stored < FILE_FROM:
        return _cosines_by_content(db, query, embedder, ids)
    path = index.with_name(f"{index.name}.{hashlib.sha256(embedder.encode()).hexdigest()[:8]}.vectors")
    products = file_cosines(path, generation, query)
    if products is None:
        try:
            write_file(path, generation, len(query), _blocks(db, embedder, ids, len(query)))
        except OSError:  # no space, or a read-only place: it would only have been faster
            products = np.concatenate([np.vecdot(block, query) for block in _blocks(db, embedder, ids, len(query))])
        else:
            products = file_cosines(path, generation, query)
    result = np.full(len(ids), np.nan) if products is None else products.astype(np.float64)
    late = np.flatnonzero(np.isnan(result))  # stored since the file was written
    if len(late):
        place = dict(zip(ids[late].tolist(), late.tolist(), strict=True))
        known, vectors = read(db, list(place), embedder)
        if known:
            result[[place[chunk] for chunk in known]] = np.vecdot(vectors, query)
    return result


def _cosines_by_content(
    db: sqlite3.Connection, query: npt.NDArray[np.float32], embedder: str, ids: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """The same for few vectors: looks up the chunks of each vector, not the vector of each chunk."""
    import numpy as np

    rows = db.execute(
        "SELECT chunks.id, vector FROM embedders CROSS JOIN vectors ON embedder = embedders.id"
        " CROSS JOIN chunks ON chunks.content = vectors.content WHERE name = ?",
        (embedder,),
    ).fetchall()
    result = np.full(len(ids), np.nan)
    if rows and len(ids):
        chunks = np.array([chunk for chunk, _ in rows])
        by_id = np.argsort(ids, kind="stable")
        place = by_id[np.minimum(np.searchsorted(ids, chunks, sorter=by_id), len(ids) - 1)]
        here = ids[place] == chunks  # another process may have written chunks that this snapshot does not have
        result[place[here]] = np.vecdot(_unpack(rows)[here].astype(np.float32), query)
    return result


def _blocks(
    db: sqlite3.Connection, embedder: str, ids: npt.NDArray[np.int64], dimensions: int
) -> Iterator[npt.NDArray[np.float32]]:
    """All vectors in reading order, NaN where there is none, ``BLOCK_ROWS`` at a time."""
    import numpy as np

    for start in range(0, len(ids), BLOCK_ROWS):
        part = ids[start : start + BLOCK_ROWS].tolist()
        place = {chunk: index for index, chunk in enumerate(part)}
        block = np.full((len(part), dimensions), np.nan, np.float32)
        known, vectors = read(db, part, embedder)
        if known:
            block[[place[chunk] for chunk in known]] = vectors
        yield block


def _unpack(rows: Sequence[Any]) -> npt.NDArray[np.float16]:
    """The vectors of ``(id, vector)`` rows."""
    import numpy as np

    return np.frombuffer(b"".join(vector for _, vector in rows), dtype="<f2").reshape(len(rows), -1)


def write_file(path: Path, stamp: str, dimensions: int, blocks: Iterable[npt.NDArray[np.float32]]) -> None:
    """Write the file whole or not at all: ``blocks`` of vectors, ``dimensions`` each; NaN where there is none.

    All ``blocks`` but the last have ``BLOCK_ROWS`` rows. Raises OSError.
    """
    import numpy as np

    rows = 0
    sums: list[int] = []
    gaps: list[npt.NDArray[np.intp]] = []
    with replacing(path) as temporary_file, open(os.open(temporary_file, os.O_RDWR | os.O_CREAT, 0o600), "wb") as file:
        file.write(b" " * HEADER)
        for block in blocks:
            gaps.append(rows + np.flatnonzero(np.isnan(block[:, 0])))
            rows += len(block)
            packed = block.astype("<f2").tobytes()
            sums.append(zlib.crc32(packed))
            file.write(packed)
        absent = np.concatenate(gaps) if gaps else np.empty(0, np.intp)
        tail = np.array(sums, "<u4").tobytes() + absent.astype("<i4").tobytes()
        file.write(tail)
        file.seek(0)
        header = {"stamp": stamp, "rows": rows, "dimensions": dimensions, "missing": len(absent)}
        file.write(json.dumps(header | {"tail": zlib.crc32(tail)}).encode())


def file_cosines(path: Path, stamp: str, query: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
    """Each row's product with ``query``, NaN where there is no vector.

    None if there is no file with this stamp, or its size or a checksum (4.9 GB/s on a core) is not right.
    """
    import numpy as np

    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError:
        return None
    with file:
        try:
            header = json.loads(file.read(HEADER))
            rows, dimensions, absent_rows = (int(header[name]) for name in ("rows", "dimensions", "missing"))
            generation, checksum = header["stamp"], header["tail"]
        except (ValueError, KeyError, TypeError):  # not a header
            return None
        vectors_end = HEADER + 2 * rows * dimensions
        blocks = -(-rows // BLOCK_ROWS)
        tail_size = 4 * (blocks + absent_rows)
        if (generation, dimensions) != (stamp, len(query)) or (
            os.fstat(file.fileno()).st_size != vectors_end + tail_size
        ):
            return None
        tail = os.pread(file.fileno(), tail_size, vectors_end)
        if zlib.crc32(tail) != checksum:
            return None
        sums = np.frombuffer(tail, "<u4", blocks)
        is_right = np.ones(blocks, np.bool_)
        products = np.empty(rows, np.float32)
        scaled = query * np.float32(2.0**112)
        width = 2 * dimensions

        def scan(first: int) -> None:
            """The rows from ``first`` on that are one thread's share."""
            packed = np.empty((BLOCK_ROWS, dimensions), "<i2")
            wide = np.empty((BLOCK_ROWS, dimensions), np.int32)
            for at in range(first, min(first + share, rows), BLOCK_ROWS):
                count = min(BLOCK_ROWS, rows - at)
                os.preadv(file.fileno(), [packed[:count].data], HEADER + at * width)
                is_right[at // BLOCK_ROWS] = zlib.crc32(packed[:count].data) == sums[at // BLOCK_ROWS]
                np.copyto(wide[:count], packed[:count])
                wide[:count] <<= 13
                wide[:count] &= _SIGN_AND_REST
                np.vecdot(wide[:count].view(np.float32), scaled, out=products[at : at + count])

        threads = os.cpu_count() or 1
        share = -(-rows // (threads * BLOCK_ROWS)) * BLOCK_ROWS
        if rows <= share or threads == 1:
            scan(0)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(scan, range(0, rows, share)))
    if not is_right.all():
        return None
    products[np.frombuffer(tail, "<i4", absent_rows, 4 * blocks)] = np.nan
    return products
