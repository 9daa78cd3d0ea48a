"""Errors go from one process to another as they are."""

from __future__ import annotations

import pickle

import pytest

from lcrag.errors import BackendFailed, DoesNotFit, LcragError, NoRoute, NotRunning


@pytest.mark.parametrize(
    "error",
    [
        NotRunning("no server", hint="lcrag up MODEL"),
        DoesNotFit("too long", tokens=9, window=8, hint="--max-tokens 8"),
        BackendFailed("three times", is_lost=True),
        NoRoute("nothing fits"),
    ],
)
def test_errors_are_the_same_after_pickling(error: LcragError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy), copy.exit_code) == (str(error), vars(error), error.exit_code)
