"""Tokens are counted as tiktoken counts them: by pieces, and of short texts without it."""

from __future__ import annotations

import string
import subprocess
import sys

import pytest
import tiktoken
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lcrag import token_pieces, tokens

WORDS = st.sampled_from(
    [
        "harbour",
        " The",
        "'LL",
        "don't",
        "’s",
        "“Yes”",
        " – ",
        "…\n",
        "  \n",
        "\r\n\r\n",
        "\t",
        "1234",
        " 3.14",
        "====",
        "\x1c",
    ]
)
PLAIN = st.lists(st.text(st.characters(max_codepoint=127)) | st.text(string.ascii_letters) | WORDS).map("".join)


@pytest.fixture(scope="module")
def encoding() -> tiktoken.Encoding:
    tokens.count("é")  # tells tiktoken where the vocabulary is
    return tiktoken.get_encoding(tokens.ENCODING)


@settings(max_examples=500)
@given(PLAIN)
@example("a" * 300)
@example("x \n")
@example("tail   ")
@example("<|endoftext|> Pneumonoultramicroscopicsilicovolcanoconiosis")
def test_pieces_of_plain_text_have_tiktokens_tokens(encoding: tiktoken.Encoding, text: str) -> None:
    folder = tokens.vocabulary_folder()
    assert folder is not None
    assert token_pieces.is_plain(text)
    expected = len(encoding.encode_ordinary(text))
    assert token_pieces.Pieces(token_pieces.merged(folder / tokens.CACHED_AS)).count(text) == expected
    assert tokens.count(text) == expected


@given(st.text(), PLAIN)
def test_any_text_has_tiktokens_tokens(encoding: tiktoken.Encoding, text: str, plain: str) -> None:
    assert tokens.count_many([text, text + plain]) == [
        len(encoding.encode_ordinary(one)) for one in (text, text + plain)
    ]


def test_what_is_plain_holds_no_letter_digit_or_space_but_asciis() -> None:
    beyond = [chr(code) for code in range(128, sys.maxunicode + 1) if token_pieces.is_plain(chr(code))]
    assert not [one for one in beyond if one.isalnum() or one.isspace()]
    assert {*"–—‘’“”…•"} <= {*beyond}


def test_no_more_pieces_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_pieces, "_MOST", 3)
    pieces = token_pieces.Pieces(len)
    assert pieces.count("one two three four five") == len("one two three four five")
    assert len(pieces) == 2


@pytest.mark.parametrize(
    ("text", "loaded"), [("Who kept the “light”?", False), ("Wer war's in Köln?", True), ("a b " * 2000, True)]
)
def test_tiktoken_is_loaded_for_what_is_long_or_not_plain(text: str, loaded: bool) -> None:
    program = "import sys; from lcrag import tokens; tokens.count(sys.argv[1]); print('tiktoken' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program, text], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str(loaded)
