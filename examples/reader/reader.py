"""One small encoder that reads a question beside a passage: four outputs in the time of one embedding.

The idea is Provence's (Chirkova et al. 2025): pruning as labelling of tokens, and reranking, in one pass; with the
answer as a span (BERT; Devlin et al. 2019) and whether it is there at all. The encoder is all-MiniLM-L6-v2, which
embeds already, with the low-rank changes (Hu et al. 2021) of ``adapter.safetensors``, 2.7 MB, which train.py makes.
The first use merges both into one int8 ONNX file in the cache folder; after that neither torch nor transformers is
loaded.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lcrag.embed import BATCH_PIECES, onnx_session, weights_folder
from lcrag.errors import NotAvailable
from lcrag.folders import cache_folder

if TYPE_CHECKING:
    import numpy.typing as npt

ADAPTER: Final = Path(__file__).with_name("adapter.safetensors")
QUESTION, LENGTH = 48, 384
"""Word pieces of a question, and of a question with its passage: what is beyond is not read."""
LONGEST_ANSWER: Final = 30
_CLS, _SEP = 101, 102


@dataclass(frozen=True, slots=True)
class Reading:
    """What one passage says to the question. Scores are logits, comparable between passages of one question.

    ``places``: characters, half-open, of each word piece in the passage, shape (pieces, 2); ``evidence``: P(the piece
    belongs to a sentence that answers), (pieces,). ``answer``: characters of the best span, with ``answer_score``
    above that of no answer; (0, 0) for an empty passage.
    """

    rank: float
    here: float
    answer: tuple[int, int]
    answer_score: float
    places: npt.NDArray[np.int32]
    evidence: npt.NDArray[np.float32]

    def evidence_in(self, start: int, end: int) -> float:
        """The mean over the word pieces that begin in the passage's characters ``start`` to ``end``; 0 for none."""
        inside = (self.places[:, 0] >= start) & (self.places[:, 0] < end)
        return float(self.evidence[inside].mean()) if inside.any() else 0.0


class Reader:
    """Raises NotInstalled when the embedding model's package is missing, NotAvailable when the export fails."""

    def __init__(self) -> None:
        folder = weights_folder()
        target = exported(folder)
        from tokenizers import Tokenizer

        self._session = onnx_session(target)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()

    def read(self, question: str, passages: Sequence[str]) -> list[Reading]:
        """One Reading a passage, in their order; run in batches of like length."""
        asked = self._tokenizer.encode(question, add_special_tokens=False).ids[:QUESTION]
        room = LENGTH - len(asked) - 3
        encoded = self._tokenizer.encode_batch(list(passages), add_special_tokens=False)
        texts = [np.array(one.ids[:room], np.int64) for one in encoded]
        places = [np.array(one.offsets[:room], np.int32).reshape(-1, 2) for one in encoded]
        found: dict[int, Reading] = {}
        left = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        while left:
            longest = len(texts[left[-1]]) + len(asked) + 3
            batch = left[-max(1, BATCH_PIECES // longest) :]
            del left[-len(batch) :]
            ids = np.zeros((len(batch), longest), np.int64)
            segments = np.zeros_like(ids)
            for row, at in enumerate(batch):
                line = [_CLS, *asked, _SEP, *texts[at].tolist(), _SEP]
                ids[row, : len(line)] = line
                segments[row, len(asked) + 2 : len(line)] = 1
            fed = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64), "token_type_ids": segments}
            tokens, first = self._session.run(None, fed)
            for row, at in enumerate(batch):
                own = tokens[row, len(asked) + 2 : len(asked) + 2 + len(texts[at])]
                found[at] = _reading(own, tokens[row, 0], first[row], places[at])
        return [found[at] for at in range(len(texts))]


def _reading(
    own: npt.NDArray[np.float32],
    none: npt.NDArray[np.float32],
    first: npt.NDArray[np.float32],
    places: npt.NDArray[np.int32],
) -> Reading:
    evidence = (1 / (1 + np.exp(-own[:, 2]))).astype(np.float32)
    if not len(own):
        return Reading(float(first[1]), float(first[0]), (0, 0), float("-inf"), places, evidence)
    scores = own[:, None, 0] + own[None, :, 1]
    length = np.arange(len(own))[None, :] - np.arange(len(own))[:, None]
    scores = np.where((length >= 0) & (length < LONGEST_ANSWER), scores, -np.inf)
    start, end = divmod(int(scores.argmax()), len(own))
    span = (int(places[start, 0]), int(places[end, 1]))
    over = float(scores[start, end] - none[0] - none[1])
    return Reading(float(first[1]), float(first[0]), span, over, places, evidence)


def exported(folder: Path) -> Path:
    """The ONNX file, made first if need be: written whole under another name, then renamed."""
    key = hashlib.sha256(ADAPTER.read_bytes()).hexdigest()[:8]
    target = cache_folder() / "models" / f"reader-int8-{key}.onnx"
    if target.exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            fresh = Path(scratch, target.name)
            program = Path(__file__).with_name("export.py")
            command = [sys.executable, "-P", str(program), str(folder), str(ADAPTER), str(fresh)]
            subprocess.run(command, check=True, capture_output=True, text=True, errors="replace")
            fresh.replace(target)
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip() or f"exit status {error.returncode}").splitlines()[-1]
        raise NotAvailable(f"the reader could not be prepared: {reason}") from error
    except OSError as error:
        raise NotAvailable(f"the reader could not be written: {error}", hint="set LCRAG_CACHE_DIR") from error
    return target
