"""What every chat model's reply is checked for."""

from __future__ import annotations

import pytest

from lcrag.backends.replies import Speaker, check_fits, without_thinking
from lcrag.errors import DoesNotFit


@pytest.mark.parametrize("text", ["<think>a</think>b", "b", "  <think>\n</think>b"])
def test_without_thinking_leaves_the_answer(text: str) -> None:
    assert without_thinking(text) == "b"


def test_check_fits_refuses_with_the_numbers() -> None:
    check_fits(900, 100, 1000)
    with pytest.raises(DoesNotFit, match="901 tokens and 100") as refused:
        check_fits(901, 100, 1000)
    assert (refused.value.tokens, refused.value.window) == (1001, 1000)


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        ("Ann is here.", "Ann is here."),
        ("NOT FOUND.", ""),
        ("  NOT FOUND", ""),
        ("No.", "No."),
        ("NOT FOUND here", "NOT FOUND here"),
        ("<think>a</think> b", "b"),
        ("<think>a</think> NOT FOUND", ""),
        ("<think>a", ""),
        ("<thing> b", "<thing> b"),
        ("", ""),
    ],
)
def test_speaker_passes_on_the_answer_alone(reply: str, shown: str) -> None:
    for size in (1, 3, 100):
        pieces: list[str] = []
        speaker = Speaker(pieces.append)
        for start in range(0, len(reply), size):
            speaker.say(reply[start : start + size])
        speaker.end()
        assert "".join(pieces) == shown
        assert speaker.spoke is bool(shown)
