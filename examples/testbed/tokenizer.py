"""Trains the test bed's tokenizer on generated prompts and writes it to tokenizer/: ``python tokenizer.py``.

Byte-level BPE of 4,096 tokens. Digits stand alone, so that markers, codes and counts are read digit by digit; lcrag's
fixed prompt strings are in every training text, so each of their words is one token. The model has its own tokens
because a large vocabulary would be most of its parameters.
"""

from __future__ import annotations

import json
import random
import re
from typing import Final

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from worlds import END, END_OF_TEXT, HERE, ROLES, SPECIAL_TOKENS, training_document

VOCABULARY: Final = 4096
CHARACTERS: Final = 3_000_000
SEED: Final = 20_001
PIECES: Final = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def generated(r: random.Random, characters: int) -> list[str]:
    """Training texts of every role and several lengths."""
    texts = []
    while characters > 0:
        segments = training_document(r, r.choice((256, 512, 1024, 2048)), r.choice(ROLES))
        texts.append("".join(text for text, _ in segments))
        characters -= len(texts[-1])
    return texts


def trained(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    between = re.compile("|".join(map(re.escape, SPECIAL_TOKENS)))
    tokenizer.train_from_iterator((part for text in texts for part in between.split(text)), trainer)
    return tokenizer


def main() -> None:
    r = random.Random(SEED)
    tokenizer = trained(generated(r, CHARACTERS))
    folder = HERE / "tokenizer"
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 32768,
        "bos_token": None,
        "eos_token": END,
        "pad_token": END_OF_TEXT,
        "additional_special_tokens": list(SPECIAL_TOKENS[1:2]),
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    fresh = generated(r, CHARACTERS // 10)
    tokens = sum(len(tokenizer.encode(text, add_special_tokens=False).ids) for text in fresh)
    print(f"{tokenizer.get_vocab_size()} tokens; {sum(map(len, fresh)) / tokens:.2f} characters a token")


if __name__ == "__main__":
    main()
