"""The words of servers that refuse a request."""

from __future__ import annotations

from typing import Any

import pytest

from lcrag.backends.refusals import error_text, is_too_long, refused_field, window_and_tokens

SENT: dict[str, Any] = {
    "messages": [{"role": "system"}, {"role": "user"}],
    "max_tokens": 50,
    "temperature": 0.0,
    "seed": 0,
    "stream": True,
    "stream_options": {},
}


@pytest.mark.parametrize(
    ("message", "window", "tokens"),
    [
        # vLLM and OpenAI
        (
            "This model's maximum context length is 4096 tokens. However, you requested 8294 tokens (7270 in the "
            "messages, 1024 in the completion). Please reduce the length of the messages or completion.",
            4096,
            8294,
        ),
        (
            "This model's maximum context length is 4096 tokens. However, your prompt contains 99999 characters (more "
            "than 40960 characters, which is the upper bound for 4096 input tokens).",
            4096,
            None,
        ),
        (
            "You passed 5001 input tokens and requested 1024 output tokens. However, the model's context length is "
            "only 4096 tokens, resulting in a maximum input length of 3072 tokens.",
            4096,
            5001,
        ),
        ("The decoder prompt (length 88049) is longer than the maximum model length of 32768.", 32768, 88049),
        ("Input length (5000) exceeds model's maximum context length (4096).", 4096, 5000),
        (
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 305127 tokens.",
            272000,
            305127,
        ),
        ("Your input exceeds the context window of this model. context_length_exceeded", None, None),
        # SGLang
        ("The input (5000 tokens) is longer than the model's context length (4096 tokens).", 4096, 5000),
        # llama.cpp and its Python server
        ("request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it", 4096, 9000),
        ("the request exceeds the available context size. (n_prompt_tokens: 1407) (n_ctx: 256)", 256, 1407),
        ("Requested tokens (516) exceed context window of 512", 512, 516),
        # Ollama
        ("the prompt is longer than the context length currently available to the model", None, None),
        ("the input length exceeds the context length", None, None),
        # LM Studio
        (
            "Trying to keep the first 10136 tokens when context the overflows. However, the model is loaded with "
            "context length of only 7866 tokens, which is not enough.",
            7866,
            10136,
        ),
        ("Cannot truncate prompt with n_keep (15028) >= n_ctx (7424)", 7424, 15028),
        ("The number of tokens to keep from the initial prompt is greater than the context length.", None, None),
        # others
        ("`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens", 4096, 5000),
        ("prompt is too long: 210000 tokens > 200000 maximum", 200000, 210000),
        ("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000", 200000, None),
        ("This model's maximum prompt length is 8,192 but the request contains 9,000 tokens.", 8192, 9000),
    ],
)
def test_window_and_tokens_reads_the_numbers(message: str, window: int | None, tokens: int | None) -> None:
    assert is_too_long(message)
    assert window_and_tokens(message) == (window, tokens)


@pytest.mark.parametrize("message", ["Rate limit reached: 5000 tokens per minute", "bad request", "seed: 4096"])
def test_is_too_long_is_false_for_other_refusals(message: str) -> None:
    assert not is_too_long(message)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Unrecognized request argument supplied: seed", "seed"),
        ("property 'seed' is unsupported", "seed"),
        ("body stream_options Extra inputs are not permitted", "stream_options"),
        ("Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.", "max_tokens"),
        ("Unsupported value: 'temperature' does not support 0 with this model.", "temperature"),
        ("System role not supported", "system"),
        ("Only user and assistant roles are supported!", "system"),
        ("Conversation roles must alternate user/assistant/user/assistant/...", "system"),
        ("Developer instruction is not enabled for models/gemma-3", "system"),
        ("Your organization must be verified to stream this model.", "stream"),
        ("Extra inputs are not permitted", "stream_options"),
        ("The model does not exist", None),
    ],
)
def test_refused_field_is_the_one_that_is_named(message: str, name: str | None) -> None:
    assert refused_field(message, SENT) == name


def test_refused_field_is_none_for_what_was_not_sent() -> None:
    assert refused_field("Unrecognized request argument supplied: seed", {"messages": [], "max_tokens": 5}) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "no", "param": "seed"}}', "no seed"),
        ('{"error": "no"}', "no"),
        ('{"message": "no", "code": 3}', "no"),
        ('{"detail": [{"msg": "no", "loc": ["body", "seed"], "input": {"temperature": 0}}]}', "no body seed"),
        ('{"error": {"message": "long", "n_prompt_tokens": 9, "n_ctx": 8}}', "long (n_prompt_tokens: 9) (n_ctx: 8)"),
        ("<html>\nno", "<html>"),
        ("[" * 100_000, "[" * 100_000),
        ("{}", "no reason given"),
    ],
)
def test_error_text_leaves_out_what_repeats_the_request(body: str, words: str) -> None:
    assert error_text(body) == words
