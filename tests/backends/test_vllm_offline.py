"""vLLM in this process, with a stand-in for the package."""

from __future__ import annotations

import os
import sys
import time
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lcrag.backends.vllm_offline import VLLMOffline
from lcrag.errors import BackendFailed, DoesNotFit, InputError, NotInstalled
from lcrag.types import Passage, Task

NAMES = ("VLLM_NO_USAGE_STATS", "VLLM_LOGGING_LEVEL")


class StandIn:
    """``vllm.LLM``: a token is a word; a reply names the last word of its question. ``seen``: what it saw of NAMES."""

    def __init__(self, model: str, **options: Any) -> None:
        self.seen = [os.environ.get(name) for name in NAMES]
        if model == "broken":
            raise RuntimeError("no such architecture")
        self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=1000))

    def get_tokenizer(self) -> Any:
        return SimpleNamespace(
            apply_chat_template=lambda chat, **_: " ".join(message["content"] for message in chat).split()
        )

    def chat(self, chats: list[Any], params: list[Any], **_: Any) -> list[Any]:
        time.sleep(0.05)
        questions = [chat[-1]["content"].partition("<question>")[2].split("?")[0] for chat in chats]
        return [
            SimpleNamespace(
                outputs=[SimpleNamespace(text=question.split()[-1], token_ids=[1, 2], finish_reason="stop")],
                prompt_token_ids=[1] * 9,
                num_cached_tokens=None,
            )
            for question in questions
        ]


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    package, platforms, parameters = (ModuleType(name) for name in ("vllm", "vllm.platforms", "vllm.sampling_params"))
    package.__dict__.update(LLM=StandIn, SamplingParams=SimpleNamespace)
    platforms.__dict__.update(current_platform=SimpleNamespace(is_cpu=lambda: True))
    parameters.__dict__.update(StructuredOutputsParams=SimpleNamespace)
    for module in (package, platforms, parameters):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("given", "level"), [(None, "ERROR"), ("DEBUG", "DEBUG")])
def test_offline_sets_the_environment_only_for_the_start(
    monkeypatch: pytest.MonkeyPatch, given: str | None, level: str
) -> None:
    if given is not None:
        monkeypatch.setenv("VLLM_LOGGING_LEVEL", given)
    before = dict(os.environ)
    backend = VLLMOffline("model")
    assert backend._llm.seen == ["1", level]
    assert dict(os.environ) == before
    with pytest.raises(BackendFailed, match="no such architecture"):
        VLLMOffline("broken")
    assert dict(os.environ) == before


def test_offline_returns_completions_in_order_each_with_the_time_until_it_was_there() -> None:
    passage = Passage(1, "d", "a.md", 0, 4, "text", 1)
    tasks = [Task("answer", f"What about {number}?", (passage,)) for number in range(3)]
    begun = time.perf_counter()
    completions = VLLMOffline("model").run(tasks, max_tokens=9)
    elapsed = time.perf_counter() - begun
    assert [completion.text for completion in completions] == ["0", "1", "2"]
    assert all(0.05 <= completion.usage.seconds <= elapsed for completion in completions)


def test_offline_asks_for_the_shape_of_each_reply_and_its_odds(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    chat = StandIn.chat
    likely = {1: SimpleNamespace(decoded_token="no", logprob=-2.0), 2: SimpleNamespace(decoded_token="so", logprob=0.0)}

    def recorded(self: StandIn, chats: list[Any], params: list[Any], **more: Any) -> list[Any]:
        asked.extend(params)
        replies = chat(self, chats, params, **more)
        for reply in replies:
            reply.outputs[0].logprobs = [likely]
        return replies

    monkeypatch.setattr(StandIn, "chat", recorded)
    shapes: list[Any] = [None, ("a", "b"), r"\d", {"type": "object"}]
    tasks = [Task("answer", "Why?", shape=shape) for shape in shapes]
    done = VLLMOffline("model").run([*tasks, Task("judge", "Why?", odds=99)], max_tokens=9)
    said = [None if one.structured_outputs is None else vars(one.structured_outputs) for one in asked]
    assert said[:4] == [None, {"choice": ["a", "b"]}, {"regex": r"\d"}, {"json": {"type": "object"}}]
    assert said[4]["json"]["properties"]["verdict"]
    assert [one.logprobs for one in asked] == [None] * 4 + [20]
    assert [one.odds for one in done[:4]] == [()] * 4
    assert [token for token, _ in done[4].odds] == ["so", "no"]


def test_offline_refuses_what_does_not_fit() -> None:
    passage = Passage(1, "d", "a.md", 0, 4, "word " * 1000, 1000)
    with pytest.raises(DoesNotFit, match="window of 1,000 tokens"):
        VLLMOffline("model").run([Task("answer", "Who?", (passage,))], max_tokens=9)


def test_offline_needs_a_model_and_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="needs a model"):
        VLLMOffline(None)
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(NotInstalled, match="cannot be imported"):
        VLLMOffline("model")
