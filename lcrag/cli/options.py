"""The options, once each: every command that takes one says so with the name given here.

A value comes from the command line, else the environment (``LCRAG_`` and the option's name), else ``lcrag.toml``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from lcrag.cli import config
from lcrag.cli.output import Output


def _option(name: str, help: str, *flags: str, **more: Any) -> Any:
    return typer.Option(*flags, help=help, envvar=f"LCRAG_{name.upper()}", show_envvar=False, **more)


def _configure(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
    """Read the configuration as soon as both options that choose it are known, before the others are looked at."""
    ctx.meta[f"lcrag.{param.name}"] = value
    if {"lcrag.config", "lcrag.preset"} <= ctx.meta.keys() and not ctx.resilient_parsing:
        loaded = config.load(ctx.meta["lcrag.config"], ctx.meta["lcrag.preset"], CONFIGURABLE)
        ctx.default_map = {name: value for name, (value, _) in loaded.items()}
        ctx.meta["lcrag.origins"] = {name: origin for name, (_, origin) in loaded.items()}
    return value


# Shared by every command, and accepted before its name too.
Backend = Annotated[
    Literal["auto", "embedded", "server", "vllm"],
    _option(
        "backend", "What answers: auto takes a server if one is there, else embedded, which needs no model server."
    ),
]
BaseUrl = Annotated[
    str | None, _option("base_url", "Address of the server. Example: http://localhost:8000/v1", show_default=False)
]
Model = Annotated[str | None, _option("model", "Name of the model that the server runs.", show_default=False)]
Index = Annotated[Path | None, _option("index", "Folder of the index. Example: ~/my-index", show_default=False)]
Config = Annotated[
    Path | None,
    _option(
        "config",
        "Read this file, and no other lcrag.toml.",
        is_eager=True,
        callback=_configure,
        show_default=False,
    ),
]
Preset = Annotated[
    str | None,
    _option(
        "preset",
        "Take the options of [preset.NAME] in lcrag.toml.",
        is_eager=True,
        callback=_configure,
        show_default=False,
        metavar="NAME",
    ),
]
Verbose = Annotated[int, _option("verbose", "Say more on standard error.", "--verbose", "-v", count=True)]
Quiet = Annotated[bool, _option("quiet", "Say nothing on standard error but errors.", "--quiet", "-q")]
NoColor = Annotated[bool, _option("no_color", "No colours. NO_COLOR in the environment does the same.", "--no-color")]

# Of the commands that read documents.
Dense = Annotated[
    Literal["auto", "on", "off"],
    _option("dense", "Rank by meaning too: on embeds every chunk first, off ranks by words alone."),
]
Embedder = Annotated[
    str | None,
    _option(
        "embedder",
        "A sentence-transformers model or its folder, instead of the built-in one. Example: ./bge-small-en",
        show_default=False,
        metavar="NAME",
    ),
]
Reader = Annotated[
    Literal["auto", "off"],
    _option(
        "reader",
        "Have a small model read what was found, for ranks, evidence and short answers; not with --dense off.",
    ),
]
Prefer = Annotated[
    Literal["quality", "balanced", "speed"], _option("prefer", "What to favour when routes differ.", "--prefer")
]
MaxTokens = Annotated[
    int | None, _option("max_tokens", "Read at most N tokens. Example: 8000", min=1, show_default=False, metavar="N")
]
MaxSeconds = Annotated[
    float | None, _option("max_seconds", "Take at most S seconds. Example: 2.5", min=0, show_default=False, metavar="S")
]
MinQuality = Annotated[
    float | None,
    _option(
        "min_quality",
        "Refuse routes with P(correct) under P. Example: 0.8",
        min=0,
        max=1,
        show_default=False,
        metavar="P",
    ),
]
Pipeline = Annotated[
    str | None,
    _option("pipeline", "Take this route. Example: full_context", show_default=False, metavar="NAME"),
]
Json = Annotated[bool, _option("json", "Print one JSON object, errors too.", "--json")]

# Of `ask` alone.
Ndjson = Annotated[bool, _option("ndjson", "Print events as they happen, one JSON object a line.", "--ndjson")]
Stream = Annotated[
    bool | None,
    _option(
        "stream", "Print the answer as it is written. On a terminal it is.", "--stream/--no-stream", show_default=False
    ),
]
Sources = Annotated[bool, _option("sources", "List the sources under the answer.", "--sources/--no-sources")]
Explain = Annotated[
    bool,
    _option("explain", "Print the plan before the answer and what came of it after, on standard error.", "--explain"),
]
Trace = Annotated[
    bool, _option("trace", "Ask again without parts of what was read: which passages does it depend on?", "--trace")
]
# Of `show` alone.
Quote = Annotated[str | None, _option("quote", "Words to find there, as the file has them.", show_default=False)]
Png = Annotated[
    Path | None, _option("png", "Write the page of a PDF here, the quote marked.", show_default=False, metavar="FILE")
]

Log = Annotated[bool, _option("log", "Keep what was forecast and what came of it, without any text.", "--log/--no-log")]
Shadow = Annotated[
    float,
    _option(
        "shadow",
        "Run this share of the questions on a second route too, for the log. Example: 0.1",
        min=0,
        max=1,
        metavar="SHARE",
    ),
]
Escalate = Annotated[
    bool | None,
    _option(
        "escalate",
        "When nothing is found, try the next route that reads more. Without --pipeline it is on.",
        "--escalate/--no-escalate",
        show_default=False,
    ),
]
Temperature = Annotated[
    float, _option("temperature", "How freely a model chooses its words: 0 takes the likeliest.", min=0, max=2)
]
Seed = Annotated[int, _option("seed", "Start of random numbers: of a model that chooses freely, of statistics.")]
Questions = Annotated[
    Path | None,
    _option(
        "questions",
        "Ask every question of FILE: text (one a line), CSV, JSONL (question and id), or SQuAD's JSON.",
        show_default=False,
        metavar="FILE",
    ),
]
Resume = Annotated[
    Path | None,
    _option(
        "resume",
        "Do not ask again what is in OUT. Example: ask docs/ --questions q.txt --resume out >> out",
        show_default=False,
        metavar="OUT",
    ),
]

# Of `plan` alone.
History = Annotated[bool, _option("history", "Tell how good the forecasts were so far, and plan nothing.", "--history")]

# Of `calibrate` alone.
Quick = Annotated[bool, _option("quick", "Fewer lengths and probes: about a fifth of the time.", "--quick")]
Docs = Annotated[
    list[Path] | None,
    _option("docs", "Lay the probes into these documents instead of generated text.", "--docs", show_default=False),
]
Show = Annotated[bool, _option("show", "Show the profile that is there, and measure nothing.", "--show")]
Chart = Annotated[
    Path | None, _option("chart", "Draw the profile into FILE.svg as well.", show_default=False, metavar="FILE")
]

# Of `ask` with many questions and of `compare`.
Workers = Annotated[
    int | None,
    _option(
        "workers",
        "Ask a server N questions at a time; 8 unless given. Seconds are then those under that load.",
        min=1,
        max=256,
        show_default=False,
        metavar="N",
    ),
]

# Of `compare` alone.
Dataset = Annotated[
    Path | None,
    _option(
        "dataset",
        "Questions with their documents: a folder with questions.jsonl, LongBench's .jsonl, SQuAD's .json.",
        show_default=False,
        metavar="DIR",
    ),
]
Pipelines = Annotated[
    str | None,
    _option(
        "pipelines", "Compare these routes only. Example: chunk_rag,full_context", show_default=False, metavar="A,B"
    ),
]
Limit = Annotated[
    int | None,
    _option(
        "limit", "Ask N of the questions, drawn by --seed; more of them later.", min=1, show_default=False, metavar="N"
    ),
]
Html = Annotated[
    Path | None, _option("html", "Write a report for a browser into FILE.", show_default=False, metavar="FILE")
]
Csv = Annotated[
    Path | None,
    _option("csv", "Write a line for each answer into FILE, for a spreadsheet.", show_default=False, metavar="FILE"),
]

# Of `up` alone.
Port = Annotated[
    int | None,
    _option("port", "Listen on this port instead of a free one.", min=1, max=65535, show_default=False, metavar="N"),
]
Window = Annotated[
    int | None,
    _option("window", "Tokens of context; the longest that fits unless given.", min=1, show_default=False, metavar="N"),
]
Memory = Annotated[
    float | None,
    _option(
        "memory",
        "Share of the device's memory to use. Example: 0.8",
        min=0.01,
        max=1,
        show_default=False,
        metavar="SHARE",
    ),
]
Python = Annotated[
    Path | None, _option("python", "The Python that has vLLM, if it is not this one.", show_default=False)
]

CONFIGURABLE: Final[dict[str, Any]] = {
    "backend": Backend,
    "base_url": BaseUrl,
    "model": Model,
    "index": Index,
    "verbose": Verbose,
    "quiet": Quiet,
    "no_color": NoColor,
    "dense": Dense,
    "embedder": Embedder,
    "reader": Reader,
    "prefer": Prefer,
    "max_tokens": MaxTokens,
    "max_seconds": MaxSeconds,
    "min_quality": MinQuality,
    "pipeline": Pipeline,
    "json": Json,
    "ndjson": Ndjson,
    "stream": Stream,
    "sources": Sources,
    "explain": Explain,
    "escalate": Escalate,
    "trace": Trace,
    "quote": Quote,
    "png": Png,
    "log": Log,
    "shadow": Shadow,
    "quick": Quick,
    "temperature": Temperature,
    "seed": Seed,
    "questions": Questions,
    "resume": Resume,
    "workers": Workers,
    "dataset": Dataset,
    "pipelines": Pipelines,
    "limit": Limit,
    "html": Html,
    "csv": Csv,
    "port": Port,
    "window": Window,
    "memory": Memory,
    "python": Python,
}
"""What ``lcrag.toml`` may hold: key → the option's type and limits."""

BEFORE: Final = {
    "--backend": 2,
    "--base-url": 2,
    "--model": 2,
    "--index": 2,
    "--config": 2,
    "--preset": 2,
    "--verbose": 1,
    "--quiet": 1,
    "-v": 1,
    "-vv": 1,
    "-q": 1,
    "--no-color": 1,
}
"""Options that may stand before the command's name → how many words they take."""


def origins(ctx: typer.Context) -> dict[str, str]:
    """Where the value of each option that is not the built-in one came from."""
    from_files: dict[str, str] = ctx.meta.get("lcrag.origins", {})
    found = {}
    for name in ("config", "preset", *CONFIGURABLE):
        source = ctx.get_parameter_source(name)
        match source.name if source is not None else "":
            case "COMMANDLINE":
                found[name] = "command line"
            case "ENVIRONMENT":
                found[name] = f"LCRAG_{name.upper()}"
            case "DEFAULT_MAP":
                found[name] = from_files[name]
    return found


def values(ctx: typer.Context) -> list[tuple[str, object, str]]:
    """Each option that is set, its value and by whom: those of other commands too, where a file or the environment
    sets them.
    """
    found = origins(ctx)
    files: dict[str, str] = ctx.meta.get("lcrag.origins", {})
    told = [(name, ctx.params[name], origin) for name, origin in found.items() if name in ctx.params]
    for name in CONFIGURABLE:
        variable = f"LCRAG_{name.upper()}"
        if name not in ctx.params and variable in os.environ:
            told.append((name, os.environ[variable], variable))
        elif name not in ctx.params and name in files:
            told.append((name, (ctx.default_map or {})[name], files[name]))
    return [(name, str(value) if isinstance(value, Path) else value, origin) for name, value, origin in told]


def announce(ctx: typer.Context, output: Output) -> None:
    """With --verbose, say which options are set, and by whom."""
    if output.verbose:
        for name, origin in origins(ctx).items():
            if name in ctx.params:
                output.note(f"{name} = {ctx.params[name]}  ({origin})")
