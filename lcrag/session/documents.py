"""An index that follows its files: opened, brought up to date, and limited to the documents that are chosen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol, Self

from lcrag import ingest
from lcrag.errors import InputError, NoReadableDocument
from lcrag.index import engine_of, folder_of
from lcrag.index.corpus import Corpus, Refreshed
from lcrag.index.prepare import ParsedFile
from lcrag.index.selection import Selection
from lcrag.ingest import Scan, SourceFile
from lcrag.paths import temporary_folder
from lcrag.retrieve.rank import EmbedBatches
from lcrag.types import Document, Embedder, Emit, Event, Settings, ignore

STDIN: Final = "-"


class Elsewhere(Protocol):
    """Other machines that read files and embed texts for this one: ``lcrag.cluster.files.FilesThere``."""

    def parse_files(
        self, files: Sequence[SourceFile], known: set[bytes]
    ) -> Iterator[tuple[SourceFile, ParsedFile]]: ...
    def embedding(self, embedder: Embedder, named: str | None) -> EmbedBatches: ...


class OpenDocuments:
    """An index, kept up to date with its files. A context manager; it belongs to one thread.

    ``unreadable_files``: files that could not be read, with the reason of each; they never stop the others.
    ``left_out``: these, the files that were read only in part, and what was skipped although it may hold an answer.
    ``emit`` gets the events of what happens next.
    """

    refreshed: Refreshed
    unreadable_files: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...]

    def __init__(
        self,
        settings: Settings,
        corpus: Corpus,
        emit: Emit,
        documents: Sequence[Document] = (),
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """Prefer ``open``."""
        self.settings = settings
        self.corpus = corpus
        self.emit = emit
        self._documents = tuple(documents)
        self._elsewhere = elsewhere
        self._skipped = 0
        self._cleanup = ExitStack()

    @classmethod
    def open(
        cls,
        settings: Settings,
        emit: Emit = ignore,
        *,
        documents: Sequence[Document] = (),
        elsewhere: Elsewhere | None = None,
    ) -> Self:
        """Find the files and bring the index up to date. ``documents``: what to read besides the files. ``elsewhere``:
        who reads the files and embeds all chunks.

        Raises InputError and its kin for paths that are not there or hold nothing readable, or of which nothing is
        chosen.
        """
        if not settings.paths and not documents:
            raise InputError("no path to read from", hint='lcrag ask docs/ "your question"')
        scan = _scan(settings)
        if settings.stdin_text is not None:
            documents = [*documents, ingest.from_text(settings.stdin_text, STDIN)]
        with ExitStack() as cleanup:
            if documents and settings.index is None:
                # What came by a pipe is not kept: two pipes at once would also share one index.
                folder = cleanup.enter_context(temporary_folder(Path(tempfile.gettempdir()), "lcrag"))
            else:
                folder = folder_of(settings.paths, settings.index)
            corpus = cleanup.enter_context(Corpus.open(folder, engine_of(folder, settings.index)))
            opened = cls(settings, corpus, emit, documents, elsewhere)
            corpus.select(_selection(settings))
            opened.refresh(scan)
            opened._cleanup = cleanup.pop_all()
        emit(Event("index", dict(opened.index_info)))
        return opened

    def scan(self) -> Scan:
        """The files that the paths lead to now. Any thread may ask."""
        return _scan(self.settings)

    def refresh(self, scan: Scan | None = None) -> None:
        """Bring the index up to date with the files of ``scan``, or as they are now. Raises what ``open`` raises."""
        scan = self.scan() if scan is None else scan
        parse = None if self._elsewhere is None else self._elsewhere.parse_files
        refreshed = self.corpus.refresh(scan, self.emit, self._documents, parse)
        if self.corpus.whole_size.documents == 0:
            message = ingest.nothing_readable(self.settings.paths, scan.skipped, refreshed.failed)
            raise NoReadableDocument(message, hint=ingest.READABLE)
        self.refreshed = refreshed
        self.unreadable_files = tuple(file for file in refreshed.failed if file[1] != ingest.BLANK)
        self._left_out = self.unreadable_files + refreshed.partly_read + scan.left_out
        self._skipped = sum(map(len, scan.skipped.values())) + len(refreshed.failed)
        self._selected()

    def select(self, only: Iterable[str] = (), since: str | None = None) -> None:
        """Read only these documents from now on: see ``Settings``.

        Raises InputError when none is chosen, or for a pattern or a date that makes no sense; all stays as it was then.
        """
        before, chosen = self.settings, replace(self.settings, only=tuple(only), since=since)
        if chosen == before:
            return
        try:
            self._choose(chosen)
        except InputError:
            self._choose(before)
            raise

    def _choose(self, settings: Settings) -> None:
        self.corpus.select(_selection(settings))
        self.settings = settings
        self._selected()

    def _selected(self) -> None:
        """What depends on the documents that are chosen is found again. Raises InputError when these are none."""
        chosen = _selection(self.settings)
        self.left_out = tuple(file for file in self._left_out if chosen.has(file[0]))
        if self.corpus.size.documents == 0:
            raise InputError(
                f"none of the {self.corpus.whole_size.documents:,} documents is chosen by {chosen}",
                hint=f"the one that was changed last: {self.corpus.newest()}",
            )

    def close(self) -> None:
        """Close the index. What came by a pipe is removed."""
        self._cleanup.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def index_info(self) -> Mapping[str, int]:
        """What is in the index: ``documents``, ``chunks``, ``tokens``, and the number of files ``skipped``."""
        size = self.corpus.size
        return {
            "documents": size.documents,
            "chunks": size.chunks,
            "tokens": size.tokens,
            "skipped": self._skipped,
        }


def _scan(settings: Settings) -> Scan:
    said = [] if settings.transcript is None else [str(settings.transcript)]
    return ingest.discover([path for path in settings.paths if path != STDIN] + said)


def _selection(settings: Settings) -> Selection:
    always = {STDIN} if settings.transcript is None else {STDIN, str(settings.transcript)}
    return Selection(tuple(settings.only), settings.since, frozenset(always))


def path_strings(paths: str | Path | Iterable[str | Path]) -> tuple[str, ...]:
    """One path or several, as a session takes them."""
    return (str(paths),) if isinstance(paths, (str, Path)) else tuple(map(str, paths))
