"""vLLM in this process (``vllm.LLM``): no server, for batches that are asked once and done."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from lcrag.backends.machine import CPU_MEMORY, VLLM_ENVIRONMENT
from lcrag.backends.openai_server import Sampling, without_thinking
from lcrag.errors import BackendFailed, DoesNotFit, InputError, NotInstalled
from lcrag.text import prompts
from lcrag.types import Backend, Completion, OnToken, Task, Usage


class VLLMOffline(Backend):
    """A backend around one ``vllm.LLM``. Loading takes as long as a server's start; close the process to free it.

    Raises InputError without a model, NotInstalled without vLLM, BackendFailed when the engine cannot start.
    """

    name = "vllm"

    def __init__(self, model: str | None, *, sampling: Sampling | None = None, window: int | None = None) -> None:
        if model is None:
            raise InputError("the vllm backend needs a model", hint="--backend vllm --model FOLDER")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        os.environ.update(VLLM_ENVIRONMENT | os.environ)
        try:
            import vllm
        except ImportError as error:
            raise NotInstalled(f"vLLM cannot be imported: {error}", hint='pip install "lcrag[vllm]"') from error
        from vllm.platforms import current_platform

        cpu = current_platform.is_cpu()
        try:
            self._llm = vllm.LLM(
                model,
                max_model_len=window if window else -1,
                enable_prefix_caching=True,
                enforce_eager=cpu,
                generation_config="vllm",
                disable_log_stats=False,
                **({"gpu_memory_utilization": CPU_MEMORY} if cpu else {}),
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise BackendFailed(f"vLLM cannot start on {model}: {error}", hint="--model FOLDER") from error
        self.model = model
        self.sampling = sampling or Sampling()
        self.window = int(self._llm.llm_engine.model_config.max_model_len)
        self._tokenizer: Any = self._llm.get_tokenizer()

    @property
    def tokenizer(self) -> str:
        return f"vllm/{self.model}"

    def count_many(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        return [len(ids) for ids in self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        """All tasks as one batch; completions in the tasks' order.

        Raises DoesNotFit for a prompt that is longer than the window, BackendFailed when the engine does.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        chats = [prompts.messages(task) for task in tasks]
        for chat in chats:
            self._must_fit(chat, max_tokens)
        verdict = StructuredOutputsParams(json=dict(prompts.JUDGE_SCHEMA))
        params = [
            SamplingParams(
                temperature=self.sampling.temperature,
                seed=self.sampling.seed,
                max_tokens=max_tokens,
                structured_outputs=verdict if task.role == "judge" else None,
            )
            for task in tasks
        ]
        begun = time.perf_counter()
        try:
            outputs = self._llm.chat(chats, params, use_tqdm=False)
        except (RuntimeError, ValueError) as error:
            raise BackendFailed(f"vLLM failed: {error}") from error
        seconds = (time.perf_counter() - begun) / max(1, len(tasks))
        return [self._completion(task, output, seconds) for task, output in zip(tasks, outputs, strict=True)]

    def _must_fit(self, chat: list[dict[str, str]], max_tokens: int) -> None:
        needed = len(self._tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False))
        if needed + max_tokens > self.window:
            raise DoesNotFit(
                f"the prompt of {needed:,} tokens and {max_tokens:,} for the answer exceed the window of "
                f"{self.window:,} tokens",
                tokens=needed + max_tokens,
                window=self.window,
                hint="--pipeline chunk_rag or --pipeline chain_of_agents",
            )

    @staticmethod
    def _completion(task: Task, output: Any, seconds: float) -> Completion:
        [best] = output.outputs
        text = prompts.parse_verdict(best.text) if task.role == "judge" else without_thinking(best.text)
        if best.text.strip() and not text.strip():
            raise BackendFailed("all tokens of the reply went into thinking")
        return Completion(
            text=text.strip(),
            usage=Usage(
                input_tokens=len(output.prompt_token_ids),
                cached_tokens=output.num_cached_tokens or 0,
                output_tokens=len(best.token_ids),
                calls=1,
                seconds=seconds,
            ),
            finish="length" if best.finish_reason == "length" else "stop",
        )
