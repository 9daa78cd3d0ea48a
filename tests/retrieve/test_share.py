"""One source has at most its share of what is read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lcrag.retrieve.share import SHARE, with_share
from lcrag.types import Chunk, CorpusSize, Hit, Ranking

SAID = "you said.md"


def ranking(chunks: list[tuple[bool, int]]) -> Ranking:
    """Hits of the source (True) and of another, with their tokens, best first."""
    hits = tuple(
        Hit(Chunk(place, "d", SAID if own else "a.md", place, place + 1, "x", tokens), 1 / (place + 1))
        for place, (own, tokens) in enumerate(chunks)
    )
    return Ranking("who?", hits, (), CorpusSize(2, len(hits), 100, 100), dense=False)


CHUNKS = st.lists(st.tuples(st.booleans(), st.integers(1, 128)), max_size=30)


@given(CHUNKS, st.booleans())
def test_with_share_bounds_the_source_in_every_prefix_and_loses_nothing(
    chunks: list[tuple[bool, int]], first: bool
) -> None:
    before = ranking(chunks)
    after = with_share(before, SAID, [] if first else None).hits
    assert sorted(hit.chunk.id for hit in after) == list(range(len(chunks)))
    for own in (True, False):
        ids = [hit.chunk.id for hit in after if (hit.chunk.source == SAID) is own]
        assert ids == sorted(ids)
    assert [hit.score for hit in after] == sorted((hit.score for hit in after), reverse=True)
    taken = total = 0
    others = sum(hit.chunk.source != SAID for hit in after)
    for hit in after:
        total += hit.chunk.tokens
        taken += hit.chunk.tokens * (hit.chunk.source == SAID)
        others -= hit.chunk.source != SAID
        assert taken <= SHARE * total or not others


def test_with_share_moves_the_source_forward_only_where_it_comes_first() -> None:
    chunks = [(False, 30), (False, 30), (False, 30), (False, 30), (True, 20)]
    late = with_share(ranking(chunks), SAID).hits
    early = with_share(ranking(chunks), SAID, []).hits
    assert [hit.chunk.id for hit in late] == [0, 1, 2, 3, 4]
    assert [hit.chunk.id for hit in early] == [0, 1, 4, 2, 3]


def test_with_share_without_the_source_changes_nothing() -> None:
    before = ranking([(False, 5), (False, 6)])
    assert with_share(before, SAID, []).hits == before.hits
    assert with_share(ranking([]), SAID, []).hits == ()


def test_with_share_adds_chunks_that_have_no_hit() -> None:
    unranked = ranking([(True, 10)]).hits[0].chunk
    after = with_share(ranking([(False, 30), (False, 30)]), SAID, [unranked]).hits
    assert [hit.chunk for hit in after][1] == unranked
    assert [hit.chunk for hit in with_share(ranking([]), SAID, [unranked]).hits] == [unranked]
