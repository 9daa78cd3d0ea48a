"""Packed chunks are unpacked unchanged, and chunks of an index are slices of their document."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from lcrag.index.blocks import CHUNKS, pack, unpack
from lcrag.index.corpus import Corpus
from lcrag.ingest import Scan
from lcrag.types import Document, ignore

PASSAGES = st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))))
TEXTS = st.lists(
    st.builds(
        lambda sentence, times: f"# {sentence[:9]}\n\n" + f"{sentence} " * times,
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
        st.integers(0, 400),
    )
    | st.sampled_from(["", "\n", "\0", "港", "\U0001f6a2\r\n\u2028"]),
    min_size=1,
    max_size=3,
)


@given(PASSAGES)
def test_unpack_reverses_pack(passages: list[tuple[str, str]]) -> None:
    packed = pack([context for context, _ in passages], [text for _, text in passages])
    assert [passage for block in packed for passage in unpack(block)] == passages
    assert [len(unpack(block)) for block in packed[:-1]] == [CHUNKS] * (len(packed) - 1)


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.randoms())
def test_corpus_chunks_are_slices_of_their_document(texts: list[str], random: Random) -> None:
    documents = {str(n): Document(str(n), f"<{n}>", text) for n, text in enumerate(texts)}
    with tempfile.TemporaryDirectory() as folder, Corpus.open(Path(folder)) as corpus:
        corpus.refresh(Scan((), {}), ignore, list(documents.values()))
        ids = corpus.chunk_ids()
        random.shuffle(ids)
        for chunk in corpus.get(ids):
            assert chunk.text == documents[chunk.document_id].text[chunk.start : chunk.end]
        assert [chunk.id for chunk in corpus.get(ids[:3])] == ids[:3]
        assert sorted(corpus.get(ids), key=lambda chunk: chunk.id) == sorted(
            corpus.chunks(), key=lambda chunk: chunk.id
        )
        for document in documents.values():
            assert corpus.document(document.id).text == document.text
