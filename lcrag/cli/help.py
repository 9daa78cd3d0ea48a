"""``lcrag help TOPIC``: what belongs to no single command."""

from __future__ import annotations

from typing import Annotated

import typer

from lcrag.cli.call import Call, with_options
from lcrag.cli.commands import COMMANDS, load
from lcrag.cli.topics import COLUMNS, TOPICS
from lcrag.errors import InputError


def _complete(incomplete: str) -> list[str]:
    return [name for name in (*TOPICS, *COMMANDS) if name.startswith(incomplete)]


Name = Annotated[str | None, typer.Argument(help="A topic, or a command.", metavar="[TOPIC]", autocompletion=_complete)]


@with_options()
def help_command(call: Call, topic: Name = None) -> int:
    """Show a topic: routes, sessions, configuration, files, exit codes.

    Example: lcrag help routes
    """
    if topic is None:
        rows = [f"{name:<15}{page.title}" for name, page in TOPICS.items()]
        call.output.write("\n".join([*rows, "", "lcrag help TOPIC; lcrag COMMAND --help for a command"]) + "\n")
    elif topic in TOPICS:
        call.output.write(f"# {TOPICS[topic].title}\n\n{TOPICS[topic].text()}\n")
    elif topic in COMMANDS:
        command = load(topic)
        context = typer.Context(command, info_name=f"lcrag {topic}", max_content_width=COLUMNS)
        call.output.write(command.get_help(context) + "\n")
    else:
        raise InputError(f"there is no topic {topic}", hint=f"topics: {', '.join(TOPICS)}")
    return 0
