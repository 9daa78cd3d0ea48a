"""The options in groups. A command names the groups that it takes (``lcrag.cli.call.with_options``).

A value comes from the command line, else the environment (``LCRAG_`` and the option's name), else ``lcrag.toml``, else
from here.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from lcrag.cli import completion, config
from lcrag.cli.groups import Group, Option, flags


def _configure(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    """Read the configuration as soon as both options that choose it are known."""
    ctx.meta[f"lcrag.{param.name}"] = value
    if {"lcrag.config", "lcrag.preset"} <= ctx.meta.keys() and not ctx.resilient_parsing:
        loaded = config.load(ctx.meta["lcrag.config"], ctx.meta["lcrag.preset"], CONFIGURABLE)
        ctx.default_map = {name: value for name, (value, _) in loaded.items()}
        ctx.meta["lcrag.origins"] = {name: origin for name, (_, origin) in loaded.items()}
    return value


class Common(Group):
    """Of every command."""

    config: Annotated[Path | None, Option("Read this file, and no other lcrag.toml.", callback=_configure)] = None
    preset: Annotated[
        str | None, Option("Take the options of [preset.NAME] in lcrag.toml.", "NAME", callback=_configure)
    ] = None
    verbose: Annotated[int, Option("Print more on standard error.", short="-v", count=True)] = 0
    quiet: Annotated[bool, Option("Print only errors on standard error.", short="-q")] = False
    no_color: Annotated[bool, Option("No colours. NO_COLOR in the environment does the same.")] = False


class Backend(Group):
    backend: Annotated[
        Literal["auto", "embedded", "server", "vllm", "hf"],
        Option("What answers: auto takes a server if there is one, else embedded, which needs no model server."),
    ] = "auto"
    model: Annotated[
        str | None, Option("Name of the model that the server runs; of vllm and hf the folder of one.")
    ] = None
    compress_kv: Annotated[
        int | None,
        Option(
            "With hf: keep 1 in N of the documents' KV cache, chosen for the question. Example: 4", "N", min=2, max=64
        ),
    ] = None


class Server(Group):
    base_url: Annotated[
        str | None, Option("Address of the server, or several with commas between. Example: http://localhost:8000/v1")
    ] = None
    ca_file: Annotated[
        Path | None, Option("Certificates to trust, as a PEM file; SSL_CERT_FILE does the same.", "FILE")
    ] = None


class Index(Group):
    index: Annotated[
        str | None,
        Option(
            "Folder of the index. Example: ~/my-index, or milvus:http://HOST:19530, milvus:FILE.db,"
            " postgresql://USER@HOST/DATABASE",
            "URI",
        ),
    ] = None


class Chosen(Index):
    only: Annotated[
        list[str] | None,
        Option(
            'Read only files whose path matches, as in .gitignore; may be repeated. Example: "docs/2023/*.md"',
            "PATTERN",
        ),
    ] = None
    since: Annotated[
        str | None, Option("Read only files changed on that day or later. Example: 2024-01-31", "DATE")
    ] = None


class Vectors(Group):
    dense: Annotated[
        Literal["auto", "on", "off"],
        Option("Rank by meaning too: on embeds every chunk first, off ranks by words alone."),
    ] = "auto"
    embedder: Annotated[
        str | None,
        Option(
            "A sentence-transformers model or its folder, instead of the built-in one. Example: ./bge-small-en", "NAME"
        ),
    ] = None


class Layers(Group):
    layers: Annotated[
        Literal["section"] | None,
        Option("Sum up each section, once: by the server's model if there is one. For chunk_rag:layer=section."),
    ] = None


class Retrieval(Vectors):
    reader: Annotated[
        Literal["auto", "off"],
        Option(
            "Let a small model read the retrieved passages, for ranks, evidence and short answers; "
            "not with --dense off."
        ),
    ] = "auto"
    writer: Annotated[
        Literal["auto", "off"],
        Option("Let a small model find short answers and sum up talks on the embedded backend; not with --dense off."),
    ] = "auto"


class Budget(Group):
    prefer: Annotated[Literal["quality", "balanced", "speed"], Option("What to favour when routes differ.")] = (
        "balanced"
    )
    max_tokens: Annotated[int | None, Option("Read at most N tokens. Example: 8000", "N", min=1)] = None
    max_seconds: Annotated[float | None, Option("Take at most S seconds. Example: 2.5", "S", min=0)] = None


class Routing(Budget):
    min_quality: Annotated[
        float | None, Option("Refuse routes with P(correct) under P. Example: 0.8", "P", min=0, max=1)
    ] = None
    pipeline: Annotated[
        str | None,
        Option(
            "Take this route or recipe. Example: full_context, chunk_rag:tokens=4000, self_route",
            "NAME",
            complete=completion.routes,
        ),
    ] = None


class Seed(Group):
    seed: Annotated[int, Option("Random seed for sampling and for the statistics.")] = 0


class Sampling(Seed):
    temperature: Annotated[float, Option("Sampling temperature; 0 is greedy.", min=0, max=2)] = 0.0


class Json(Group):
    json: Annotated[bool, Option("Print one JSON object, errors too.")] = False


class Formats(Json):
    ndjson: Annotated[bool, Option("Print events as they happen, one JSON object a line.")] = False
    format: Annotated[
        Literal["plain", "md", "json", "ndjson"],
        Option("How answers are printed: md is Markdown, json and ndjson are as above."),
    ] = "plain"


class Batch(Group):
    """Many questions."""

    questions: Annotated[
        Path | None,
        Option("Ask every question of FILE: text (one a line), CSV, JSONL (question and id), or SQuAD's JSON.", "FILE"),
    ] = None
    resume: Annotated[
        Path | None,
        Option(
            "Skip the questions answered in OUT. Example: ask docs/ --questions q.txt --resume out >> out",
            "OUT",
        ),
    ] = None
    workers: Annotated[
        int | None,
        Option(
            "Ask N questions at a time; 8 a server unless given. Seconds are then those under that load.",
            "N",
            min=1,
            max=256,
        ),
    ] = None


class Ray(Group):
    ray: Annotated[
        str | None,
        Option(
            "Work on a Ray cluster: auto (the one on this machine), local, HOST:PORT or ray://HOST:PORT; see help ray.",
            "ADDRESS",
        ),
    ] = None


class Ask(Group):
    stream: Annotated[bool | None, Option("Print the answer as it is written, the default on a terminal.")] = None
    sources: Annotated[bool, Option("List the sources under the answer.")] = True
    all_sources: Annotated[bool, Option("When nothing is found, name every file that was not read, not only five.")] = (
        False
    )
    explain: Annotated[
        bool, Option("Print the plan before the answer and its actual cost after, on standard error.")
    ] = False
    trace: Annotated[
        bool, Option("Ask again without parts of what was read: which passages does the answer depend on?")
    ] = False
    escalate: Annotated[
        bool | None,
        Option("When nothing is found, try the next route that reads more. On unless --pipeline is given."),
    ] = None
    log: Annotated[bool, Option("Keep the answer for lcrag history, and forecasts with actual costs.")] = True
    shadow: Annotated[
        float,
        Option(
            "Run this share of the questions on a second route too, for the log. Example: 0.1", "SHARE", min=0, max=1
        ),
    ] = 0.0


class Page(Group):
    html: Annotated[Path | None, Option("Write the answer as a page for a browser into FILE.", "FILE")] = None


class Talk(Group):
    session: Annotated[
        str | None,
        Option(
            "Remember questions, and what you say of yourself, under this name: follow-up questions are understood.",
            "NAME",
            complete=completion.sessions,
        ),
    ] = None


class Compare(Group):
    dataset: Annotated[
        Path | None,
        Option(
            "Questions with their documents: a folder with questions.jsonl, LongBench's .jsonl, SQuAD's .json.", "DIR"
        ),
    ] = None
    pipelines: Annotated[
        str | None,
        Option(
            "Compare these routes only. Example: chunk_rag:tokens=500,select=quotes,full_context,self_route",
            "A,B",
            complete=completion.route_lists,
        ),
    ] = None
    limit: Annotated[
        int | None, Option("Ask N of the questions, drawn by --seed; a larger N later adds to them.", "N", min=1)
    ] = None
    log: Annotated[bool, Option("Record P(correct) and how right the answers were, without any text.")] = True
    html: Annotated[Path | None, Option("Write a report for a browser into FILE.", "FILE")] = None
    csv: Annotated[Path | None, Option("Write a line for each answer into FILE, for a spreadsheet.", "FILE")] = None


class Calibrate(Group):
    quick: Annotated[bool, Option("Fewer lengths and probes: about a fifth of the time.")] = False


class Show(Group):
    quote: Annotated[str | None, Option("Words to find there, as the file has them.")] = None
    png: Annotated[Path | None, Option("Write the page of a PDF here, with the quote marked.", "FILE")] = None


class Up(Group):
    port: Annotated[
        int | None, Option("Listen on this port instead of a free one; replicas on the next.", "N", min=1, max=65535)
    ] = None
    replicas: Annotated[
        int, Option("Start N servers; each question goes to the one that read its start.", "N", min=1)
    ] = 1
    tensor_parallel: Annotated[int, Option("Split the model of each server over K GPUs.", "K", min=1)] = 1
    data_parallel: Annotated[
        int, Option("Copies of the model in each server; unlike replicas, they do not keep to a start.", "D", min=1)
    ] = 1
    window: Annotated[int | None, Option("Tokens of context; the longest that fits unless given.", "N", min=1)] = None
    memory: Annotated[
        float | None, Option("Share of the device's memory to use. Example: 0.8", "SHARE", min=0.01, max=1)
    ] = None
    python: Annotated[Path | None, Option("The Python that has vLLM, if it is not this one.")] = None


class Serve(Group):
    """A server for the documents."""

    host: Annotated[str, Option("Listen on this address. Beyond this machine: 0.0.0.0.", "ADDRESS")] = "127.0.0.1"
    port: Annotated[int, Option("Listen on this port; 0 takes a free one.", "N", min=0, max=65535)] = 8765
    token: Annotated[str | None, Option("The token to ask for, instead of a new one at each start.", "TOKEN")] = None
    no_token: Annotated[bool, Option("Ask for no token; on this machine's own addresses only.")] = False
    timeout: Annotated[float, Option("Give a question S seconds, its wait for others included.", "S", min=0.1)] = 120.0
    cors: Annotated[
        str | None, Option("Let pages of these sites ask. Example: https://notes.example", "ORIGIN,...")
    ] = None
    mcp: Annotated[bool, Option("Speak the Model Context Protocol on standard input and output, not HTTP.")] = False


BEFORE_NAME: Final[tuple[type[Group], ...]] = (Common, Backend, Server, Index)
"""Groups whose options may also come before the command's name."""
GROUPS: Final[tuple[type[Group], ...]] = (
    *BEFORE_NAME,
    Layers,
    Retrieval,
    Routing,
    Sampling,
    Formats,
    Batch,
    Ray,
    Ask,
    Page,
    Talk,
    Chosen,
    Compare,
    Calibrate,
    Show,
    Up,
    Serve,
)


CONFIGURABLE: Final = {
    field.name: field for group in GROUPS for field in group.fields() if field.name not in ("config", "preset")
}
"""What ``lcrag.toml`` may hold: name → the option's type and limits."""


def _words() -> Iterator[tuple[str, int]]:
    for field in (field for group in BEFORE_NAME for field in group.fields()):
        words = 1 if field.type is bool or field.option.count else 2
        yield from ((flag, words) for flag in flags(field))
        if field.option.count and field.option.short:
            yield f"{field.option.short}{field.option.short[1:]}", words


BEFORE: Final = dict(_words())
"""Options that may come before the command's name → how many words they take."""
