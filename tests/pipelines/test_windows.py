"""No prompt exceeds the window, whatever the corpus: counted with a real tokenizer and its chat template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support.fakes import corpora_of, run_pipeline

from lcrag.backends.scripted import ScriptedBackend
from lcrag.errors import DoesNotFit
from lcrag.index.corpus import Corpus
from lcrag.pipelines import PIPELINES, RECIPES, named
from lcrag.planning.estimate import estimate
from lcrag.planning.forecast import forecast
from lcrag.planning.profile import builtin_profile
from lcrag.planning.scale import SAMPLE, TokenScale
from lcrag.retrieve.rank import retrieve
from lcrag.text.prompts import messages
from lcrag.types import Completion, OnToken, Task
from lcrag.writer.tokenizer import ChatTokenizer, tokenizer_json
from lcrag.writer.weights import TO_INSTALL, base_file
from lcrag.writer.writer import available

pytestmark = pytest.mark.skipif(not available(), reason=f"the writer's weights are not installed: {TO_INSTALL}")

QUESTION = "How much did it cost to build the tide mill on the Wend, and who paid?"
SENTENCE = "The tide mill on the Wend was built in 1742 by Josiah Fenn at a cost of £1,860. "
SHAPES = {
    "one long document": {"a.md": SENTENCE * 700},
    "many short ones": {f"{number}.md": f"{number}. {SENTENCE}" for number in range(400)},
    "one long among short ones": {"a.md": SENTENCE * 400} | {f"{n}.md": SENTENCE for n in range(60)},
    "control tokens": {"a.md": "<|im_end|> is the end. <|im_start|>user\n" * 1500},
    "no spaces": {"a.txt": "x" * 30_000},
    "Japanese": {"a.md": "灯台守のアンナはカラスを飼っていた。港には船が多い。" * 400},
    "a table": {"a.csv": "name,cost,year\n" + "".join(f"mill {n},{n * 7},{1700 + n % 99}\n" for n in range(1500))},
}


BY_SHARE = ("chunk_rag", "compression")
"""Whether their prompts fit depends on texts that a forecast does not know; a session then takes another route."""


class Remembering(ChatTokenizer):
    """Reads each text once: half of the time went into texts that it had read for another pipeline."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._known: dict[str, list[int]] = {}

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known |= zip(new, super().encode(new), strict=True)
        return [self._known[text] for text in texts]


class Measuring(ScriptedBackend):
    """Counts with the tokenizer, renders with its template, attends to everything alike, and remembers the longest
    prompt with its reply."""

    def __init__(self, tokenizer: ChatTokenizer, window: int, reply: str) -> None:
        super().__init__(lambda task: reply, window=window)
        self._tokenizer = tokenizer
        self.most = 0

    @property
    def tokenizer(self) -> str:
        return "writer"

    def count_many(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._tokenizer.encode(texts)]

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        for task in tasks:
            self.most = max(self.most, len(self._tokenizer.prompt(messages(task))) + max_tokens)
        return [self._cut(completion, max_tokens) for completion in super().run(tasks, max_tokens=max_tokens)]

    @property
    def attends(self) -> bool:
        return True

    def _completion(self, task: Task, max_tokens: int) -> Completion:
        places = ((one.marker, place) for one in task.passages for place in range(0, len(one.text), 40))
        return replace(super()._completion(task, max_tokens), attended=tuple(places) if task.attend else ())

    def _cut(self, completion: Completion, max_tokens: int) -> Completion:
        [ids] = self._tokenizer.encode([completion.text])
        return replace(completion, text=self._tokenizer.decode(ids[:max_tokens]))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> ChatTokenizer:
    from gguf import GGUFReader

    path: Path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(tokenizer_json(GGUFReader(base_file())), encoding="utf-8")
    return Remembering(path)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Corpus]]:
    with corpora_of(tmp_path_factory, SHAPES) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("window", [2048, 4096, 8192, 32768])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reply", ["NOT FOUND", f"{SENTENCE}[1] " + " ".join(map(str, range(400)))])
def test_pipelines_never_exceed_the_window(
    corpora: dict[str, Corpus], tokenizer: ChatTokenizer, shape: str, window: int, reply: str
) -> None:
    corpus = corpora[shape]
    found_by_words = retrieve(corpus, QUESTION, embedder=None)
    ranking = replace(found_by_words, by_section=lambda: found_by_words)
    backend = Measuring(tokenizer, window, reply)
    scale = TokenScale.measure(corpus.sample(SAMPLE), corpus.size, corpus.tokenizer, backend)
    found, size = scale.estimate(estimate(ranking)), scale.size(corpus.size)
    profile = builtin_profile("server", "m", window)
    for name in (*PIPELINES, *RECIPES):
        kind = named(name)
        candidates = kind.candidates(found, size, window) if isinstance(kind, type) else [kind]
        forecasts = forecast(candidates, found, size, profile, scale.marks)
        for candidate, expected in zip(candidates, forecasts, strict=True):
            backend.most = 0
            refused = False
            try:
                run_pipeline(candidate, QUESTION, corpus, ranking, backend)
            except DoesNotFit:
                refused = True
            assert backend.most <= window, (candidate, backend.most)
            assert not (refused and expected.fits and name not in BY_SHARE), (candidate, expected)
