"""What belongs to no single command: pages of ``lcrag help TOPIC``, sections of the reference.

Markdown, made from the code where the code knows it.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable
from typing import Final, NamedTuple

from lcrag import errors
from lcrag.cli.app import FAULT, INTERRUPTED
from lcrag.cli.config import FILE
from lcrag.cli.options import CONFIGURABLE
from lcrag.ingest.discover import MAX_FILE_BYTES
from lcrag.ingest.ignore_files import IGNORE_FILES

COLUMNS: Final = 80


class Topic(NamedTuple):
    """A page: its title, and what makes its text."""

    title: str
    text: Callable[[], str]


def routes() -> str:
    """Every pipeline with its options, as its own module says."""
    from lcrag.session import every_pipeline, options_of

    entries = []
    for name, kind in every_pipeline().items():
        module = sys.modules[kind.__module__].__doc__ or ""
        lines = f"- `{name}`: {' '.join(module.partition(chr(10) * 2)[0].split())}"
        options = options_of(kind)
        if options:
            lines += f" Options: `{options}`."
        entries.append(textwrap.fill(lines, COLUMNS, subsequent_indent="  ", break_long_words=False))
    return (
        "\n".join(entries)
        + """

The router takes the best of those that suit the question; some are there to be
named only. `--pipeline` names one, with options if you like: `--pipeline
chunk_rag:tokens=4000,select=quotes`. `lcrag recipes` lists systems of the
literature by name, `lcrag plan` what each route would cost."""
    )


def sessions() -> str:
    return """\
`lcrag ask docs/ "Who built it?" --session work` and `lcrag chat docs/` remember
the questions of a session, so that a follow-up question is understood: it is
made to stand alone, by the model of a server or by rules, and printed as it was
understood (in JSON: `session.question`).

What you say of yourself ("My budget is 400 pounds.") is kept with its date and
may be read and cited like a document, as a quarter of what is retrieved at
most. A later statement with the same subject takes its place. What a model
answered only helps to understand the next question: it is never read as
evidence.

A session is kept on this machine, with an index of its own; `--forget` removes
both, and its answers in `lcrag history`. Without `--session`, a chat is
forgotten at its end."""


def datasets() -> str:
    return """\
`lcrag compare --dataset DIR` reads `DIR/questions.jsonl`, one object a line:

    {"id": "q1", "question": "…", "docs": ["report.md"], "answers": ["…"]}

- `id`, `question`, `docs`: needed; the documents are relative to `DIR`.
- `answers`: any one of them is right. `options`: of a multiple choice question.
  `unanswerable`: true where the documents hold no answer.
- `evidence_spans`: `{"doc", "start", "end"}`, characters of the text: how much
  of the evidence is read and cited.
- `points`: statements that a good answer needs, as texts. Each route then shows
  its coverage, the share of them that what it read supports (by the check that
  cites answers: shared words, the same numbers and names), and its density, the
  coverage for each 1,000 tokens read (`points` in JSON).
- `dataset`, `task_type`: how the questions are grouped.

`--questions FILE` takes the same lines, for the documents that you name."""


def exit_codes() -> str:
    kinds = sorted(_below(errors.LcragError), key=lambda kind: kind.exit_code)
    lines = [
        "- 0: answered, or done",
        "- 1: not in the documents",
        *(_exit_code(kind) for kind in kinds),
        f"- {FAULT}: a fault in lcrag itself",
        f"- {INTERRUPTED}: interrupted by Ctrl-C",
    ]
    return "\n".join(lines) + "\n\nWith many questions, `ask` exits with the highest code of any of them."


def _exit_code(kind: type[errors.LcragError]) -> str:
    names = ", ".join(f"`{name.__name__}`" for name in (kind, *_below(kind)))
    description = (inspect.getdoc(kind) or "").rstrip(".")
    line = f"- {kind.exit_code}: {description[0].lower()}{description[1:]} ({names})"
    return textwrap.fill(line, COLUMNS, subsequent_indent="  ")


def _below(kind: type[errors.LcragError]) -> list[type[errors.LcragError]]:
    """The kinds of error right below this one that ``lcrag.errors`` defines."""
    return [below for below in kind.__subclasses__() if below.__module__ == errors.__name__]


def configuration() -> str:
    names = textwrap.fill(", ".join(f"`{name}`" for name in sorted(CONFIGURABLE)), COLUMNS)
    return f"""\
The value of an option comes from the first of these that has one:

1. the command line,
2. the environment: `LCRAG_` and the option's name (`LCRAG_MAX_TOKENS=8000`),
3. `[preset.NAME]` in `{FILE}`, with `--preset NAME`,
4. `{FILE}` in the working folder,
5. `{FILE}` in your configuration folder.

`--config FILE` replaces 4 and 5. `lcrag doctor` prints the origin of each
value. A server's key comes from `LCRAG_API_KEY` alone. `{FILE}` may hold:

{names}"""


def ignore_rules() -> str:
    return f"""\
Folders are walked. Left out, and counted as skipped, are hidden files and
folders, binary and empty files, files over {MAX_FILE_BYTES // 1_000_000} MB, links that lead out of the
folder, and what `{IGNORE_FILES[0]}` and `{IGNORE_FILES[1]}` exclude. A pattern in an inner
folder comes before one in an outer folder. A file that is named on the command
line is read even if it is hidden or ignored."""


def on_ray() -> str:
    return """\
`--ray ADDRESS` of `index`, `ask --questions` and `compare` gives the work to
the machines of a Ray cluster: `auto` (the one that runs on this machine),
`local` (one for this call), `HOST:PORT`, `ray://HOST:PORT`.

All machines need the same lcrag (`pip install "lcrag[ray]"`), the same models
and, to read files, the documents under the same path. What differs is said
before anything is read. `LCRAG_API_KEY` must be set where `ray start` ran; a
server is named with `--base-url`, by an address that all machines reach.

Only this machine writes the index. `index` keeps what was read every few
seconds, and goes on from there after a kill; `ask` does with `--resume`. Tasks
of a machine that dies run on another one. The results are those without Ray.
For questions every chunk is embedded first, as with `--dense on`, and each
process that answers has a copy of the index in its temporary folder; an index
in Milvus or PostgreSQL is for `index --ray` only. `ask` keeps no route log
there."""


TOPICS: Final = {
    "exit-codes": Topic("Exit codes", exit_codes),
    "configuration": Topic("Configuration", configuration),
    "datasets": Topic("Questions with right answers", datasets),
    "files": Topic("Which files are read", ignore_rules),
    "routes": Topic("Routes", routes),
    "sessions": Topic("Sessions", sessions),
    "ray": Topic("On Ray", on_ray),
}
