from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.backends.prompt_ids import Ids, PromptIds
from lcrag.text import prompts
from lcrag.types import Passage, Task

Chat = list[dict[str, str]]

TEXTS = st.text(st.characters(exclude_categories=()), max_size=12)
PASSAGES = st.lists(
    st.builds(
        Passage, st.integers(1, 9), st.just("d"), TEXTS, st.just(0), st.just(0), TEXTS, st.just(1), context=TEXTS
    ),
    max_size=3,
).map(tuple)


def rendered(chat: Chat) -> str:
    return "".join(f"<|{message['role']}|>{message['content']}<|end|>" for message in chat)


def by_character(chat: Chat) -> list[int]:
    return list(map(ord, rendered(chat)))


def by_word(chat: Chat) -> list[int]:
    """Words grow together where documents and template meet."""
    return [zlib.crc32(word.encode("utf-8", "replace")) for word in re.findall(r"\S+\s?", rendered(chat))]


def by_length(chat: Chat) -> list[int]:
    """A template that tells before the documents how long they are."""
    return [len(rendered(chat)), *by_character(chat)]


@pytest.mark.parametrize("tokenize", [by_character, by_word, by_length])
@given(PASSAGES, st.lists(TEXTS, min_size=1, max_size=3))
def test_of_gives_the_ids_of_the_whole_prompt(
    tokenize: Callable[[Chat], list[int]], read: tuple[Passage, ...], questions: list[str]
) -> None:
    ids = PromptIds()
    for question in questions:
        task = Task("answer", question, read)
        found = ids.of(task, tokenize)
        whole = tokenize(prompts.messages(task))
        assert json.loads(found.json) == whole
        assert found.count == len(whole)


CHANGES = st.sampled_from(["marker", "source", "context", "text"])


@given(PASSAGES.filter(bool), CHANGES, TEXTS)
def test_of_keeps_documents_apart_that_differ_in_what_is_shown(
    read: tuple[Passage, ...], field: str, text: str
) -> None:
    ids = PromptIds()
    changed = replace(read[0], **{field: read[0].marker + 1 if field == "marker" else text})
    for shown in (read, (changed, *read[1:])):
        task = Task("answer", "?", shown)
        assert json.loads(ids.of(task, by_character).json) == by_character(prompts.messages(task))


def test_of_tokenises_documents_once() -> None:
    seen: list[int] = []

    def tokenize(chat: Chat) -> list[int]:
        seen.append(len(rendered(chat)))
        return by_character(chat)

    ids = PromptIds()
    for question in ("Who?", "When?"):
        passage = Passage(1, "d", "a.md", 0, 0, "word " * 1000, 1)
        ids.of(Task("answer", question, (passage,)), tokenize)
    assert [length > 5000 for length in seen] == [False, True, False]


@given(st.lists(st.integers(0, 200_000)), st.lists(st.integers(0, 200_000)))
def test_ids_add_up_as_lists_do(left: list[int], right: list[int]) -> None:
    both = Ids.of(left) + Ids.of(right)
    assert json.loads(both.json) == left + right
    assert both.count == len(left) + len(right)
