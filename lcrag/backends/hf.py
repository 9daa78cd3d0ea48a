"""A Hugging Face model in this process, by transformers: no server, one task at a time.

``compress`` shortens the KV cache for the question (kvpress' FinchPress: FINCH, Corallo and Papotti 2024; "Beyond RAG",
Corallo et al. 2025). The documents are read once, with the question behind them. Of each head's keys and values only
those stay that the question attends to most, and the question is read again over them: no word of the answer comes
from the whole cache.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import jinja2

from lcrag.backends import machine
from lcrag.backends.local_tokenizer import without_form
from lcrag.backends.openai_server import LOOP_EVERY, THINKING_TOKENS
from lcrag.backends.refusals import fold_system
from lcrag.backends.replies import OPENS_THINKING, Speaker, check_fits, reply_text
from lcrag.backends.request import Sampling
from lcrag.backends.shapes import MOST_ODDS
from lcrag.errors import BackendFailed, InputError, NotInstalled
from lcrag.text import prompts
from lcrag.text.loops import loop_start
from lcrag.types import Backend, BackendIdentity, Completion, OnToken, Task, Usage

INSTALL: Final = 'pip install "lcrag[hf]"'
_QUESTION: Final = ("<question>", "</question>")

try:
    import torch
    import transformers
    from tokenizers.decoders import DecodeStream

    from lcrag.backends.hf_attention import attended
    from lcrag.backends.hf_folder import load_config, load_language_model, load_tokenizer, window_of
except ImportError as error:
    raise NotInstalled(f"transformers cannot be imported: {error}", hint=INSTALL) from error


class HFModel(Backend):
    """A backend around one model. ``model``: its folder, or the name of one in the local Hugging Face cache.

    ``compress``: keep 1 of so many keys and values of the documents, for tasks that have documents and a question.
    ``kv_bytes``: of the KV cache at the end of the last reply. While documents are compressed, those of one layer come
    on top. Threads may share it: they wait for each other. The shapes of tasks are not enforced.
    Raises InputError without a model or for a folder that is not there, NotInstalled for a name that is not in the
    cache, and without kvpress where it is needed, BackendFailed for what is no chat model that can be loaded.
    """

    name = "hf"

    def __init__(self, model: str | None, *, sampling: Sampling | None = None, compress: int | None = None) -> None:
        if model is None:
            raise InputError("the hf backend needs a model", hint="--backend hf --model FOLDER")
        press = _finch_press() if compress else None
        config = load_config(model)
        self._tokenizer = load_tokenizer(model)
        self._lm = load_language_model(model, config)
        if compress:
            _check_compressible(self._lm, config)
        self._press, self._compress, self._folder = press, compress or 1, model
        self.model = f"{model}, KV cache 1 in {compress}" if compress else model
        self.window = window_of(model, config)
        self.sampling = sampling or Sampling()
        self.kv_bytes = 0
        parameters = inspect.signature(self._lm.forward).parameters
        self._cache_name = "cache" if "cache" in parameters else "past_key_values"  # its earlier name
        self._thinking_tokens = 0
        self._lock = threading.Lock()
        added = self._tokenizer.added_tokens_decoder.values()
        self._control = without_form(token.content for token in added if token.special)
        ends = self._lm.generation_config.eos_token_id
        self._ends = {self._tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
        try:
            bare = self._rendered(Task("answer", ""))
        except (ValueError, jinja2.TemplateError) as error:
            raise BackendFailed(
                f"{model} has no chat template that works: {error}", hint="an instruct model"
            ) from error
        words = "".join(message["content"] for message in prompts.messages(Task("answer", "")))
        counts = self.count_many([bare, words])
        self._template_tokens = max(0, counts[0] - counts[1])

    @property
    def tokenizer(self) -> str:
        return f"hf/{self._folder}"

    @property
    def template_tokens(self) -> int:
        return self._template_tokens

    @property
    def attends(self) -> bool:
        return True

    @property
    def identity(self) -> BackendIdentity:
        dtype = str(self._lm.dtype).removeprefix("torch.")
        return BackendIdentity(self.name, self.model, self.window, dtype, machine.device())

    def count_many(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        return [len(ids) for ids in self._tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    def run(self, tasks: Sequence[Task], *, max_tokens: int, on_token: OnToken | None = None) -> list[Completion]:
        """The tasks one after the other. ``on_token`` is called for a single task only.

        Raises DoesNotFit for a prompt that is longer than the window, BackendFailed when the model fails, says nothing
        that is an answer, or takes longer than ``max_seconds``.
        """
        speak = on_token if len(tasks) == 1 else None
        completions = []
        for task in tasks:
            with self._lock, torch.inference_mode():
                try:
                    completions.append(self._complete(task, max_tokens, speak, time.perf_counter()))
                except RuntimeError as error:  # of torch, out of memory for example
                    raise BackendFailed(f"the model {self.model} failed: {error}", hint="fewer tokens") from error
        return completions

    def _complete(self, task: Task, max_tokens: int, speak: OnToken | None, begun: float) -> Completion:
        text = self._rendered(task)
        encoding = self._tokenizer(text, add_special_tokens=False)
        room = 1 if task.odds else max_tokens + self._thinking_tokens
        check_fits(len(encoding["input_ids"]), room, self.window)
        if task.attend:
            return self._attend(task, text, encoding, begun)
        speaker = Speaker(speak)
        opening = OPENS_THINKING.search(text)
        reply = _Reply(opening[0] if opening else "")
        speaker.say(reply.text)
        self._write(reply, task, self._read(task, text, encoding), room, speaker, begun)
        speaker.end()
        try:
            answer = reply_text(task, reply.text, room, finish=reply.finish)
        except BackendFailed as error:
            if reply.finish == "length" and not self._thinking_tokens:
                self._thinking_tokens = min(THINKING_TOKENS, self.window // 4)
                return self._complete(task, max_tokens, speak, begun)
            raise BackendFailed(f"the model {self.model} gave no answer: {error}", hint=error.hint) from error
        seconds = time.perf_counter() - begun
        usage = Usage(len(encoding["input_ids"]), 0, reply.tokens, 1, seconds)
        return Completion(answer, usage, finish=reply.finish, odds=reply.odds)

    def _attend(self, task: Task, text: str, encoding: Any, begun: float) -> Completion:
        """Where the question attends to, and nothing written."""
        begin, _, asked, end = self._places(task, text)
        first, last = (encoding.char_to_token(place) for place in (asked, end))
        rows = slice(first, last + 1)
        found = attended(self._lm, encoding, task.passages, self._control, begin, rows, task.attend)
        usage = Usage(len(encoding["input_ids"]), 0, 0, 1, time.perf_counter() - begun)
        return Completion("", usage, attended=found)

    def _places(self, task: Task, text: str) -> tuple[int, int, int, int]:
        """Where in a prompt its documents begin and end, and the first and the last character of its question."""
        documents = prompts.prefix(task.passages, self._control)
        begin = text.index(documents)
        end = begin + len(documents)
        asked = text.index(_QUESTION[0], end)
        return begin, end, asked, text.index(_QUESTION[1], asked) + len(_QUESTION[1]) - 1

    def _rendered(self, task: Task) -> str:
        """The prompt in the model's chat template."""
        messages = prompts.messages(task, self._control)
        try:
            return self._templated(messages)
        except jinja2.TemplateError:  # a template without a system role
            return self._templated(fold_system(messages))

    def _templated(self, messages: list[dict[str, str]]) -> str:
        return str(self._tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))

    def _read(self, task: Task, text: str, encoding: Any) -> tuple[list[int], Any]:
        """What is left to read of a prompt, and the cache of what comes before: empty, or the compressed documents."""
        ids: list[int] = encoding["input_ids"]
        if self._press is None or not task.passages or not task.question:
            return ids, transformers.DynamicCache(config=self._lm.config)
        first, after, start, stop = map(encoding.char_to_token, self._places(task, text))
        question = ids[start : stop + 1]
        kept = first + max(1, (after - first) // self._compress)
        press = self._press(1 - (kept + len(question) + 0.5) / (after + len(question)))
        press.delimiter_token_id = -1  # none: the prompt is given in its two parts
        press.window_size = len(question)
        cache = transformers.DynamicCache()
        with press(self._lm):
            self._lm.model(input_ids=self._tensor(ids[:after] + question), past_key_values=cache)
        cache.crop(kept)
        return ids[after:], cache

    def _write(
        self, reply: _Reply, task: Task, read: tuple[list[int], Any], room: int, speaker: Speaker, begun: float
    ) -> None:
        """Read the rest of the prompt and write at most ``room`` tokens into ``reply``."""
        ids, cache = read
        stream = DecodeStream(skip_special_tokens=False)
        generator = torch.Generator(self._lm.device).manual_seed(self.sampling.seed)
        while reply.tokens < room and reply.finish != "stop":
            if self.max_seconds is not None and time.perf_counter() - begun > self.max_seconds:
                raise BackendFailed(f"no whole reply within {self.max_seconds:g} s", hint="a longer --max-seconds")
            output = self._lm(input_ids=self._tensor(ids), logits_to_keep=1, **{self._cache_name: cache})
            logits = output.logits[0, -1].float()
            if task.odds:
                likeliest = logits.softmax(-1).topk(min(task.odds, MOST_ODDS))
                pairs = zip(likeliest.indices.tolist(), likeliest.values.tolist(), strict=True)
                reply.odds = tuple((str(self._tokenizer.decode([token])), odds) for token, odds in pairs)
            ids = [self._draw(logits, generator)]
            if ids[0] in self._ends:
                reply.finish = "stop"
                break
            before = len(reply.text)
            piece = stream.step(self._tokenizer.backend_tokenizer, ids[0]) or ""
            reply.tokens, reply.text = reply.tokens + 1, reply.text + piece
            speaker.say(piece)
            if before // LOOP_EVERY < len(reply.text) // LOOP_EVERY and loop_start(reply.text) is not None:
                reply.finish = "stop"  # the rest would only be more of the same
        self.kv_bytes = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)

    def _draw(self, logits: Any, generator: Any) -> int:
        if not self.sampling.temperature:
            return int(logits.argmax())
        odds = (logits / self.sampling.temperature).softmax(-1)
        return int(torch.multinomial(odds, 1, generator=generator))

    def _tensor(self, ids: list[int]) -> Any:
        return torch.tensor([ids], device=self._lm.device)


class _Reply:
    """What has been written so far; it is cut at the limit unless its end is seen."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.finish = text, 0, "length"
        self.odds: tuple[tuple[str, float], ...] = ()


def _finch_press() -> Any:
    try:
        from kvpress import FinchPress
    except ImportError as error:
        raise NotInstalled(f"--compress-kv needs kvpress: {error}", hint=INSTALL) from error
    return FinchPress


def _check_compressible(lm: Any, config: Any) -> None:
    from kvpress import SUPPORTED_MODELS

    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if not isinstance(lm, SUPPORTED_MODELS) or kinds != {"full_attention"} or hasattr(lm.model, "language_model"):
        raise BackendFailed(
            f"kvpress cannot compress the KV cache of {type(lm).__name__} with {', '.join(sorted(kinds))}",
            hint="without --compress-kv",
        )
