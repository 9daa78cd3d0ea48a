"""The writer's tokenizer and its chat template (ChatML).

The text of a message is encoded as text: "<|im_end|>" in a document does not end the message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lcrag.text.tokens import load_tokenizer

END: Final = "<|im_end|>"
TEMPLATE: Final = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""The base model's own, without the system message that it puts in where there is none."""

SETTINGS: Final = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<|im_start|>",
    "eos_token": END,
    "pad_token": END,
    "unk_token": "<|endoftext|>",
    "clean_up_tokenization_spaces": False,
}
"""The content of a ``tokenizer_config.json``."""

Message = Mapping[str, str]
"""``role`` and ``content``."""


def tokenizer_json(base: Any) -> str:
    """The content of a ``tokenizer.json`` for the vocabulary of a ``gguf.GGUFReader``.

    Byte-level BPE after splitting off every digit, which the file calls "smollm".
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens, merges, types = (
        base.fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges", "token_type")
    )
    vocabulary = {token: place for place, token in enumerate(tokens)}
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, types, strict=True) if kind == 3]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    return str(tokenizer.to_str())


class ChatTokenizer:
    """Texts and messages to token ids and back."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = load_tokenizer(path)
        self._start: int = self._tokenizer.token_to_id("<|im_start|>")
        self.end: int = self._tokenizer.token_to_id(END)
        self._tokenizer.encode_special_tokens = True  # as text

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text; what looks like a special token is ordinary text."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The ids of ``TEMPLATE`` up to where the assistant's reply begins."""
        texts = [f"{message['role']}\n{message['content']}" for message in messages]
        *filled, newline, reply = self.encode([*texts, "\n", "assistant\n"])
        ids: list[int] = []
        for text in filled:
            ids += [self._start, *text, self.end, *newline]
        return [*ids, self._start, *reply]

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids)))

    def stream(self) -> Any:
        """Gets ids one by one and returns the text that they complete, or None."""
        from tokenizers.decoders import DecodeStream

        stream = DecodeStream(skip_special_tokens=True)
        return lambda token: stream.step(self._tokenizer, token)
