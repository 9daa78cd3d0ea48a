"""The HTTP backend against a server that fails in every way a real one does."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.faulty_server import faulty_server
from tokenizers import Tokenizer, models, pre_tokenizers

from lcrag.backends import local_tokenizer
from lcrag.backends.openai_server import OpenAIServer, Sampling, metric, without_thinking
from lcrag.errors import BackendFailed, DoesNotFit, NotAvailable, NotRunning
from lcrag.text import prompts
from lcrag.text.prompts import parse_verdict
from lcrag.types import Passage, Role, Task


def task(role: Role = "answer", text: str = "Ann is here.") -> Task:
    return Task(role, "Who is here?", (Passage(1, "d", "a.md", 0, len(text), text, 4),))


def backend(url: str, **options: Any) -> OpenAIServer:
    return OpenAIServer(url, backoff=0.001, **options)


def test_a_reply_its_usage_and_what_was_sent() -> None:
    with faulty_server() as server:
        [done] = backend(server.url, sampling=Sampling(seed=7)).run([task()], max_tokens=50)
    assert done.text == "Ann is here [1]."
    assert (done.usage.input_tokens, done.usage.cached_tokens, done.usage.output_tokens) == (20, 16, 5)
    [body] = server.seen
    assert (body["temperature"], body["seed"], body["max_tokens"], body["model"]) == (0.0, 7, 50, "faulty")


@pytest.mark.parametrize("fault", ["500", "503", "429", "drop", "garbage", "array", "half", "error"])
def test_a_passing_fault_is_retried(fault: str) -> None:
    with faulty_server(script=[fault, fault]) as server:
        [done] = backend(server.url).run([task()], max_tokens=50)
    assert done.text == "Ann is here [1]."
    assert len(server.seen) == 3


@pytest.mark.parametrize("fault", ["500", "429", "drop", "garbage", "half"])
def test_a_lasting_fault_fails_after_the_tries_with_the_place_of_the_log(fault: str) -> None:
    with faulty_server(script=[fault] * 99) as server, pytest.raises(BackendFailed) as failed:
        backend(server.url, log="/var/log/vllm.log").run([task()], max_tokens=50)
    assert len(server.seen) == 5
    assert "/var/log/vllm.log" in failed.value.hint


@pytest.mark.parametrize(("fault", "error"), [("400", BackendFailed), ("404", BackendFailed), ("401", NotAvailable)])
def test_what_the_caller_did_wrong_is_not_retried(fault: str, error: type[Exception]) -> None:
    with faulty_server(script=[fault]) as server, pytest.raises(error, match=fault):
        backend(server.url).run([task()], max_tokens=50)
    assert len(server.seen) == 1


def test_a_time_out_is_retried_and_then_fails() -> None:
    with faulty_server(script=["silence"] * 99) as server, pytest.raises(BackendFailed, match="Timeout"):
        backend(server.url, timeout=0.05).run([task()], max_tokens=50)
    assert len(server.seen) == 5


def test_a_stream_that_broke_after_words_were_shown_is_not_begun_again() -> None:
    shown: list[str] = []
    with faulty_server(script=["half"]) as server, pytest.raises(BackendFailed, match="broke off"):
        backend(server.url, on_token=shown.append).run([task()], max_tokens=50)
    assert "".join(shown) == "Ann is h"
    assert len(server.seen) == 1


def test_tokens_are_shown_for_a_single_answer_and_never_for_a_batch_or_a_note() -> None:
    shown: list[str] = []
    with faulty_server() as server:
        speaking = backend(server.url, on_token=shown.append)
        speaking.run([task(), task()], max_tokens=50)
        speaking.run([task("note")], max_tokens=50)
        assert shown == []
        speaking.run([task()], max_tokens=50)
    assert "".join(shown) == "Ann is here [1]."


def test_a_batch_keeps_its_order_and_runs_side_by_side() -> None:
    with faulty_server(delay=0.1) as server:
        done = backend(server.url).run([task() for _ in range(40)], max_tokens=50)
    assert len(done) == 40
    assert server.most_running > 8  # the limit grew


def test_a_busy_server_makes_the_batch_narrower() -> None:
    with faulty_server(script=["429"] * 24, delay=0.01) as server:
        done = backend(server.url).run([task() for _ in range(20)], max_tokens=50)
    assert [one.text for one in done] == ["Ann is here [1]."] * 20
    assert server.most_running <= 20


def test_one_failure_cancels_the_rest_of_the_batch() -> None:
    with faulty_server(script=["400"] + ["silence"] * 5) as server, pytest.raises(BackendFailed):
        backend(server.url).run([task() for _ in range(6)], max_tokens=50)
    assert server.hung_up.wait(10)


def test_thinking_is_not_part_of_the_answer() -> None:
    shown: list[str] = []
    with faulty_server(reply="<think>Hm, Ann or Ben?</think>\n\nAnn [1].") as server:
        [done] = backend(server.url, on_token=shown.append).run([task()], max_tokens=50)
    assert done.text == "".join(shown) == "Ann [1]."


@pytest.mark.parametrize("reply", ["NOT FOUND", "NOT FOUND.", "<think>Hm.</think>NOT FOUND"])
def test_that_nothing_was_found_is_not_shown(reply: str) -> None:
    shown: list[str] = []
    with faulty_server(reply=reply) as server:
        [done] = backend(server.url, on_token=shown.append).run([task()], max_tokens=50)
    assert done.text.startswith("NOT FOUND")
    assert shown == []


def test_thinking_that_used_up_the_tokens_is_a_failure_not_an_answer() -> None:
    with faulty_server(reply="<think>Hm, Ann or Ben? Ann or") as server, pytest.raises(BackendFailed, match="thinking"):
        backend(server.url).run([task()], max_tokens=50)


@pytest.mark.parametrize("text", ["<think>a</think>b", "b", "  <think>\n</think>b"])
def test_without_thinking(text: str) -> None:
    assert without_thinking(text) == "b"


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [('{"verdict": "yes"}', "yes"), ("No.", "no"), ("yes", "yes"), ("��{{", "no"), ("", "no"), ('{"verdict": 3', "no")],
)
def test_a_verdict_is_read_from_anything(reply: str, verdict: str) -> None:
    assert parse_verdict(reply) == verdict


@pytest.mark.parametrize("structured", [True, False])
def test_a_judge_asks_for_a_shape_and_does_without_where_there_is_none(structured: bool) -> None:
    with faulty_server(structured=structured, reply='{"verdict": "yes"}') as server:
        [done] = backend(server.url).run([task("judge")], max_tokens=50)
    assert done.text == "yes"
    assert ["response_format" in body for body in server.seen] == ([True] if structured else [True, False])


def test_tokens_come_from_the_server_and_are_asked_once() -> None:
    with faulty_server() as server:
        counting = backend(server.url)
        before = server.tokenized
        assert counting.count_many(["a b c", "d", "a b c"]) == [3, 1, 3]
        assert counting.count_many(["d"])[0] == 1
        assert server.tokenized - before == 2
        assert counting.tokenizer == "server/faulty"


def by_words(folder: Path, *, pieces: bool = False) -> str:
    """A model folder whose tokenizer counts words, as the faulty server does, or letters."""
    model = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    model.pre_tokenizer = pre_tokenizers.Split("", "isolated") if pieces else pre_tokenizers.WhitespaceSplit()
    model.save(str(folder / "tokenizer.json"))
    return str(folder)


def test_many_texts_are_counted_by_the_tokenizer_in_the_models_folder(tmp_path: Path) -> None:
    texts = [f"{'word ' * number}é ☃" for number in range(local_tokenizer.FROM)]
    with faulty_server(folder=by_words(tmp_path)) as server:
        counting = backend(server.url)
        before = server.tokenized
        assert counting.count_many(texts) == [number + 2 for number in range(local_tokenizer.FROM)]
        assert server.tokenized - before == local_tokenizer.COMPARED
        assert counting.count_many([f"{text} more" for text in texts])[:2] == [3, 4]
        assert server.tokenized - before == local_tokenizer.COMPARED


@pytest.mark.parametrize("folder", ["other", "damaged", "none"])
def test_a_tokenizer_that_is_not_the_servers_is_not_believed(tmp_path: Path, folder: str) -> None:
    by_words(tmp_path, pieces=True)
    if folder == "damaged":
        (tmp_path / "tokenizer.json").write_text("{}")
    with faulty_server(folder=str(tmp_path / "none" if folder == "none" else tmp_path)) as server:
        texts = [f"{number} is told" for number in range(local_tokenizer.FROM)]
        assert backend(server.url).count_many(texts) == [3] * local_tokenizer.FROM


def test_a_server_without_a_tokenizer_gives_a_marked_estimate() -> None:
    with faulty_server(tokenizes=False) as server:
        counting = backend(server.url)
        assert counting.tokenizer.startswith("estimate")
        assert counting.count_many(["hello there"])[0] > 0


LONG = "word number x " * 3000


def test_the_documents_of_a_long_prompt_are_tokenised_once() -> None:
    with faulty_server(window=100_000) as server:
        asking = backend(server.url)
        one, other = task(text=LONG), replace(task(text=LONG), question="And when, by the way?")
        assert [done.text for done in asking.run([one], max_tokens=50)] == ["Ann is here [1]."]
        server.words.clear()
        asking.run([other], max_tokens=50)
        assert sum(server.words) < 200
        whole = f"{prompts.SYSTEM}\n{prompts.messages(other)[1]['content']} {server.opening}"
        assert server.seen[-1]["prompt"] == [zlib.crc32(word.encode()) for word in whole.split()]
        assert "messages" not in server.seen[-1]


def test_only_so_many_ids_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.backends.prompt_ids.KEPT", 10_000)  # one of the two prompts below
    with faulty_server(window=100_000) as server:
        asking = backend(server.url)
        first, second = task(text=LONG), task(text=f"Another {LONG}")
        for one, known in ((first, False), (first, True), (second, False), (first, False)):
            server.words.clear()
            asking.run([one], max_tokens=50)
            assert (sum(server.words) < 200) is known


@pytest.mark.parametrize("given", [{"takes_ids": False}, {"opening": "<|assistant|> <think>"}])
def test_a_long_prompt_goes_as_messages_where_ids_would_not_do(given: dict[str, Any]) -> None:
    with faulty_server(window=100_000, **given) as server:
        asking = backend(server.url)
        for _ in range(2):
            [done] = asking.run([task(text=LONG)], max_tokens=50)
            assert done.text == "Ann is here [1]."
            assert "messages" in server.seen[-1]


@pytest.mark.parametrize("tokenizes", [True, False])
def test_what_does_not_fit_is_refused_with_the_number_before_it_is_sent(tokenizes: bool) -> None:
    with faulty_server(tokenizes=tokenizes, window=1000) as server, pytest.raises(DoesNotFit) as refused:
        backend(server.url).run([task(text="word " * 2000)], max_tokens=50)
    assert refused.value.tokens > 2000
    assert refused.value.window == 1000
    assert server.seen == []


def test_the_window_is_cautious_where_the_server_does_not_tell() -> None:
    with faulty_server(window=None) as server:
        assert backend(server.url).window == 4096


def test_no_server_and_no_such_model() -> None:
    with faulty_server() as server:
        url = server.url
        with pytest.raises(NotAvailable, match="does not serve 'other'"):
            backend(url, model="other")
    with pytest.raises(NotRunning, match="no server answers"):
        backend(url)


def test_the_key_comes_from_the_environment_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_API_KEY", "s3cret")
    with faulty_server(script=["401"]) as server, pytest.raises(NotAvailable) as refused:
        backend(server.url).run([task()], max_tokens=50)
    assert "s3cret" not in f"{refused.value}{refused.value.hint}"


def test_it_runs_inside_a_running_loop() -> None:
    async def inside() -> str:
        with faulty_server() as server:
            return backend(server.url).run([task()], max_tokens=50)[0].text

    assert asyncio.run(inside()) == "Ann is here [1]."


def test_an_interrupt_hangs_up_so_that_the_server_stops_working() -> None:
    script = (
        "import sys\n"
        "from lcrag.backends.openai_server import OpenAIServer\n"
        "from lcrag.types import Task\n"
        "speak = lambda piece: print(piece, flush=True)\n"
        "OpenAIServer(sys.argv[1], on_token=speak).run([Task('answer', 'Who?')], max_tokens=9)\n"
    )
    with faulty_server(script=["stall"]) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", script, server.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=20)
        assert child.returncode != 0
        assert server.hung_up.wait(10)


def test_a_metric_is_summed_over_its_labels() -> None:
    page = '# HELP a b\na{x="1"} 2.0\na{x="2"} 3\nab{x="1"} 9\nc 4\n'
    assert (metric(page, "a"), metric(page, "c"), metric(page, "d")) == (5.0, 4.0, None)
