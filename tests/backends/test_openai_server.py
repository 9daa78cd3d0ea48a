"""The HTTP backend against a server that fails in every way a real one does."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.faulty_server import faulty_server
from tokenizers import Tokenizer, models, pre_tokenizers

from lcrag.backends import local_tokenizer
from lcrag.backends.connection import _seconds
from lcrag.backends.local_server import Server
from lcrag.backends.openai_server import OpenAIServer
from lcrag.backends.request import Sampling
from lcrag.backends.served import metric
from lcrag.errors import BackendFailed, DoesNotFit, LcragError, NotAvailable, NotRunning
from lcrag.text import prompts
from lcrag.text.prompts import parse_verdict
from lcrag.types import BackendIdentity, OnToken, Passage, Role, Task

REPLY = "Ann is here [1]."


def task(role: Role = "answer", text: str = "Ann is here.") -> Task:
    return Task(role, "Who is here?", (Passage(1, "d", "a.md", 0, len(text), text, 4),))


def backend(url: str, **options: Any) -> OpenAIServer:
    return OpenAIServer(url, backoff=0.001, **options)


def wait_until(condition: Any, seconds: float = 60.0) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return bool(condition())


def test_run_returns_reply_and_usage_and_sends_the_sampling() -> None:
    with faulty_server() as server:
        [done] = backend(server.url, sampling=Sampling(seed=7)).run([task()], max_tokens=50)
    assert done.text == REPLY
    assert (done.usage.input_tokens, done.usage.cached_tokens, done.usage.output_tokens) == (20, 16, 5)
    [body] = server.seen
    assert (body["temperature"], body["seed"], body["max_tokens"], body["model"]) == (0.0, 7, 50, "faulty")


@pytest.mark.parametrize("fault", ["500", "503", "429", "drop", "cut", "garbage", "array", "half", "error"])
def test_run_retries_a_passing_fault(fault: str) -> None:
    with faulty_server(script=[fault, fault]) as server:
        [done] = backend(server.url).run([task()], max_tokens=50)
    assert done.text == REPLY
    assert len(server.seen) == 3


@pytest.mark.parametrize("fault", ["500", "429", "drop", "garbage", "half"])
def test_run_fails_after_the_tries_with_the_path_of_the_log(fault: str) -> None:
    with faulty_server(script=[fault] * 99) as server, pytest.raises(BackendFailed) as failed:
        backend(server.url, log="/var/log/vllm.log").run([task()], max_tokens=50)
    assert len(server.seen) == 5
    assert "/var/log/vllm.log" in failed.value.hint


@pytest.mark.parametrize(("fault", "error"), [("400", BackendFailed), ("404", BackendFailed), ("401", NotAvailable)])
def test_run_does_not_retry_what_the_caller_did_wrong(fault: str, error: type[Exception]) -> None:
    with faulty_server(script=[fault]) as server, pytest.raises(error, match=fault):
        backend(server.url).run([task()], max_tokens=50)
    assert len(server.seen) == 1


@pytest.mark.parametrize("fault", ["no headers", "silence", "stall", "trickle"])
def test_run_fails_at_the_deadline_and_says_how_long_it_waited(fault: str) -> None:
    begun = time.monotonic()
    with faulty_server(script=[fault] * 9, reply="word " * 200) as server:
        with pytest.raises(BackendFailed, match=r"no whole reply within 0\.5 s") as failed:
            backend(server.url, deadline=0.5).run([task()], max_tokens=50)
        assert time.monotonic() - begun < 10  # the whole reply takes 20 s
        assert server.url in failed.value.hint
        assert len(server.seen) == 1
        assert fault == "trickle" or wait_until(lambda: server.hang_ups == 1)


def test_run_does_not_wait_beyond_the_deadline_for_another_try() -> None:
    begun = time.monotonic()
    with faulty_server(script=["later"] * 9) as server, pytest.raises(BackendFailed, match="last fault: HTTP 503"):
        backend(server.url, deadline=30).run([task()], max_tokens=50)
    assert time.monotonic() - begun < 10
    assert len(server.seen) == 1


def test_run_holds_several_tasks_no_longer_than_the_deadline() -> None:
    begun = time.monotonic()
    with (
        faulty_server(script=["ok", "no headers", "ok"]) as server,
        pytest.raises(BackendFailed, match=r"within 0\.5 s"),
    ):
        backend(server.url, deadline=0.5).run([task() for _ in range(3)], max_tokens=50)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("fault", ["half", "cut"])
def test_run_does_not_begin_again_after_words_were_shown(fault: str) -> None:
    shown: list[str] = []
    with faulty_server(script=[fault]) as server, pytest.raises(BackendFailed):
        backend(server.url).run([task()], max_tokens=50, on_token=shown.append)
    assert "".join(shown) == "Ann is h"
    assert len(server.seen) == 1


def test_run_forgets_what_a_failed_try_held_back() -> None:
    shown: list[str] = []
    with faulty_server(reply="NOT FOUND in the passages.", script=["half", "cut"]) as server:
        [done] = backend(server.url).run([task()], max_tokens=50, on_token=shown.append)
    assert "".join(shown) == done.text == "NOT FOUND in the passages."
    assert len(server.seen) == 3


def test_run_shows_tokens_of_a_single_task_and_never_of_a_batch() -> None:
    shown: list[str] = []
    with faulty_server() as server:
        asking = backend(server.url)
        asking.run([task(), task()], max_tokens=50, on_token=shown.append)
        asking.run([task()], max_tokens=50)
        assert shown == []
        asking.run([task()], max_tokens=50, on_token=shown.append)
    assert len(shown) > 1
    assert "".join(shown) == REPLY


@pytest.mark.parametrize("reply", ["No.", "Not", "<b>"])
def test_run_shows_a_short_reply_that_begins_like_not_found(reply: str) -> None:
    shown: list[str] = []
    with faulty_server(reply=reply) as server:
        [done] = backend(server.url).run([task()], max_tokens=50, on_token=shown.append)
    assert "".join(shown) == done.text == reply


def test_run_reads_line_separators_within_a_reply() -> None:
    """U+2028 and U+0085 are letters of a JSON string, and do not end a line of an event stream."""
    with faulty_server(reply="Ann\u2028is\x85here [1].") as server:
        [done] = backend(server.url).run([task()], max_tokens=50)
    assert done.text == "Ann\u2028is\x85here [1]."


def test_run_sends_a_batch_concurrently_and_returns_it_in_order() -> None:
    with faulty_server(delay=0.1) as server:
        done = backend(server.url).run([task() for _ in range(40)], max_tokens=50)
    assert len(done) == 40
    assert server.most_running > 8  # the limit grew


def test_run_keeps_connections_open() -> None:
    with faulty_server() as server:
        asking = backend(server.url)
        for _ in range(5):
            asking.run([task()], max_tokens=50)
            asking.count_many([f"{time.monotonic()} s"])
        assert server.connections == 1
        for _ in range(3):
            asking.run([task() for _ in range(4)], max_tokens=50)
        assert server.connections <= 4


def test_run_opens_a_connection_again_that_the_server_closed() -> None:
    with faulty_server() as server:
        asking = backend(server.url)
        server.script = ["ok", "drop"]
        for _ in range(3):
            assert asking.run([task()], max_tokens=50)[0].text == REPLY
        assert server.connections == 2


def test_run_sends_one_request_for_a_question() -> None:
    with faulty_server() as server:
        asking = backend(server.url)
        assert server.requests == ["GET /v1/models", "POST /tokenize"]
        server.requests.clear()
        for _ in range(3):
            asking.run([task()], max_tokens=50)
            assert asking.tokenizer == "server/faulty"
        assert server.requests == ["POST /v1/chat/completions"] * 3


def test_run_narrows_the_batch_for_a_busy_server() -> None:
    with faulty_server(script=["429"] * 4, delay=0.01) as server:  # a call gives up after five
        done = backend(server.url).run([task() for _ in range(20)], max_tokens=50)
        assert server.requests.count("POST /v1/chat/completions") == 24
    assert [completion.text for completion in done] == [REPLY] * 20
    assert server.most_running < 20


@pytest.mark.parametrize("fault", ["no headers", "silence"])
def test_run_cancels_the_rest_of_the_batch_after_a_failure(fault: str) -> None:
    with faulty_server(delay=0.2) as server:
        asking = backend(server.url)
        asking.run([task() for _ in range(6)], max_tokens=50)  # so that the next batch uses open connections
        server.script = [fault] * 5 + ["400"]
        with pytest.raises(BackendFailed, match="400"):
            asking.run([task() for _ in range(6)], max_tokens=50)
        assert wait_until(lambda: server.hang_ups == 5)
        assert asking.run([task()], max_tokens=50)[0].text == REPLY


def test_run_takes_thinking_out_of_the_answer() -> None:
    shown: list[str] = []
    with faulty_server(reply="<think>Hm, Ann or Ben?</think>\n\nAnn [1].") as server:
        [done] = backend(server.url).run([task()], max_tokens=50, on_token=shown.append)
    assert done.text == "".join(shown) == "Ann [1]."


@pytest.mark.parametrize("reply", ["NOT FOUND", "NOT FOUND.", "<think>Hm.</think>NOT FOUND"])
def test_run_does_not_show_that_nothing_was_found(reply: str) -> None:
    shown: list[str] = []
    with faulty_server(reply=reply) as server:
        [done] = backend(server.url).run([task()], max_tokens=50, on_token=shown.append)
    assert done.text.startswith("NOT FOUND")
    assert shown == []


def test_run_fails_where_thinking_used_up_the_tokens() -> None:
    with faulty_server(reply="<think>Hm, Ann or Ben? Ann or") as server, pytest.raises(BackendFailed, match="thinking"):
        backend(server.url).run([task()], max_tokens=50)


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [('{"verdict": "yes"}', "yes"), ("No.", "no"), ("yes", "yes"), ("��{{", "no"), ("", "no"), ('{"verdict": 3', "no")],
)
def test_parse_verdict_reads_anything(reply: str, verdict: str) -> None:
    assert parse_verdict(reply) == verdict


@pytest.mark.parametrize("structured", [True, False])
def test_run_asks_a_judge_for_a_schema_and_does_without_where_there_is_none(structured: bool) -> None:
    with faulty_server(structured=structured, reply='{"verdict": "yes"}') as server:
        asking = OpenAIServer(server.url, backoff=60)  # no wait before the request without a schema
        for _ in range(2):
            assert asking.run([task("judge")], max_tokens=50)[0].text == "yes"
    schemas = ["response_format" in body for body in server.seen]
    assert schemas == ([True, True] if structured else [True, False, False])


def test_count_many_asks_the_server_once_for_each_text() -> None:
    with faulty_server() as server:
        counting = backend(server.url)
        server.words.clear()
        assert counting.count_many(["a b c", "d", "a b c"]) == [3, 1, 3]
        assert counting.count_many(["d"]) == [1]
        assert sorted(server.words) == [1, 3]
        assert counting.tokenizer == "server/faulty"


def save_tokenizer(folder: Path, *, letters: bool = False) -> str:
    """A model folder whose tokenizer counts words, as the faulty server does, or letters."""
    model = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    model.pre_tokenizer = pre_tokenizers.Split("", "isolated") if letters else pre_tokenizers.WhitespaceSplit()
    model.save(str(folder / "tokenizer.json"))
    return str(folder)


def test_count_many_uses_the_tokenizer_in_the_models_folder_for_many_texts(tmp_path: Path) -> None:
    texts = [f"{'word ' * number}é ☃" for number in range(local_tokenizer.MIN_TEXTS)]
    with faulty_server(folder=save_tokenizer(tmp_path)) as server:
        counting = backend(server.url)
        server.words.clear()
        assert counting.count_many(texts) == [number + 2 for number in range(local_tokenizer.MIN_TEXTS)]
        assert len(server.words) == local_tokenizer.COMPARED
        assert counting.count_many([f"{text} more" for text in texts])[:2] == [3, 4]
        assert counting.count_many(["one alone"]) == [2]
        assert len(server.words) == local_tokenizer.COMPARED


@pytest.mark.parametrize("folder", ["other", "damaged", "none"])
def test_count_many_does_not_trust_a_tokenizer_that_is_not_the_servers(tmp_path: Path, folder: str) -> None:
    save_tokenizer(tmp_path, letters=True)
    if folder == "damaged":
        (tmp_path / "tokenizer.json").write_text("{}")
    with faulty_server(folder=str(tmp_path / "none" if folder == "none" else tmp_path)) as server:
        texts = [f"{number} is told" for number in range(local_tokenizer.MIN_TEXTS)]
        assert backend(server.url).count_many(texts) == [3] * local_tokenizer.MIN_TEXTS


def test_run_defuses_the_control_tokens_of_the_models_own_tokenizer(tmp_path: Path) -> None:
    model = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    model.add_special_tokens(["]~b]", "<starts>", "<|im_end|>"])
    model.save(str(tmp_path / "tokenizer.json"))
    assert local_tokenizer.control_tokens(str(tmp_path)) == ("<starts>", "]~b]")
    with faulty_server(folder=str(tmp_path)) as server:
        backend(server.url).run([Task("answer", "What does <starts> or ]~b] mean?")], max_tokens=50)
        prompt = server.seen[-1]["messages"][1]["content"]
    assert "‹starts> or ·~b]" in prompt


@pytest.mark.parametrize("text", ["{}", "", '{"added_tokens": [', '{"added_tokens": [1]}', '{"added_tokens": {}}'])
def test_control_tokens_of_a_damaged_tokenizer_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    assert local_tokenizer.control_tokens(str(tmp_path)) == ()
    assert local_tokenizer.control_tokens(str(tmp_path / "none")) == ()


def test_count_many_estimates_without_tokenize_and_names_it_so() -> None:
    with faulty_server(tokenizes=False) as server:
        counting = backend(server.url)
        assert counting.tokenizer.startswith("estimate")
        assert counting.count_many(["hello there"])[0] > 0


def test_template_tokens_are_measured_once() -> None:
    with faulty_server(opening="<|user|> <|end|> <|assistant|>") as server:
        asking = backend(server.url)
        assert asking.template_tokens == 3 + 2
        server.requests.clear()
        assert asking.template_tokens == 3 + 2
        assert server.requests == []


@pytest.mark.parametrize("given", [{"tokenizes": False}, {"dropped": {"/tokenize"}}, {"refused": {"/tokenize": 400}}])
def test_template_tokens_are_32_where_they_cannot_be_measured(given: dict[str, Any]) -> None:
    with faulty_server() as server:
        asking = backend(server.url) if "tokenizes" not in given else None
        for name, value in given.items():
            setattr(server, name, value)
        assert (asking or backend(server.url)).template_tokens == 32


def test_concurrency_is_that_of_a_server() -> None:
    with faulty_server() as server:
        assert backend(server.url).concurrency == 8


def test_identity_has_the_type_of_the_weights_and_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text('{"dtype": "bfloat16"}')
    monkeypatch.setattr("lcrag.backends.machine.device", lambda url: f"device of {url}")
    with faulty_server(folder=str(tmp_path)) as server:
        asking = backend(server.url)
        expected = BackendIdentity("server", "faulty", 8192, "bfloat16", f"device of {server.url}")
        assert asking.identity == expected
        other = tmp_path / "other"
        other.mkdir()
        (other / "config.json").write_text('{"dtype": "float32"}')
        ours = Server(1, 0.0, int(server.url.rpartition(":")[2]), str(other), "faulty", "log")
        monkeypatch.setattr("lcrag.backends.local_server.remembered", lambda: [ours])
        assert asking.identity == replace(expected, dtype="float32")


def test_cache_state_counts_and_is_another_after_a_restart() -> None:
    with faulty_server() as server:
        asking = backend(server.url)
        before = asking.cache_state()
        asking.run([task()], max_tokens=50)
        after = asking.cache_state()
        assert before is not None
        assert after is not None
        assert (before.queried_tokens, after.queried_tokens) == (0, 20)
        assert before.capacity_tokens == 4096
        assert before.server == after.server
        assert before.server.startswith(server.url)
        assert server.started is not None
        server.started += 60
        restarted = asking.cache_state()
        assert restarted is not None
        assert restarted.server != before.server


@pytest.mark.parametrize("given", [{"dropped": {"/metrics"}}, {"refused": {"/metrics": 500}}, {"started": None}])
def test_cache_state_is_none_where_the_server_does_not_say(given: dict[str, Any]) -> None:
    with faulty_server() as server:
        asking = backend(server.url)
        for name, value in given.items():
            setattr(server, name, value)
        assert asking.cache_state() is None


def test_cache_state_is_none_without_a_server() -> None:
    with faulty_server() as server:
        asking = backend(server.url)
    assert asking.cache_state() is None


def test_cache_state_sends_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_API_KEY", "s3cret")
    with faulty_server() as server:
        asking = backend(server.url)
        assert asking.cache_state() is not None
    assert set(server.keys) == {"Bearer s3cret"}


LONG = "word number x " * 3000


def test_run_tokenises_the_documents_of_a_long_prompt_once() -> None:
    with faulty_server(window=100_000) as server:
        asking = backend(server.url)
        first, second = task(text=LONG), replace(task(text=LONG), question="And when, by the way?")
        assert [done.text for done in asking.run([first], max_tokens=50)] == [REPLY]
        server.words.clear()
        asking.run([second], max_tokens=50)
        assert sum(server.words) < 200
        whole = f"{prompts.SYSTEM}\n{prompts.messages(second)[1]['content']} {server.opening}"
        assert server.seen[-1]["prompt"] == [zlib.crc32(word.encode()) for word in whole.split()]
        assert "messages" not in server.seen[-1]


def test_run_drops_the_oldest_ids_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.backends.prompt_ids.MAX_CACHED", 10_000)  # one of the two prompts below
    with faulty_server(window=100_000) as server:
        asking = backend(server.url)
        first, second = task(text=LONG), task(text=f"Another {LONG}")
        for asked, is_cached in ((first, False), (first, True), (second, False), (first, False)):
            server.words.clear()
            asking.run([asked], max_tokens=50)
            assert (sum(server.words) < 200) is is_cached


@pytest.mark.parametrize("given", [{"takes_ids": False}, {"opening": "<|assistant|> <think>"}])
def test_run_sends_messages_where_ids_would_not_do(given: dict[str, Any]) -> None:
    with faulty_server(window=100_000, **given) as server:
        asking = OpenAIServer(server.url, backoff=60)  # no wait before the request with messages
        for _ in range(2):
            [done] = asking.run([task(text=LONG)], max_tokens=50)
            assert done.text == REPLY
            assert "messages" in server.seen[-1]
    assert len(server.seen) == (3 if "takes_ids" in given else 2)


@pytest.mark.parametrize("status", ["404", "405", "422 prompt: Input should be a valid string"])
def test_run_sends_messages_after_a_refusal_of_ids(status: str) -> None:
    with faulty_server(window=100_000, script=[status]) as server:
        asking = backend(server.url)
        for _ in range(2):
            assert asking.run([task(text=LONG)], max_tokens=50)[0].text == REPLY
    assert ["prompt" in body for body in server.seen] == [True, False, False]


def test_run_keeps_sending_ids_after_a_refusal_for_the_length() -> None:
    message = "400 The prompt has 9000 tokens, more than the model's context length of 8192 tokens."
    with faulty_server(window=100_000, script=[message]) as server:
        asking = backend(server.url)
        with pytest.raises(DoesNotFit, match="9000 tokens"):
            asking.run([task(text=LONG)], max_tokens=50)
        assert asking.window == 8192
        asking.window = 100_000
        asking.run([task(text=LONG)], max_tokens=50)
    assert ["prompt" in body for body in server.seen] == [True, True]


@pytest.mark.parametrize("tokenizes", [True, False])
def test_run_refuses_what_does_not_fit_before_it_is_sent(tokenizes: bool) -> None:
    with faulty_server(tokenizes=tokenizes, window=1000) as server, pytest.raises(DoesNotFit) as refused:
        backend(server.url).run([task(text="word " * 2000)], max_tokens=50)
    assert refused.value.tokens > 2000
    assert refused.value.window == 1000
    assert server.seen == []


def test_window_is_cautious_where_the_server_does_not_report_it() -> None:
    with faulty_server(window=None) as server:
        assert backend(server.url).window == 4096


def test_server_without_that_model_and_without_a_server() -> None:
    with faulty_server() as server:
        url = server.url
        with pytest.raises(NotAvailable, match="does not serve 'other'"):
            backend(url, model="other")
    with pytest.raises(NotRunning, match="no server answers"):
        backend(url)


@pytest.mark.parametrize("fault", [{"dropped": {"/v1/models"}}, {"refused": {"/v1/models": 503}}])
def test_server_that_fails_as_it_is_opened_is_not_running(fault: dict[str, Any]) -> None:
    with faulty_server(**fault) as server, pytest.raises(NotRunning, match="no server answers"):
        backend(server.url)


def test_run_takes_the_key_from_the_environment_and_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_API_KEY", "s3cret")
    with faulty_server(script=["401"]) as server, pytest.raises(NotAvailable) as refused:
        backend(server.url).run([task()], max_tokens=50)
    assert "s3cret" not in f"{refused.value}{refused.value.hint}"


def test_run_inside_a_running_loop() -> None:
    async def inside() -> str:
        with faulty_server() as server:
            return backend(server.url).run([task()], max_tokens=50)[0].text

    assert asyncio.run(inside()) == REPLY


SINGLE = "backend.run([Task('answer', 'Who?')], max_tokens=9, on_token=lambda piece: print(piece, flush=True))"
BATCH = "print('running', flush=True)\nbackend.run([Task('note', 'Who?')] * 3, max_tokens=9)"
IN_A_THREAD = (
    "import threading, time\n"
    "run = lambda: backend.run([Task('note', 'Who?')] * 3, max_tokens=9)\n"
    "threading.Thread(target=run, daemon=True).start()\n"
    "print('running', flush=True)\n"
    "time.sleep(60)"
)


@pytest.mark.parametrize(
    ("code", "script", "stalls"),
    [(SINGLE, ["stall"], 1), (BATCH, ["no headers", "silence", "stall"], 3), (IN_A_THREAD, ["silence"] * 3, 3)],
    ids=["single", "batch", "batch in a thread"],
)
def test_run_hangs_up_on_an_interrupt(code: str, script: list[str], stalls: int) -> None:
    program = (
        "import signal, sys\n"
        "from lcrag.backends.openai_server import OpenAIServer\n"
        "from lcrag.types import Task\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job inherits that it is ignored\n"
        f"backend = OpenAIServer(sys.argv[1])\n{code}\n"
    )
    command = [sys.executable, "-c", program]
    with (
        faulty_server(script=script) as server,
        subprocess.Popen([*command, server.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
    ):
        try:
            assert process.stdout is not None
            process.stdout.readline()
            assert wait_until(lambda: server.stalls == stalls)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            assert process.returncode != 0
            assert b"KeyboardInterrupt" in errors
            assert wait_until(lambda: server.hang_ups == stalls)
        finally:
            process.kill()


def error(message: str, code: str | None = None, param: str | None = None, kind: str = "invalid_request_error") -> Any:
    """An error of OpenAI's, as its Python client takes it apart."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


TOO_LONG = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("status", "body", "raised", "words", "tries"),
    [
        (400, error(TOO_LONG, "context_length_exceeded", "messages"), DoesNotFit, "need 9,000 tokens", 1),
        (400, error("Too many tokens.", "context_length_exceeded", "messages"), DoesNotFit, "Too many tokens", 1),
        (400, error("The response was filtered.", "content_filter", "prompt"), BackendFailed, "was filtered", 1),
        (400, {"message": "flat", "type": "x", "param": None, "code": None}, BackendFailed, "flat", 1),
        (400, {"error": "a text"}, BackendFailed, "a text", 1),
        (401, error("Incorrect API key provided: sk-***.", "invalid_api_key"), NotAvailable, "refuses the key", 1),
        (403, error("Country not supported", kind="request_forbidden"), NotAvailable, "Country not supported", 1),
        (404, error("The model `m` does not exist.", "model_not_found"), NotAvailable, "does not serve 'faulty'", 1),
        (404, {"error": {"message": "model 'm' not found"}}, NotAvailable, "does not serve 'faulty'", 1),
        (409, error("A conflict"), BackendFailed, "A conflict", 1),
        (422, error("Unprocessable"), BackendFailed, "Unprocessable", 1),
        (429, error(QUOTA, "insufficient_quota", kind="insufficient_quota"), BackendFailed, "your current quota", 1),
        (429, error("Rate limit reached", "rate_limit_exceeded", kind="tokens"), BackendFailed, "Rate limit", 5),
        (500, error("The server had an error", kind="server_error"), BackendFailed, "had an error", 5),
        (503, error("The engine is overloaded", kind="server_error"), BackendFailed, "overloaded", 5),
    ],
)
def test_run_reads_the_errors_of_openai(
    status: int, body: Any, raised: type[LcragError], words: str, tries: int
) -> None:
    with faulty_server(refuses={f"{status} model": json.dumps(body)}) as server:
        with pytest.raises(raised, match=re.escape(words)):
            backend(server.url).run([task()], max_tokens=50)
        assert len(server.seen) == tries


@pytest.mark.parametrize(
    ("event", "raised", "words", "tries"),
    [
        (error("The server had an error", kind="server_error"), BackendFailed, "says: The server had an error", 5),
        (error("Too many tokens.", "context_length_exceeded"), DoesNotFit, "Too many tokens.", 1),
        ({"error": {"message": None, "code": "engine_died"}}, BackendFailed, "says: engine_died", 5),
    ],
)
def test_run_reads_the_errors_of_openai_in_a_stream(
    event: Any, raised: type[LcragError], words: str, tries: int
) -> None:
    with faulty_server(events=[event]) as server:
        with pytest.raises(raised, match=re.escape(words)):
            backend(server.url).run([task()], max_tokens=50)
        assert len(server.seen) == tries


@pytest.mark.parametrize(
    ("named", "body"),
    [
        ("max_tokens", error("Use 'max_completion_tokens' instead.", "unsupported_parameter", "max_tokens")),
        ("temperature", error("Only the default (1) value is supported.", "unsupported_value", "temperature")),
        ("seed", error("Unknown parameter.", "unknown_parameter", "seed")),
        ("stream_options", error("Unknown parameter.", "unknown_parameter", "stream_options")),
        ("stream", error("Your organization must be verified.", "unsupported_value", "stream")),
        ("system", error("'messages[0].role' does not support 'system'.", "unsupported_value", "messages[0].role")),
    ],
)
def test_run_leaves_out_the_parameter_that_an_error_of_openai_names(named: str, body: Any) -> None:
    with faulty_server(refuses={named: json.dumps(body)}) as server:
        assert backend(server.url).run([task()], max_tokens=50)[0].text == REPLY
        assert len(server.seen) == 2


def test_metric_is_summed_over_its_labels() -> None:
    page = '# HELP a b\na{x="1"} 2.0\na{x="2"} 3\nab{x="1"} 9\nc 4\n'
    assert (metric(page, "a"), metric(page, "c"), metric(page, "d")) == (5.0, 4.0, None)


def chunk(content: Any = None, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish}]}


ENDS: list[Any] = [chunk(finish="stop"), "[DONE]"]


@pytest.mark.parametrize(
    "events",
    [
        [chunk(REPLY), *ENDS],
        [chunk(REPLY), "[DONE]"],
        [chunk(REPLY), chunk(finish="stop")],
        [": waiting", "event: message", chunk(REPLY), ": waiting", *ENDS],
        [chunk([{"type": "text", "text": REPLY}]), *ENDS],
        [chunk([{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]), chunk(REPLY), *ENDS],
        [chunk(None, role="assistant"), chunk(reasoning="Ben?"), chunk(reasoning_content="Ben?"), chunk(REPLY), *ENDS],
        [chunk("Ben?\n</think>\n\n"), chunk(REPLY), *ENDS],
        [
            chunk("<|channel|>analysis<|message|>Ben?<|end|><|start|>assistant<|channel|>final"),
            chunk(f"<|message|>{REPLY}"),
            *ENDS,
        ],
        [{"choices": [{"delta": None}]}, chunk(REPLY), *ENDS],
        [
            chunk(REPLY),
            *ENDS[:1],
            {"choices": [], "usage": {"prompt_tokens": "x", "completion_tokens": 10**30}},
            "[DONE]",
        ],
        [chunk(REPLY), *ENDS[:1], {"choices": [], "usage": 7}, "[DONE]"],
        [
            chunk(REPLY),
            *ENDS[:1],
            {"choices": None, "usage": {"prompt_tokens": -1, "prompt_tokens_details": "x"}},
            "[DONE]",
        ],
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_run_reads_a_stream_in_whatever_form(events: list[Any], line_end: str) -> None:
    with faulty_server(events=events, line_end=line_end) as server:
        [done] = backend(server.url).run([task()], max_tokens=50)
        assert len(server.seen) == 1
    assert done.text == REPLY
    assert done.usage.cached_tokens == 0
    assert 20 < done.usage.input_tokens < 300  # estimated where the server reports nothing that makes sense
    assert 0 < done.usage.output_tokens < 60


@pytest.mark.parametrize(
    ("text", "read"),
    [('\\ud83d"}}]}', "\N{GRINNING FACE}"), ('a\\ud800b"}}]}', "a�b"), ('\\u0000"}}]}', "\0")],
)
def test_run_reads_halves_of_characters(text: str, read: str) -> None:
    first = '{"choices":[{"delta":{"content":"Ann ' + text
    rest = ['{"choices":[{"delta":{"content":"\\ude00"}}]}'] if "d83d" in text else []
    with faulty_server(events=[first, *rest, chunk(" is here."), *ENDS]) as server:
        [done] = backend(server.url).run([task()], max_tokens=50)
    assert done.text == f"Ann {read} is here."


def test_run_reads_a_reply_that_is_not_streamed() -> None:
    message = {"role": "assistant", "content": REPLY}
    body = {"choices": [{"message": message}], "usage": {"prompt_tokens": 9, "completion_tokens": 5}}
    with faulty_server(body=body) as server:
        [done] = backend(server.url).run([task()], max_tokens=50)
    assert (done.text, done.usage.input_tokens, done.usage.output_tokens) == (REPLY, 9, 5)


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([chunk(""), *ENDS], "the reply is empty"),
        (["[DONE]"], "the reply is empty"),
        ([chunk(reasoning_content="Hm"), chunk(finish="length")], "went into thinking"),
        ([chunk(reasoning="Ann."), *ENDS], "holds thinking and no answer"),
        ([chunk("Hm, Ann?</think>"), *ENDS], "holds thinking and no answer"),
        ([chunk("", "content_filter")], "content filter"),
        ([chunk(tool_calls=[{"function": {"name": "search"}}]), chunk(finish="tool_calls")], "calls a tool"),
        ([chunk(tool_calls=[{"function": {"name": "search"}}]), "[DONE]"], "calls a tool"),
        ([chunk(refusal="I cannot."), *ENDS], "refuses: I cannot"),
    ],
)
def test_run_fails_with_the_reason_for_a_reply_without_an_answer(events: list[Any], reason: str) -> None:
    shown: list[str] = []
    with faulty_server(events=events) as server, pytest.raises(BackendFailed, match=reason) as failed:
        backend(server.url).run([task()], max_tokens=50, on_token=shown.append)
    # cut while thinking, a model gets more room once
    assert (failed.value.exit_code, len(server.seen)) == (5, 2 if "went into" in reason else 1)


def test_run_gives_a_model_that_thinks_more_room() -> None:
    with faulty_server(events=[chunk(reasoning_content="Hm"), chunk(finish="length")]) as server:
        asking = backend(server.url)
        with pytest.raises(BackendFailed):
            asking.run([task()], max_tokens=50)
        server.events = [chunk(REPLY), *ENDS]
        assert asking.run([task()], max_tokens=50)[0].text == REPLY
    first, second, third = (request["max_tokens"] for request in server.seen)
    assert first == 50 < second == third


def test_run_stops_a_reply_that_repeats_itself() -> None:
    loop = "They were getting eight processors in there. "
    with faulty_server(events=[chunk(loop)] * 4000, delay=0.0005) as server:
        [done] = backend(server.url).run([task()], max_tokens=4000)
    assert done.finish == "stop"
    assert len(done.text) < 100 * len(loop)


@pytest.mark.parametrize(
    "events",
    [
        ["[" * 100_000],
        ['{"choices":[],"usage":{"prompt_tokens":' + "9" * 5000 + "}}"],
        [{"choices": {"a": 1}}],
        [{"choices": 5}],
        [chunk(5)],
        [{"error": {"message": "model is loading"}}],
    ],
)
def test_run_fails_cleanly_at_odd_events(events: list[Any]) -> None:
    with faulty_server(events=[*events, "[DONE]"]) as server, pytest.raises(BackendFailed):
        backend(server.url).run([task()], max_tokens=50)


@pytest.mark.parametrize("events", [[chunk(" ".join(map(str, range(90_000))))] * 20, ["x" * 5_000_000]])
def test_run_bounds_a_reply(events: list[Any]) -> None:
    with faulty_server(events=events) as server, pytest.raises(BackendFailed, match=r"more than|longer than"):
        backend(server.url).run([task()], max_tokens=5)
    assert len(server.seen) == 1


def test_run_waits_for_the_closing_tag_once_a_reply_began_in_thinking() -> None:
    shown: list[str] = []
    with faulty_server(reply="Hm, Ben or Ann?\n</think>\n\nAnn [1].") as server:
        asking = backend(server.url)
        asking.run([task()], max_tokens=50)
        asking.run([task()], max_tokens=50, on_token=shown.append)
    assert "".join(shown) == "Ann [1]."


FIELDS = {
    "seed": "Unrecognized request argument supplied: seed",
    "422 stream_options": '{"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}',
    "temperature": "Unsupported value: 'temperature' does not support 0 with this model.",
    "max_tokens": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
    "system": "System role not supported",
    "500 system": "Only user and assistant roles are supported!",
    "stream": "Streaming is not supported for this model",
    "response_format": "unknown field",
}


@pytest.mark.parametrize("name", FIELDS)
def test_run_leaves_out_a_field_that_is_refused_and_remembers_it(name: str) -> None:
    body = {"choices": [{"message": {"content": REPLY}}]} if name == "stream" else None
    with faulty_server(refuses={name: FIELDS[name]}, body=body, reply=REPLY) as server:
        asking = OpenAIServer(server.url, backoff=60)
        role: Role = "judge" if name == "response_format" else "answer"
        for _ in range(2):
            assert asking.run([task(role)], max_tokens=50)[0].text == ("no" if role == "judge" else REPLY)
    assert len(server.seen) == 3
    last = server.seen[-1]
    assert name not in last
    assert ("max_completion_tokens" in last) is (name == "max_tokens")
    roles = [message["role"] for message in last["messages"]]
    if name.endswith("system"):
        assert roles == ["user"]
        assert last["messages"][0]["content"].startswith(prompts.SYSTEM)
    else:
        assert roles == ["system", "user"]


def test_run_leaves_out_all_fields_that_are_refused() -> None:
    with faulty_server(
        refuses={name: FIELDS[name] for name in ("seed", "temperature", "max_tokens", "system")}
    ) as server:
        asking = OpenAIServer(server.url, backoff=60)
        assert asking.run([task() for _ in range(4)], max_tokens=50)[0].text == REPLY
        server.seen.clear()
        asking.run([task()], max_tokens=50)
    [body] = server.seen
    assert set(body) == {"model", "messages", "max_completion_tokens", "stream", "stream_options"}


def test_run_fails_where_the_other_name_is_refused_too() -> None:
    refuses = dict.fromkeys(("max_tokens", "max_completion_tokens"), "max_completion_tokens is too large")
    with faulty_server(refuses=refuses) as server, pytest.raises(BackendFailed, match="too large"):
        backend(server.url).run([task()], max_tokens=50)
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    ("fault", "window", "tokens"),
    [
        ("400 This model's maximum context length is 2048 tokens. However, you requested 3000 tokens.", 2048, 3000),
        ("500 the request exceeds the available context size. n_ctx: 1024, n_prompt_tokens: 2000", 1024, 2000),
        ("400 the input length exceeds the context length", 8192, 8193),
        ("413 Payload Too Large", 8192, 8193),
    ],
)
def test_run_learns_the_window_from_a_refusal(fault: str, window: int, tokens: int) -> None:
    with faulty_server(script=[fault]) as server:
        asking = backend(server.url)
        with pytest.raises(DoesNotFit) as refused:
            asking.run([task()], max_tokens=50)
        assert (refused.value.window, refused.value.tokens, refused.value.exit_code) == (window, tokens, 4)
        assert asking.window == window
        assert len(server.seen) == 1


def test_run_learns_the_window_from_an_event() -> None:
    error = {"message": "the request exceeds the available context size", "n_prompt_tokens": 2000, "n_ctx": 1024}
    with faulty_server(events=[{"error": error}]) as server, pytest.raises(DoesNotFit) as refused:
        backend(server.url).run([task()], max_tokens=50)
    assert (refused.value.window, refused.value.tokens) == (1024, 2000)


def test_run_learns_of_the_window_from_an_event_whose_error_is_a_text() -> None:
    error = "the request exceeds n_ctx: 1024"
    with faulty_server(events=[{"error": error}]) as server, pytest.raises(DoesNotFit, match="n_ctx") as refused:
        backend(server.url).run([task()], max_tokens=50)
    assert refused.value.window == 1024
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("models", "name", "window"),
    [
        ([{"id": "m", "max_model_len": 99}], "m", 99),
        ({"data": [{"id": "m", "meta": {"n_ctx": 99}}]}, "m", 99),
        ({"models": [{"name": "m", "context_length": "99"}]}, "m", 99),
        ({"data": [{"model": "m", "max_model_len": "abc"}]}, "m", 4096),
        ({"data": ["m"]}, "m", 4096),
        ({"data": {"id": "m"}}, "m", 4096),
        ({"data": [{"id": "m", "max_model_len": -5, "meta": "x", "root": 5}]}, "m", 4096),
        ({"data": [{"id": "m", "max_model_len": 1e300}]}, "m", 4096),
        ('{"data": [{"id": "m", "max_model_len": NaN}]}', "m", 4096),
        ({"data": [1, None, {"id": {"a": 1}}, {"id": "m"}]}, "m", 4096),
        ({"data": [{"id": "text-embedding-nomic"}, {"id": "bge-m3"}, {"id": "whisper-1"}, {"id": "m"}]}, "m", 4096),
        ({"data": [{"id": "x", "type": "embeddings"}, {"id": "jina-reranker"}, {"id": "m", "type": "llm"}]}, "m", 4096),
    ],
)
def test_server_chooses_the_first_model_that_chats(models: Any, name: str, window: int) -> None:
    with faulty_server(models=models) as server:
        asking = backend(server.url)
        assert (asking.model, asking.window) == (name, window)


@pytest.mark.parametrize("models", [[], {"data": []}, {"data": None}, [1, 2], {"data": [{"id": "m\ud800"}]}])
def test_server_without_a_model_is_not_available_unless_it_is_named(models: Any) -> None:
    with faulty_server(models=models) as server:
        with pytest.raises(NotAvailable, match="serves no model"):
            backend(server.url)
        assert backend(server.url, model="m").model == "m"


def test_server_with_models_that_do_not_chat_alone_names_them() -> None:
    with faulty_server(models=[{"id": "all-minilm"}]) as server:
        with pytest.raises(NotAvailable, match="no model that can chat") as refused:
            backend(server.url)
        assert "all-minilm" in refused.value.hint
        assert backend(server.url, model="all-minilm").model == "all-minilm"


@pytest.mark.parametrize(
    "given", [{"refused": {"/v1/models": 404, "/models": 404}}, {"models": "<html>"}, {"models": "[" * 99999}]
)
def test_server_without_a_list_is_taken_at_the_users_word(given: dict[str, Any]) -> None:
    with faulty_server(**given) as server:
        with pytest.raises(NotAvailable, match="does not list its models"):
            backend(server.url)
        assert backend(server.url, model="m").run([task()], max_tokens=50)[0].text == REPLY
    assert server.seen[-1]["model"] == "m"


@pytest.mark.parametrize(
    ("api", "base"),
    [
        ("/v1", ""),
        ("/v1", "/"),
        ("/v1", "/v1/"),
        ("/v1", "/v1/chat/completions"),
        ("/api/paas/v4", "/api/paas/v4"),
        ("/openai/v1", "/openai"),
        ("/openai", "/openai"),
        ("/v1beta/openai", "/v1beta/openai/"),
    ],
)
@pytest.mark.parametrize("is_listed", [True, False])
def test_server_answers_at_each_form_of_its_address(api: str, base: str, is_listed: bool) -> None:
    unlisted = {f"{prefix}/models": 404 for prefix in ("/v1", api)}
    with faulty_server(api=api, refused={} if is_listed else unlisted) as server:
        address = server.url.removeprefix("http://") + base
        assert backend(address, model="faulty").run([task()], max_tokens=50)[0].text == REPLY


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_run_follows_a_redirect_on_the_same_server(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_API_KEY", "s3cret")
    redirects = {f"/v1/{page}": f"/llm/v1/{page}" for page in ("models", "chat/completions")}
    with faulty_server(api="/llm/v1", redirects=redirects, redirect=status) as server:
        assert backend(server.url).run([task()], max_tokens=50)[0].text == REPLY
    assert set(server.keys) == {"Bearer s3cret"}


def test_run_does_not_follow_a_redirect_to_another_server() -> None:
    with faulty_server() as other, faulty_server(redirects={"/v1/chat/completions": f"{other.url}/v1/x"}) as server:
        with pytest.raises(BackendFailed, match="redirects to another server"):
            backend(server.url).run([task()], max_tokens=50)
        assert other.requests == []


def test_run_does_not_follow_redirects_in_a_circle() -> None:
    path = "/v1/chat/completions"
    with faulty_server(redirects={path: path}) as server, pytest.raises(BackendFailed, match="circle"):
        backend(server.url).run([task()], max_tokens=50)


@pytest.mark.parametrize("fault", ["silence", "stall", "no headers"])
def test_run_does_not_wait_for_a_silent_server(fault: str) -> None:
    begun = time.monotonic()
    with faulty_server(script=[fault] * 9) as server, pytest.raises(BackendFailed, match=r"silent for 0\.3 s"):
        backend(server.url, silence=0.3).run([task()], max_tokens=50)
    assert time.monotonic() - begun < 10
    assert len(server.seen) == 1


@pytest.mark.parametrize("tasks", [1, 3])
@pytest.mark.parametrize("fault", ["later", "stall", "trickle", "drop"])
def test_run_takes_no_longer_than_max_seconds(fault: str, tasks: int) -> None:
    begun = time.monotonic()
    with faulty_server(script=[fault] * 99, reply="word " * 200) as server:
        asking = OpenAIServer(server.url, backoff=5)
        asking.max_seconds = 0.5
        with pytest.raises(BackendFailed, match=r"no whole reply within 0\.5 s"):
            asking.run([task() for _ in range(tasks)], max_tokens=500)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(("owner", "asked"), [("llamacpp", True), ("vllm", None)])
def test_run_asks_llama_cpp_how_much_of_the_prompt_is_read(owner: str, asked: bool | None) -> None:
    progress = {"choices": [chunk()["choices"][0]], "prompt_progress": {"total": 90, "processed": 45}}
    models = {"data": [{"id": "m", "owned_by": owner, "meta": {"n_ctx": 8192}}]}
    with faulty_server(models=models, events=[progress, progress, chunk(REPLY), *ENDS]) as server:
        assert backend(server.url).run([task()], max_tokens=50)[0].text == REPLY
        assert server.seen[0].get("return_progress") is asked


@pytest.mark.parametrize(("owner", "on_token", "asked"), [("vllm", None, 16), ("vllm", print, None), ("x", None, None)])
def test_run_asks_vllm_for_larger_pieces_of_a_reply_that_nobody_watches(
    owner: str, on_token: OnToken | None, asked: int | None
) -> None:
    with faulty_server(models={"data": [{"id": "m", "owned_by": owner, "max_model_len": 8192}]}) as server:
        backend(server.url).run([task()], max_tokens=50, on_token=on_token)
        assert server.seen[0].get("stream_interval") == asked


def test_run_waits_for_a_server_that_is_silent_on_one_of_its_connections() -> None:
    with faulty_server(script=["trickle", "late"], reply="word " * 24) as server:
        done = backend(server.url, silence=0.75).run([task(), task()], max_tokens=50)
    assert [completion.text for completion in done] == [("word " * 24).strip()] * 2


@pytest.mark.parametrize("fault", ["stall", "no headers"])
def test_run_reports_a_silence(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.backends.connection.SILENT_FROM", 0.05)
    monkeypatch.setattr("lcrag.backends.connection.EVERY", 0.02)
    silences: list[tuple[str, float, float]] = []
    with faulty_server(script=[fault]) as server:
        asking = backend(server.url, silence=0.4)
        asking.on_silence = lambda *silence: silences.append(silence)
        with pytest.raises(BackendFailed, match=r"it has been silent for 0\.4 s"):
            asking.run([task()], max_tokens=50)
    *during, after = [seconds for _, seconds, _ in silences]
    assert during == sorted(during)
    assert 0.05 <= during[0] <= during[-1]
    assert after == 0
    assert {(name, most) for name, _, most in silences} <= {(server.url.removeprefix("http://"), 0.4)} | {
        (server.url.removeprefix("http://"), 0.0)
    }


def test_run_reports_no_silence_while_a_reply_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.backends.connection.EVERY", 0.02)
    silences: list[float] = []
    with faulty_server(script=["trickle"], reply="word " * 20) as server:
        asking = backend(server.url)
        asking.on_silence = lambda server, seconds, most: silences.append(seconds)
        asking.run([task()], max_tokens=50)
    assert silences == []


def test_run_announces_a_wait_and_caps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    said: list[str] = []
    monkeypatch.setattr("lcrag.backends.connection.Connection.wait", lambda self, seconds: waits.append(seconds))
    with faulty_server(script=["later", "later"]) as server:
        asking = backend(server.url)
        asking.on_wait = said.append
        with pytest.raises(BackendFailed, match="asks to wait longer than 60 s"):
            asking.run([task()], max_tokens=50)
        assert asking.run([task()], max_tokens=50)[0].text == REPLY
    assert waits == [60]
    [line] = said
    assert "busy" in line
    assert line.endswith("trying again in 60 s")


@pytest.mark.parametrize("after", ["²", "9" * 400, "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "1.5", "-3", ""])
def test_seconds_reads_any_header(after: str) -> None:
    seconds = _seconds(after)
    assert seconds is None or seconds >= 0


def test_run_does_not_retry_without_a_quota() -> None:
    with (
        faulty_server(script=["429 You exceeded your current quota"]) as server,
        pytest.raises(BackendFailed, match="quota"),
    ):
        backend(server.url).run([task()], max_tokens=50)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "odd",
    [
        "garbage",
        [],
        {"x": 1},
        {"count": "many", "tokens": ["a"]},
        {"count": -5, "tokens": [-1]},
        {"count": 0, "tokens": []},
    ],
)
def test_count_many_fails_cleanly_at_an_odd_reply(odd: Any) -> None:
    with faulty_server() as server:
        counting = backend(server.url)
        server.tokenized = [odd] * 5
        with pytest.raises(BackendFailed):
            counting.count_many(["a b"])
        server.tokenized = [odd]
        assert counting.template_tokens in (32, 4)


@pytest.mark.parametrize(
    "fault", ["400 bad header Bearer s3cret-key", "500 bad header Bearer s3cret-key", "401 s3cret-key"]
)
def test_run_does_not_show_a_key_that_the_server_repeats(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_API_KEY", "s3cret-key\r\n")
    with faulty_server(script=[fault] * 5) as server, pytest.raises(LcragError) as failed:
        backend(server.url).run([task()], max_tokens=50)
    assert "s3cret" not in f"{failed.value}{failed.value.hint}"
    assert set(server.keys) == {"Bearer s3cret-key"}


def test_server_takes_a_password_in_its_address_and_does_not_show_it() -> None:
    with faulty_server(script=["400 bad header s3cret"]) as server:
        asking = backend(server.url.replace("http://", "http://ann:s3cret@"))
        with pytest.raises(BackendFailed) as failed:
            asking.run([task()], max_tokens=50)
    assert "s3cret" not in f"{failed.value}{failed.value.hint}{asking.identity}{asking.root}"
    assert set(server.keys) == {"Basic YW5uOnMzY3JldA=="}


def test_server_that_nobody_named_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCRAG_API_KEY", "s3cret")
    with faulty_server() as server:
        backend(server.url, send_key=False).run([task()], max_tokens=50)
    assert set(server.keys) == {None}


@pytest.mark.parametrize(
    "page", ["vllm:prefix_cache_queries_total", "vllm:prefix_cache_queries_total many", "a" * 20_000_000]
)
def test_cache_state_survives_odd_metrics(page: str) -> None:
    with faulty_server(metrics=page) as server:
        assert backend(server.url).cache_state() is None


def test_server_that_is_silent_as_it_is_opened_is_not_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.backends.http.ONCE_SECONDS", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(NotRunning, match=r"no whole reply within 0\.2 s"),
    ):
        backend(f"127.0.0.1:{silent.getsockname()[1]}")
