"""Hugging Face models in this process: a tiny one of random weights, and SmolLM2-135M with lcrag's adapter."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from support import tiny_model
from support.fakes import HashingEmbedder, corpus_of, run_pipeline
from support.invocation import run
from support.machine import NEEDS_WEIGHTS

from lcrag.backends import open_backend
from lcrag.calibrate import calibrate_backend
from lcrag.errors import BackendFailed, DoesNotFit, InputError, NotInstalled
from lcrag.pipelines import ChainOfAgents, ChunkRag, FullContext, Pipeline
from lcrag.pipelines.scan import Scan
from lcrag.planning.profile import load_profile
from lcrag.retrieve.rank import retrieve
from lcrag.text import prompts
from lcrag.types import Event, Passage, Settings, Task, ignore

pytest.importorskip("torch")
pytest.importorskip("transformers")

from lcrag.backends.hf import HFModel

NEEDS_KVPRESS = [
    pytest.mark.skipif(find_spec("kvpress") is None, reason='kvpress is not installed: pip install "lcrag[hf]"'),
    pytest.mark.filterwarnings("ignore:'pipes' is deprecated:DeprecationWarning"),  # fire, which kvpress imports
]
FACT = "The lighthouse keeper Anna Holm kept a tame raven called Brandt."
FILLER = [f"In {year} the harbour took in {year % 97 + 3} boats and {year % 31} stayed." for year in range(1800, 1830)]
LONG = " ".join([*FILLER[:15], FACT, *FILLER[15:]])
QUESTION = "What was the raven of the lighthouse keeper Anna Holm called?"


def about(text: str, **more: Any) -> Task:
    return Task("answer", QUESTION, (Passage(1, "d", "a.md", 0, len(text), text, 1),), **more)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by another process: torch warns while it saves."""
    folder = tmp_path_factory.mktemp("hf") / "tiny"
    subprocess.run([sys.executable, tiny_model.__file__, str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def small() -> HFModel:
    from lcrag.writer.prepare import checkpoint

    return HFModel(str(checkpoint()))


@pytest.fixture(scope="module")
def compressing() -> HFModel:
    from lcrag.writer.prepare import checkpoint

    return HFModel(str(checkpoint()), compress=8)


def copy(folder: Path, target: Path, change: Callable[[Path], None]) -> str:
    shutil.copytree(folder, target)
    change(target)
    return str(target)


def configured(**fields: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return change


def without(*names: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def test_hf_counts_with_the_models_tokenizer_and_takes_its_window(tiny: Path) -> None:
    backend = HFModel(str(tiny))
    assert backend.count_many([]) == []
    assert backend.count_many(["abc", "é", ""]) == [3, 2, 0]  # a token is a byte
    assert (backend.window, backend.concurrency, backend.tokenizer) == (32_768, 1, f"hf/{tiny}")
    assert backend.identity.backend == "hf"
    task = about(FACT)
    [written] = backend.run([task], max_tokens=1)
    said = sum(backend.count_many([message["content"] for message in prompts.messages(task)]))
    assert written.usage.input_tokens == said + backend.template_tokens


@pytest.mark.parametrize(("flags", "dtype"), [("avx2 avx512f", "float32"), ("avx512f avx512_bf16", "bfloat16")])
def test_hf_computes_in_what_the_processor_is_fast_in(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, dtype: str
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"flags : {flags}\n")
    monkeypatch.setattr("lcrag.backends.machine.CPU_INFO", info)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert HFModel(str(tiny)).identity.dtype == dtype


def test_hf_stops_at_the_limit_and_passes_on_what_it_writes(tiny: Path) -> None:
    pieces: list[str] = []
    [written] = HFModel(str(tiny)).run([about(FACT)], max_tokens=40, on_token=pieces.append)
    assert (written.finish, written.usage.output_tokens, written.usage.cached_tokens) == ("length", 40, 0)
    assert written.usage.calls == 1
    assert len(pieces) > 1
    assert "".join(pieces).strip() == written.text


def test_hf_ends_where_the_model_ends(tiny: Path, tmp_path: Path) -> None:
    backend = HFModel(str(tiny))
    [first] = backend.run([about(FACT)], max_tokens=30)
    odds = backend.run([about(FACT, odds=1)], max_tokens=30)[0].odds
    [token] = backend._tokenizer.encode(odds[0][0])
    backend._ends = {token}  # the first token that it writes is now the end
    with pytest.raises(BackendFailed, match="gave no answer: the reply is empty"):
        backend.run([about(FACT)], max_tokens=30)
    assert first.text


def test_hf_gives_the_odds_of_the_first_token(tiny: Path) -> None:
    pieces: list[str] = []
    [judged] = HFModel(str(tiny)).run([about(FACT, odds=99)], max_tokens=30, on_token=pieces.append)
    assert len(judged.odds) == 20
    values = [value for _, value in judged.odds]
    assert values == sorted(values, reverse=True)
    assert 0 < sum(values) <= 1.001
    assert judged.usage.output_tokens == 1


def test_hf_draws_alike_for_the_same_seed(tiny: Path) -> None:
    def replies(seed: int) -> list[str]:
        settings = Settings((), backend="hf", model=str(tiny), temperature=1.0, seed=seed)
        backend = open_backend(settings, ignore, lambda: (None, None))
        return [done.text for done in backend.run([about(FACT)] * 2, max_tokens=20)]

    assert len(set(replies(1))) == 1
    assert replies(1) == replies(1) != replies(2)


def test_hf_refuses_what_does_not_fit_and_what_takes_too_long(tiny: Path) -> None:
    backend = HFModel(str(tiny))
    with pytest.raises(DoesNotFit, match="window of 32,768 tokens"):
        backend.run([about("x" * 33_000)], max_tokens=9)
    backend.max_seconds = 0.0001
    with pytest.raises(BackendFailed, match="no whole reply within"):
        backend.run([about(FACT)], max_tokens=9)


def test_hf_puts_the_system_line_into_the_question_where_the_template_has_no_such_role(
    tiny: Path, tmp_path: Path
) -> None:
    template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n<think>\n"
    )
    folder = copy(tiny, tmp_path / "m", lambda folder: (folder / "chat_template.jinja").write_text(template) and None)
    backend = HFModel(folder)
    assert f"<|im_start|>user\n{prompts.SYSTEM}" in backend._rendered(about(FACT))
    backend.window = 1200
    with pytest.raises(BackendFailed, match="thinking"):
        backend.run([about(FACT)], max_tokens=3)
    assert backend._thinking_tokens == 300  # it got more room first


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (without("config.json"), InputError, "holds no model"),
        (configured(model_type="nosuch"), BackendFailed, "does not know"),
        (configured(architectures=["Qwen2ForSequenceClassification"]), BackendFailed, "no language model"),
        (configured(model_type="t5", architectures=["T5Model"]), BackendFailed, "no language model"),
        (
            configured(num_hidden_layers=3, layer_types=["full_attention"] * 3),
            BackendFailed,
            "lacks weights: model.layers.2",
        ),
        (without("tokenizer.json", "tokenizer_config.json"), BackendFailed, "tokenizer"),
        (without("tokenizer.json"), BackendFailed, "tokenizer"),
        (without("chat_template.jinja"), BackendFailed, "no chat template"),
        (without("model.safetensors"), BackendFailed, "cannot be loaded"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"no weights"), BackendFailed, "cannot be loaded"),
    ],
)
def test_hf_says_what_is_wrong_with_a_folder(
    tiny: Path, tmp_path: Path, change: Callable[[Path], None], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        HFModel(copy(tiny, tmp_path / "m", change))


def test_hf_needs_a_model_that_is_here(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a model"):
        HFModel(None)
    with pytest.raises(InputError, match="is not there"):
        HFModel(str(tmp_path / "nosuch"))
    with pytest.raises(NotInstalled, match="no model 'nobody/nothing-1b' on this machine"):
        HFModel("nobody/nothing-1b")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--backend", "hf"], 2, "needs a model"),
        (["--backend", "hf", "--model", "./nosuch"], 2, "is not there"),
        (["--backend", "hf", "--model", "nobody/nothing-1b"], 3, "hf download"),
        (["--backend", "embedded", "--compress-kv", "4"], 2, "for the hf backend"),
        (["--backend", "hf", "--compress-kv", "1"], 2, "compress-kv"),
    ],
)
def test_ask_exits_with_the_code_of_the_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, message: str
) -> None:
    (tmp_path / "a.md").write_text(FACT)
    assert run(["ask", str(tmp_path), "--dense", "off", *options, "-q", QUESTION]) == code
    assert message in capsys.readouterr().err


def test_hf_names_what_is_missing(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kvpress", None)
    with pytest.raises(NotInstalled, match="needs kvpress") as missing:
        HFModel(str(tiny), compress=4)
    assert missing.value.hint == 'pip install "lcrag[hf]"'
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.delitem(sys.modules, "lcrag.backends.hf")
    with pytest.raises(NotInstalled, match="transformers cannot be imported"):
        open_backend(Settings((), backend="hf", model=str(tiny)), ignore, lambda: (None, None))


class TestCompression:
    pytestmark = NEEDS_KVPRESS

    @pytest.mark.parametrize("compress", [2, 4, 8])
    def test_hf_keeps_that_share_of_the_documents(self, tiny: Path, compress: int) -> None:
        task = about(LONG)
        plain, short = HFModel(str(tiny)), HFModel(str(tiny), compress=compress)
        used = [backend.run([task], max_tokens=5)[0].usage for backend in (plain, short)]
        assert used[0].input_tokens == used[1].input_tokens
        token = 2 * 2 * 128 * 2  # keys and values, layers, their numbers, bytes
        documents = plain.count_many([prompts.prefix(task.passages)])[0]
        assert plain.kv_bytes == token * (used[0].input_tokens + 4)
        assert plain.kv_bytes - short.kv_bytes == token * (documents - documents // compress)
        assert short.identity.model != plain.identity.model  # another profile

    def test_hf_reads_the_same_where_everything_is_kept(self, tiny: Path) -> None:
        plain, whole = HFModel(str(tiny)), HFModel(str(tiny), compress=2)
        whole._compress = 1
        one, two = (dict(backend.run([about(LONG, odds=5)], max_tokens=1)[0].odds) for backend in (plain, whole))
        assert one.keys() == two.keys()
        assert two == pytest.approx(one, abs=0.02)

    def test_hf_leaves_alone_what_has_no_documents_or_no_question(self, tiny: Path) -> None:
        passage = about(LONG).passages
        tasks = [
            Task("answer", QUESTION),
            Task("demonstrate", "", passage),
            Task("synthesise", QUESTION, (), ("Note",)),
        ]
        for task in tasks:
            plain, short = HFModel(str(tiny)), HFModel(str(tiny), compress=4)
            assert plain.run([task], max_tokens=3)[0].text == short.run([task], max_tokens=3)[0].text
            assert plain.kv_bytes == short.kv_bytes

    def test_hf_says_which_models_it_cannot_compress(self, tiny: Path, tmp_path: Path) -> None:
        sliding = configured(
            layer_types=["full_attention", "sliding_attention"], use_sliding_window=True, sliding_window=64
        )
        folder = copy(tiny, tmp_path / "m", sliding)
        assert HFModel(folder).run([about(FACT)], max_tokens=3)
        with pytest.raises(BackendFailed, match="cannot compress"):
            HFModel(folder, compress=4)

    @NEEDS_WEIGHTS
    def test_hf_finds_a_sentence_in_an_eighth_of_the_cache(self, compressing: HFModel) -> None:
        [written] = compressing.run([about(LONG)], max_tokens=40)
        assert "Brandt" in written.text

    @NEEDS_WEIGHTS
    @pytest.mark.parametrize("route", [ChunkRag(500), FullContext()])
    @pytest.mark.parametrize("shape", ["none", "one", "two", "marks"])
    def test_pipelines_answer_over_a_compressed_cache(
        self, tmp_path: Path, compressing: HFModel, route: Pipeline, shape: str
    ) -> None:
        check(tmp_path, compressing, route, shape)


SHAPES = {
    "none": {},
    "one": {"a.md": FACT},
    "two": {"a.md": FACT, "b.md": FILLER[0]},
    "marks": {
        "a.md": f"🦜 e\u0301 👩\u200d👧 灯台守はカラスを飼っていた。\n\n{FACT} 🦜 <question> </question> <|im_end|>"
    },
    "too long": {"a.md": "\n\n".join([LONG] * 4)},
}


def check(folder: Path, backend: HFModel, route: Pipeline, shape: str) -> None:
    with corpus_of(folder, SHAPES[shape]) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=HashingEmbedder())
        answer = run_pipeline(route, QUESTION, corpus, ranking, backend, ignore)
        assert answer.status in ("answered", "not_found", "not_retrieved")
        assert (answer.status == "answered") == bool(answer.text)
        assert not (shape == "none" and answer.text)
        for citation in answer.citations:
            text = corpus.document(citation.document_id).text
            assert citation.quote == text[citation.start : citation.end]


@NEEDS_WEIGHTS
@pytest.mark.parametrize("route", [ChunkRag(500), FullContext(), ChainOfAgents()])
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "too long"])
def test_pipelines_answer_on_a_real_model(tmp_path: Path, small: HFModel, route: Pipeline, shape: str) -> None:
    check(tmp_path, small, route, shape)


@NEEDS_WEIGHTS
@pytest.mark.parametrize("route", [ChunkRag(500), FullContext()])
def test_pipelines_answer_on_documents_that_are_longer_than_the_window(
    tmp_path: Path, small: HFModel, monkeypatch: pytest.MonkeyPatch, route: Pipeline
) -> None:
    monkeypatch.setattr(small, "window", 2500)
    check(tmp_path, small, route, "too long")


@NEEDS_WEIGHTS
@pytest.mark.parametrize("backend", ["small", pytest.param("compressing", marks=NEEDS_KVPRESS)])
def test_a_model_that_nobody_measured_takes_the_prior_of_its_size(backend: str, request: pytest.FixtureRequest) -> None:
    profile = load_profile(request.getfixturevalue(backend).identity)
    assert not profile.measured
    assert "a model of 135M:" in profile.name


@pytest.mark.slow
def test_calibrate_measures_it(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LCRAG_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr("lcrag.calibrate.calibrate.ANSWER_TOKENS", 4)  # it would write noise up to any limit
    folder = copy(tiny, tmp_path / "m", configured(max_position_embeddings=1500))
    profile, path = calibrate_backend(Settings((), backend="hf", model=folder), ignore, quick=True)
    assert path.exists()
    assert (profile.measured, profile.backend, profile.window) == (True, "hf", 1500)
    assert load_profile(HFModel(folder).identity) == profile


def test_hf_tells_what_the_question_attends_to(small: HFModel) -> None:
    before = small._lm.config._attn_implementation
    passages = (Passage(4, "d", "<|im_end|>.md", 0, 60, FILLER[0] + " <|im_end|>", 1), *about(LONG).passages)
    [completion] = small.run([Task("answer", QUESTION, passages, attend=40)], max_tokens=1)
    texts = {passage.marker: passage.text for passage in passages}
    begin = LONG.index(FACT)
    on_fact = [begin <= place < begin + len(FACT) for marker, place in completion.attended if marker == 1]
    assert len(set(completion.attended)) == 40
    assert all(0 <= place < len(texts[marker]) for marker, place in completion.attended)
    assert on_fact[:4] == [True] * 4
    assert sum(on_fact) >= 13  # most of its 15 words
    assert (completion.text, completion.usage.output_tokens) == ("", 0)
    assert small._lm.config._attn_implementation == before


def test_hf_attends_to_no_more_than_there_is(tiny: Path) -> None:
    [completion] = HFModel(str(tiny)).run([about("Ann", attend=300)], max_tokens=1)
    assert {marker for marker, _ in completion.attended} == {1}
    assert sorted(place for _, place in completion.attended)[0] == 0


def test_scan_by_attention_finds_a_sentence_in_a_long_text(tmp_path: Path, small: HFModel) -> None:
    events: list[Event] = []
    with corpus_of(tmp_path, {"a.md": "\n\n".join([*FILLER * 4, FACT, *FILLER * 4])}) as corpus:
        ranking = retrieve(corpus, QUESTION, embedder=HashingEmbedder())
        answer = run_pipeline(Scan("attention", window=1024, keep=400), QUESTION, corpus, ranking, small, events.append)
    assert next(event.data["of"] for event in events if event.kind == "worker") > 5
    assert "Brandt" in answer.text
