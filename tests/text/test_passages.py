"""Passages are the document's own text, in order, under markers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lcrag.text.passages import groups, passages, pieces_of, within
from lcrag.types import Chunk, Passage

TEXTS = {"a": "abcdefghij" * 5, "b": "klmnopqrst" * 5}


def chunks(sizes: list[int], document: str, first: int) -> list[Chunk]:
    joined: list[Chunk] = []
    start = 0
    for number, size in enumerate(sizes):
        text = TEXTS[document][start : start + size]
        joined.append(Chunk(first + number, document, f"{document}.md", start, start + size, text, size))
        start += size
    return joined


SIZES = st.lists(st.integers(1, 9), max_size=5)


@given(SIZES, SIZES, st.randoms(use_true_random=False), st.integers(1, 40), st.data())
def test_passages_are_the_documents_text_in_order(a, b, random, limit, data) -> None:  # type: ignore[no-untyped-def]
    every = chunks(a, "a", 1) + chunks(b, "b", 100)
    taken = [chunk for chunk in every if data.draw(st.booleans())]
    random.shuffle(taken)
    joined = passages(taken, first=3, limit=limit)
    assert [passage.marker for passage in joined] == list(range(3, 3 + len(joined)))
    assert all(passage.text == TEXTS[passage.document_id][passage.start : passage.end] for passage in joined)
    places = [(passage.source, passage.start, passage.end) for passage in joined]
    assert places == sorted(places)
    assert sum(passage.tokens for passage in joined) == sum(chunk.tokens for chunk in taken)
    assert all(passage.tokens <= max(limit, 9) for passage in joined)
    grouped = list(groups(joined, (passage.tokens for passage in joined), limit))
    assert [passage for group in grouped for passage in group] == joined
    assert all(len(group) == 1 or sum(passage.tokens for passage in group) <= limit for group in grouped)


def test_passages_join_neighbours_up_to_the_limit() -> None:
    every = chunks([5, 5, 5], "a", 1)
    assert [passage.end - passage.start for passage in passages(every, limit=10)] == [10, 5]
    assert [passage.end - passage.start for passage in passages([every[0], every[2]])] == [5, 5]


def test_within_takes_whole_chunks_and_at_least_one() -> None:
    every = chunks([5, 5, 5], "a", 1)
    assert within(every, 11) == every[:2]
    assert within(every, 1) == every[:1]
    assert within([], 10) == []


def test_pieces_of_a_passage_are_text_of_the_document() -> None:
    whole = Passage(1, "a", "a.md", 5, 15, TEXTS["a"][5:15], 3)
    assert list(pieces_of(whole)) == [(5, TEXTS["a"][5:15])]
    extract = Passage(1, "a", "a.md", 0, 40, f"{TEXTS['a'][:4]}\n{TEXTS['a'][33:40]}", 3, ((0, 4), (33, 40)))
    assert list(pieces_of(extract)) == [(0, TEXTS["a"][:4]), (33, TEXTS["a"][33:40])]
