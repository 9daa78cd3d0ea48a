"""Beam search over a model of four tokens whose replies are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from lcrag.writer import beams
from lcrag.writer.beams import search

END = 3
SHARES = {
    (): (0.6, 0.4, 0.0, 0.0),
    (0,): (0.1, 0.1, 0.0, 0.8),
    (1,): (0.0, 0.0, 0.1, 0.9),
}
SURE_END = (0.0, 0.0, 0.0, 1.0)


class Model:
    """``rows``: what each row has read."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, ...]] = [()]

    def logits(self) -> npt.NDArray[np.float32]:
        return np.log(np.array([SHARES.get(row, SURE_END) for row in self.rows], np.float32) + 1e-12)

    def step(self, tokens: Sequence[int], rows: Sequence[int]) -> npt.NDArray[np.float32]:
        self.rows = [(*self.rows[row], token) for row, token in zip(rows, tokens, strict=True)]
        return self.logits()


@pytest.fixture(autouse=True)
def few_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beams, "TRIED", 3)


def found(width: int, forbidden: Sequence[tuple[int, ...]] = (), most: int = 5) -> dict[tuple[int, ...], float]:
    model = Model()
    listed = search(model.logits(), model.step, lambda tokens: tuple(tokens) not in forbidden, END, width, most)
    return {beam.tokens: round(math.exp(beam.log), 3) for beam in listed}


def test_search_finds_the_likeliest_replies_best_first() -> None:
    replies = found(width=4)
    assert list(replies.items())[:2] == [((0, 3), 0.48), ((1, 3), 0.36)]
    assert {reply: replies[reply] for reply in ((0, 0, 3), (0, 1, 3)) if reply in replies} == {
        (0, 0, 3): 0.06,
        (0, 1, 3): 0.06,
    }


def test_search_of_one_beam_is_greedy() -> None:
    assert found(width=1) == {(0, 3): 0.48}


def test_search_keeps_probabilities_of_the_model_where_others_are_forbidden() -> None:
    assert list(found(width=2, forbidden=[(0,)]).items()) == [((1, 3), 0.36), ((1, 2, 3), 0.04)]
    assert list(found(width=1, forbidden=[(0, 3), (0, 1)])) == [(0, 0, 3)]


def test_search_finds_nothing_where_nothing_is_allowed_or_all_is_too_long() -> None:
    assert found(width=2, forbidden=[(0,), (1,), (2,), (3,)]) == {}
    assert found(width=2, most=1) == {}
