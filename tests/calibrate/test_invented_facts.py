"""Invented facts: the evidence holds the answer, and no distracting sentence does."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.calibrate.invented_facts import FILLERS, filler, invent
from lcrag.types import Kind

seeds = st.integers(0, 2**32)


@pytest.mark.parametrize("kind", ["fact", "paraphrase", "hops", "list", "count", "absent"])
@given(seed=seeds)
def test_invent_gives_evidence_that_its_distractors_do_not_repeat(kind: Kind, seed: int) -> None:
    r = random.Random(seed)
    fact = invent(r, kind)
    assert fact.question
    if kind != "count":
        assert all(any(word in sentence for sentence in fact.evidence) for word in fact.expected)
    distractors = [fact.distract(r) for _ in range(10)]
    assert not set(distractors) & set(fact.evidence)


@given(seeds)
def test_invent_depends_on_the_seed_alone(seed: int) -> None:
    first, second = (invent(random.Random(seed), "hops") for _ in range(2))
    assert (first.evidence, first.question, first.expected) == (second.evidence, second.question, second.expected)


@given(seeds)
def test_invent_counts_the_goods_or_names_the_highest_number(seed: int) -> None:
    fact = invent(random.Random(seed), "count")
    [number] = fact.expected
    if fact.question.startswith("How many"):
        assert int(number) == len(fact.evidence)
    else:
        assert number == max((sentence.split()[-2] for sentence in fact.evidence), key=int)


@given(seeds)
def test_filler_has_no_open_slot(seed: int) -> None:
    text = filler(random.Random(seed))
    assert text not in FILLERS
    assert not set("{}") & set(text)
