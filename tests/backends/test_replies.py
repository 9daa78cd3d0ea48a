"""What every chat model's reply is checked for."""

from __future__ import annotations

from typing import Any

import pytest

from lcrag.backends.replies import Speaker, begins_in_thinking, check_fits, reply_text, without_thinking
from lcrag.errors import BackendFailed, DoesNotFit
from lcrag.types import Task

HARMONY = "<|channel|>analysis<|message|>a?<|end|><|start|>assistant<|channel|>final<|message|>b"


@pytest.mark.parametrize(
    "text",
    [
        "b",
        "<think>a</think>b",
        "  <think>\n</think>b",
        "<thinking>a</thinking>\n b",
        "<reasoning>a</reasoning>b",
        "<seed:think>a</seed:think>b",
        "[THINK]a[/THINK]b",
        "◁think▷a◁/think▷b",
        "<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b",
        "a, or b? No.\n</think>\n\nb",
        "a</think>b",
        "<think>a</think><think>c</think>b",
        HARMONY,
        f"<|start|>assistant{HARMONY}<|return|>",
        "<|channel|>commentary to=functions<|constrain|>json<|message|>{}<|call|><|channel|>final<|message|>b",
        "analysisThe user asks.assistantfinalb",
        "b<|im_end|>",
        "b </s>",
    ],
)
def test_without_thinking_leaves_the_answer(text: str) -> None:
    assert without_thinking(text) == "b"


@pytest.mark.parametrize(
    "text", ["<think>a", "a</think>", "[THINK]a", "<|channel|>analysis<|message|>a", " <thinking> "]
)
def test_without_thinking_is_empty_where_there_is_no_answer(text: str) -> None:
    assert without_thinking(text).strip() == ""


@pytest.mark.parametrize(
    "text", ["It is put into `<think>` and `</think>` tags [1].", 'Written "</think>" [1].', "a < b"]
)
def test_without_thinking_leaves_tags_that_are_quoted(text: str) -> None:
    assert without_thinking(text) == text
    assert not begins_in_thinking(text)


def test_begins_in_thinking_only_without_a_tag_that_opens_it() -> None:
    assert begins_in_thinking("a</think>b")
    assert not begins_in_thinking("<think>a</think>b")
    assert not begins_in_thinking("b")


@pytest.mark.parametrize(
    ("reply", "given", "reason"),
    [
        ("", {"finish": "stop"}, "the reply is empty"),
        ("", {"finish": "stop", "thought": True}, "holds thinking and no answer"),
        ("", {"finish": "length", "thought": True}, "all 50 tokens of the reply went into thinking"),
        ("<think>a", {"finish": "length"}, "all 50 tokens of the reply went into thinking"),
        ("", {"finish": "content_filter"}, "content filter"),
        ("The dome was", {"finish": "content_filter"}, "content filter"),
        ("", {"finish": "tool_calls"}, "calls a tool"),
        ("", {"finish": "stop", "refusal": "I cannot."}, "refuses: I cannot."),
    ],
)
def test_reply_text_fails_with_the_reason_for_a_reply_without_an_answer(
    reply: str, given: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BackendFailed, match=reason):
        reply_text(Task("answer", "Who?"), reply, 50, **given)


def test_reply_text_does_not_take_a_judges_thinking_for_its_verdict() -> None:
    assert reply_text(Task("judge", "Who?"), "<think>yes?</think>no", 50) == "no"
    assert reply_text(Task("judge", "Who?"), "<think>yes, or", 50, finish="length") == "no"


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
        ("a < b and <i>c</i>", "a < b and <i>c</i>"),
        ("[THINK]a[/THINK]b", "b"),
        (HARMONY, "b"),
        (HARMONY + "<|return|>", "b"),
        ("<|channel|>analysis<|message|>a", ""),
        ("b<|im_end|>", "b"),
        ("analysis of it", "analysis of it"),
        ("analysisHm.assistantfinalb", "b"),
        ("<think>" + "hm, " * 100 + "</think>\nAnn is here.", "Ann is here."),
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


def test_speaker_waits_for_the_tag_where_the_reply_begins_with_thinking() -> None:
    pieces: list[str] = []
    speaker = Speaker(pieces.append, thinks_first=True)
    for piece in ("Ann or ", "Ben?", "\n</thi", "nk>\n", "\nAnn", " [1]."):
        speaker.say(piece)
        assert pieces == [] or "</think>" not in "".join(pieces)
    assert "".join(pieces) == "Ann [1]."
    speaker = Speaker(pieces.append, thinks_first=True)
    speaker.say("Ben.")
    speaker.end()
    assert "".join(pieces) == "Ann [1].Ben."


def test_reply_text_has_the_brackets_of_the_document_again() -> None:
    text = reply_text(Task("answer", "How does a turn end?"), "With ‹|im_end|>, once with ⟦/INST] [1].", 50)
    assert text == "With <|im_end|>, once with [/INST] [1]."
