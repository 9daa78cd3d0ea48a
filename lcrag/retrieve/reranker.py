"""A small cross-encoder that reads a question together with a text: four outputs in the time of one embedding.

The idea is Provence's (Chirkova et al. 2025): pruning as labelling of tokens, and reranking, in one pass; here also the
answer as a span (BERT; Devlin et al. 2019) and whether there is one. The encoder is the embedder's all-MiniLM-L6-v2
with the low-rank changes (Hu et al. 2021) of ``adapter.safetensors``, 2.7 MB, trained by ``examples/reader/train.py``.
The first use merges both into one int8 ONNX file in the cache folder; after that neither torch nor transformers is
loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lcrag.paths import cache_folder
from lcrag.retrieve.ahead import loaded
from lcrag.retrieve.encoder import (
    TO_EXPORT,
    TO_RUN,
    WEIGHTS,
    batches,
    fingerprint,
    open_exported,
    require,
    weights_folder,
    word_pieces,
)
from lcrag.types import Relevance

if TYPE_CHECKING:
    import numpy.typing as npt

ADAPTER: Final = Path(__file__).with_name("adapter.safetensors")
QUESTION, LENGTH = 48, 384
"""Word pieces that are read of a question, and of a question with its text."""
LONGEST_ANSWER: Final = 30
_CLS, _SEP = 101, 102


def model_file() -> Path:
    """Where the exported reader is or will be. Raises NotInstalled without its weights."""
    return cache_folder() / "models" / f"reader-int8-{fingerprint(weights_folder() / WEIGHTS, ADAPTER)}.onnx"


def open_model(model: Path) -> Any:
    """Its session. Raises as ``lcrag.retrieve.encoder.exported``."""
    return open_exported(model, "reader", "--reader off", ADAPTER)


class MiniLMReranker:
    """Created in a millisecond: the first ``read`` loads the model, the first one ever exports it (12 s).

    Remembers what it has read with the last question. Raises NotInstalled if a package is missing and, at the first
    ``read``, NotAvailable if the export fails. ``model``: an ONNX file instead of the adapter's.
    """

    def __init__(self, model: Path | None = None) -> None:
        require(TO_RUN)
        self._is_built_in = model is None
        self._model = model or model_file()
        if not self._model.exists():
            require(TO_EXPORT)
        self._last: tuple[str, dict[str, Relevance]] = ("", {})

    @property
    def name(self) -> str:
        return self._model.stem

    @cached_property
    def _session(self) -> Any:
        ahead = loaded("reader") if self._is_built_in else None
        return ahead or open_model(self._model)

    def read(self, question: str, texts: Sequence[str]) -> list[Relevance]:
        """One Relevance per text, in their order."""
        last, known = self._last
        if last != question:
            known = {}
            self._last = (question, known)
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, self._read(question, new), strict=True))
        return [known[text] for text in texts]

    def _read(self, question: str, texts: Sequence[str]) -> list[Relevance]:
        """The same without the memory, in batches of similar length."""
        tokenizer = word_pieces()
        asked = tokenizer.encode(question, add_special_tokens=False).ids[:QUESTION]
        room = LENGTH - len(asked) - 3
        encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        pieces = [np.array(encoding.ids[:room], np.int64) for encoding in encoded]
        places = [np.array(encoding.offsets[:room], np.int32).reshape(-1, 2) for encoding in encoded]
        results: dict[int, Relevance] = {}
        lengths = [len(own) + len(asked) + 3 for own in pieces]
        for batch in batches(lengths):
            ids = np.zeros((len(batch), max(lengths[at] for at in batch)), np.int64)
            segments = np.zeros_like(ids)
            for row, at in enumerate(batch):
                line = [_CLS, *asked, _SEP, *pieces[at].tolist(), _SEP]
                ids[row, : len(line)] = line
                segments[row, len(asked) + 2 : len(line)] = 1
            inputs = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64), "token_type_ids": segments}
            tokens, first = self._session.run(None, inputs)
            for row, at in enumerate(batch):
                own = tokens[row, len(asked) + 2 : len(asked) + 2 + len(pieces[at])]
                results[at] = _relevance(own, tokens[row, 0], first[row], places[at])
        return [results[at] for at in range(len(pieces))]


def _relevance(
    own: npt.NDArray[np.float32],
    none: npt.NDArray[np.float32],
    first: npt.NDArray[np.float32],
    places: npt.NDArray[np.int32],
) -> Relevance:
    evidence = (1 / (1 + np.exp(-own[:, 2]))).astype(np.float32)
    if not len(own):
        return Relevance(float(first[1]), float(first[0]), (0, 0), float("-inf"), places, evidence)
    scores = own[:, None, 0] + own[None, :, 1]
    length = np.arange(len(own))[None, :] - np.arange(len(own))[:, None]
    scores = np.where((length >= 0) & (length < LONGEST_ANSWER), scores, -np.inf)
    start, end = divmod(int(scores.argmax()), len(own))
    span = (int(places[start, 0]), int(places[end, 1]))
    over = float(scores[start, end] - none[0] - none[1])
    return Relevance(float(first[1]), float(first[0]), span, over, places, evidence)
