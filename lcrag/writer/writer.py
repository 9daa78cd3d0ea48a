"""The writer: greedy text, token counts and the probabilities of first words, on this machine's processor."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from lcrag.errors import DoesNotFit, NotInstalled
from lcrag.text.loops import loop_start
from lcrag.types import OnToken
from lcrag.writer import prepare
from lcrag.writer.beams import log_shares, search
from lcrag.writer.runtime import missing_packages, open_model, openvino, require
from lcrag.writer.tokenizer import ChatTokenizer, Message
from lcrag.writer.weights import ADAPTER, WINDOW, base_file

if TYPE_CHECKING:
    import numpy.typing as npt

BLOCK: Final = 2048
"""Tokens of a prompt that are read at once: 1,241 take 0.46 s on two cores, in blocks of 256 1.22 s. A prompt that
begins like the last one is read from the first block that differs, with the same numbers as if read from the start."""
LOOK_FOR_LOOP: Final = 32
"""After so many tokens each time."""

_log = logging.getLogger("lcrag")


@dataclass(frozen=True, slots=True)
class Written:
    """``finish``: "stop", "length" when it was cut at the limit, "loop" when it repeated itself and was cut there."""

    text: str
    input_tokens: int
    output_tokens: int
    finish: Literal["stop", "length", "loop"]


def available() -> bool:
    """Whether the base weights and the packages are installed; imports none of them."""
    try:
        base_file()
    except NotInstalled:
        return False
    return not missing_packages()


class Writer:
    """Created in a few milliseconds; the first use loads the model (0.2 s), the first one ever prepares it (5 s).

    ``adapter`` None: the base model. One prompt at a time; threads wait for each other. Raises NotInstalled without
    the base weights or a package and, at the first use, NotAvailable if the cache folder cannot be written.
    """

    window: Final = WINDOW

    def __init__(self, adapter: Path | None = ADAPTER) -> None:
        self._base = base_file()
        require()
        self._adapter = adapter
        self._read: list[int] = []
        self._lock = RLock()

    @cached_property
    def name(self) -> str:
        """Changes with the weights."""
        return f"SmolLM2-135M/int8/{prepare.key(self._base, self._adapter)}"

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text."""
        return [len(ids) for ids in self._tokenizer.encode(texts)]

    def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of a prompt with its chat template."""
        return len(self._tokenizer.prompt(messages))

    def generate(
        self, prompts: Sequence[Sequence[Message]], max_tokens: int, on_token: OnToken | None = None
    ) -> list[Written]:
        """The most probable reply to each prompt, token by token, of at most ``max_tokens``.

        ``on_token`` gets each piece of text as it is written, when there is one prompt. Raises DoesNotFit for a prompt
        that leaves no room in the window; replies end where the window does.
        """
        listener = on_token if len(prompts) == 1 else None
        with self._lock:
            return [self._write(self._prompt(messages), max_tokens, listener) for messages in prompts]

    def odds(self, messages: Sequence[Message], words: Sequence[str]) -> list[float]:
        """For each word the probability that the reply begins with the word's first token. Raises DoesNotFit."""
        firsts = [ids[0] for ids in self._tokenizer.encode(words)]
        with self._lock:
            [logs] = log_shares(self._logits(self._prompt(messages))[None])
        return [math.exp(logs[first]) for first in firsts]

    def several(
        self, messages: Sequence[Message], allows: Callable[[str, bool], bool], width: int, max_tokens: int
    ) -> list[tuple[str, float]]:
        """The most probable replies that are allowed, at most ``width``, with their probabilities. ``allows``: whether
        a text may begin a reply, or (True) be one. Raises DoesNotFit."""
        tokenizer, end = self._tokenizer, self._tokenizer.end

        def is_allowed(tokens: Sequence[int]) -> bool:
            is_ended = tokens[-1] == end
            return allows(tokenizer.decode(list(tokens[:-1] if is_ended else tokens)), is_ended)

        with self._lock:
            prompt = self._prompt(messages)
            first = self._logits(prompt)[None]
            self._read = []  # afterwards the state holds other rows
            length = len(prompt)

            def step(tokens: Sequence[int], rows: Sequence[int]) -> npt.NDArray[np.float32]:
                nonlocal length
                length += 1
                return self._infer([[token] for token in tokens], length - 1, rows)

            found = search(first, step, is_allowed, end, width, min(max_tokens, WINDOW - len(prompt)))
        return [(tokenizer.decode(list(beam.tokens[:-1])).strip(), math.exp(beam.log)) for beam in found]

    @cached_property
    def _folder(self) -> Path:
        return prepare.prepared(self._base, self._adapter)

    @cached_property
    def _tokenizer(self) -> ChatTokenizer:
        return ChatTokenizer(self._folder / prepare.TOKENIZER)

    @cached_property
    def _request(self) -> Any:
        try:
            return open_model(self._folder)
        except RuntimeError as error:
            _log.warning("the writer at %s is damaged: %s", self._folder, error)
            shutil.rmtree(self._folder)
            return open_model(prepare.prepared(self._base, self._adapter))

    def _prompt(self, messages: Sequence[Message]) -> list[int]:
        ids = self._tokenizer.prompt(messages)
        if len(ids) >= WINDOW:
            raise DoesNotFit(
                f"a prompt of {len(ids):,} tokens for the writer's window of {WINDOW:,}", tokens=len(ids), window=WINDOW
            )
        return ids

    def _write(self, prompt: list[int], max_tokens: int, on_token: OnToken | None) -> Written:
        logits = self._logits(prompt)
        stream = self._tokenizer.stream()
        written: list[int] = []
        finish: Literal["stop", "length", "loop"] = "length"
        limit = min(max_tokens, WINDOW - len(prompt))
        while len(written) < limit:
            token = int(logits.argmax())
            if token == self._tokenizer.end:
                finish = "stop"
                break
            written.append(token)
            if on_token and (piece := stream(token)):
                on_token(piece)
            if len(written) % LOOK_FOR_LOOP == 0 and loop_start(self._tokenizer.decode(written)):
                break
            if len(written) < limit:
                logits = self._step([token])
        text = self._tokenizer.decode(written)
        if loop := loop_start(text):
            text, finish = text[:loop], "loop"
        return Written(text.strip(), len(prompt), len(written), finish)

    def _logits(self, prompt: list[int]) -> npt.NDArray[np.float32]:
        """The logits after a prompt of one token or more."""
        same = next(
            (place for place, (old, new) in enumerate(zip(self._read, prompt, strict=False)) if old != new),
            min(len(self._read), len(prompt)),
        )
        self._forget_from(min(same, len(prompt) - 1) // BLOCK * BLOCK)
        for start in range(len(self._read), len(prompt), BLOCK):
            logits = self._step(prompt[start : start + BLOCK])
        return logits

    def _forget_from(self, length: int) -> None:
        """Shorten the KV cache to this many tokens."""
        if length == 0:
            self._request.reset_state()
        elif length < len(self._read):
            for state in self._request.query_state():
                kept = np.ascontiguousarray(state.state.data[:, :, :length])
                state.state = openvino().Tensor(kept)
        del self._read[length:]

    def _step(self, ids: list[int]) -> npt.NDArray[np.float32]:
        """Read these tokens after what has been read; the logits of the next one."""
        read, self._read = self._read, []  # so that an interrupted call leaves nothing to build on
        logits: npt.NDArray[np.float32] = self._infer([ids], len(read), [0])[0]
        self._read = read + ids
        return logits

    def _infer(self, ids: Sequence[Sequence[int]], start: int, rows: Sequence[int]) -> npt.NDArray[np.float32]:
        """Logits (rows x vocabulary) after these tokens at place ``start``, each row after one of the call before."""
        places = np.arange(start, start + len(ids[0]), dtype=np.int64)
        inputs = {
            "input_ids": np.array(ids, np.int64),
            "position_ids": np.tile(places, (len(ids), 1)),
            "beam_idx": np.array(rows, np.int32),
        }
        self._request.infer(inputs, share_inputs=True)
        return np.array(self._request.get_tensor("logits").data, np.float32)
