"""Tokens of short texts are counted as tiktoken counts them, and without it."""

from __future__ import annotations

import string
import subprocess
import sys

import pytest
import tiktoken
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lcrag import short_tokens, tokens

WORDS = st.sampled_from(["harbour", " The", "'LL", "don't", "  \n", "\r\n\r\n", "\t", "1234", " 3.14", "=====", "\x1c"])
ASCII = st.lists(st.text(st.characters(max_codepoint=127)) | st.text(string.ascii_letters) | WORDS).map("".join)


@pytest.fixture(scope="module")
def encoding() -> tiktoken.Encoding:
    tokens.count("é")  # tells tiktoken where the vocabulary is
    return tiktoken.get_encoding(tokens.ENCODING)


@settings(max_examples=500)
@given(ASCII)
@example("a" * 300)
@example("x \n")
@example("tail   ")
@example("<|endoftext|> Pneumonoultramicroscopicsilicovolcanoconiosis")
def test_short_counts_are_tiktokens(encoding: tiktoken.Encoding, text: str) -> None:
    folder = tokens.vocabulary_folder()
    assert folder is not None
    assert short_tokens.count(text, folder / tokens.CACHED_AS) == len(encoding.encode_ordinary(text))


@pytest.mark.parametrize(
    ("text", "loaded"), [("Who kept the light?", False), ("Wer war's in Köln?", True), ("a b " * 2000, True)]
)
def test_tiktoken_is_loaded_for_what_is_long_or_not_ascii(text: str, loaded: bool) -> None:
    program = "import sys; from lcrag import tokens; tokens.count(sys.argv[1]); print('tiktoken' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program, text], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(loaded)
