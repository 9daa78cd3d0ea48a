"""Tokens are those of tiktoken's cl100k_base, counted without network and without changing the process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from lcrag.errors import NotInstalled
from lcrag.text import tokens


@pytest.fixture(scope="module")
def reference() -> Iterator[tiktoken.Encoding]:
    """tiktoken's own encoding, from the same file."""
    path = tokens.vocabulary_file()
    assert path is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(path.parent))
        yield tiktoken.get_encoding("cl100k_base")


@pytest.fixture
def unloaded() -> Iterator[None]:
    """As in a new process, before and after."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    for function in (tokens._encoding, tokens._lines, tokens.vocabulary_file):
        function.cache_clear()
    tokens._times = 0


@given(st.text(st.characters(codec="utf-8")) | st.text("aA1 \n\r\t'.,é中👩🏽", max_size=40))
def test_count_is_tiktokens(reference: tiktoken.Encoding, text: str) -> None:
    assert tokens.count(text) == len(reference.encode_ordinary(text))


@given(st.text(st.characters(codec="utf-8")) | st.text("aA1 \n\r\t'.,é中👩🏽", max_size=40))
def test_count_is_tiktokens_with_a_part_of_the_vocabulary(reference: tiktoken.Encoding, text: str) -> None:
    encoding = tokens._encoding_of([text])
    assert encoding is not None
    assert encoding.encode_ordinary(text) == reference.encode_ordinary(text)


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize("texts", [["harbour"] * 600, ["x" * 3000]], ids=["many", "long"])
def test_count_many_takes_the_whole_vocabulary_for_much(texts: list[str]) -> None:
    tokens.count_many(["harbour"])
    assert tokens._encoding.cache_info().currsize == 0
    tokens.count_many(texts)
    assert tokens._encoding.cache_info().currsize == 1


@pytest.mark.usefixtures("unloaded")
def test_count_takes_the_whole_vocabulary_when_called_often() -> None:
    counted = [tokens.count("harbour") for _ in range(tokens.OFTEN + 1)]
    assert counted == [2] * (tokens.OFTEN + 1)
    assert tokens._encoding.cache_info().currsize == 1


@pytest.mark.usefixtures("unloaded")
def test_count_builds_no_part_of_a_vocabulary_that_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[str] = []
    monkeypatch.setattr(tokens, "_encoding_of", parts.extend)
    tokens.count_many(["harbour"] * 600)
    assert tokens.count("harbour") == 2
    assert parts == []


def test_count_many_counts_special_tokens_as_text(reference: tiktoken.Encoding) -> None:
    texts = ["", "harbour", "<|endoftext|>", "It's 1931.\r\n\n  Don't!", "港口于一九三一年开放。", "x" * 5000]
    assert tokens.count_many(texts) == [len(reference.encode_ordinary(text)) for text in texts]
    assert tokens.count("<|endoftext|>") > 1


def test_count_leaves_the_environment_alone() -> None:
    program = (
        "import os; before = dict(os.environ)\nfrom lcrag.text.tokens import count\nassert count('harbour') == 2\n"
        "assert dict(os.environ) == before"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TIKTOKEN_CACHE_DIR"}
    root = Path(tokens.__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root, env=environment)


@pytest.mark.usefixtures("unloaded")
def test_count_loads_the_vocabulary_once_for_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    encoding = tiktoken.Encoding

    def slow(name: str, **options: object) -> tiktoken.Encoding:
        loaded.append(name)
        time.sleep(0.2)
        return encoding(name, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(tiktoken, "Encoding", slow)
    threads = [threading.Thread(target=tokens.count, args=("harbour " * tokens.FEW,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == ["cl100k_base"]


@pytest.mark.usefixtures("unloaded")
def test_count_estimates_without_a_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert tokens.tokenizer_name().startswith("estimate")
    assert tokens.count_many(["", "abcd", "abcde"]) == [0, 1, 2]


@pytest.mark.usefixtures("unloaded")
def test_count_prefers_the_users_cache_and_refuses_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / tokens.VOCABULARY).write_text("aGFy 0\n")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    with pytest.raises(NotInstalled, match="damaged") as caught:
        tokens.count("harbour")
    assert str(tmp_path) in str(caught.value)
    assert (tmp_path / tokens.VOCABULARY).exists()
