"""``lcrag --help`` and ``--version`` next to other commands' help, in turns.

python examples/benchmarks/startup.py --peer llm=/path/to/llm --peer pqa=/path/to/pqa
"""

from __future__ import annotations

import argparse

from clock import LCRAG, median, print_result, run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", action="append", default=[], help="NAME=COMMAND, which is asked for --help")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    commands = {"lcrag --help": (*LCRAG, "--help"), "lcrag --version": (*LCRAG, "--version")}
    for peer in given.peer:
        name, _, command = peer.partition("=")
        commands[f"{name} --help"] = (*command.split(), "--help")
    runs = {name: [] for name in commands}
    for _ in range(given.repeats):
        for name, command in commands.items():
            runs[name].append(run(command, every=1.0))
    figures = {name: median(ran) for name, ran in runs.items()}
    own = figures["lcrag --help"]
    ratios = {
        name: round(own["wall"] / one["wall"], 3) for name, one in figures.items() if not name.startswith("lcrag")
    }
    print_result({"commands": figures, "lcrag --help over": ratios})
