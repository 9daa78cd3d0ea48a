"""What only a process of its own shows: pipes, Ctrl-C, terminals, what is loaded."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FAKE = f"{sys.executable} -W error {ROOT / 'tests/support/fake_run.py'}"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "FORCE_COLOR")}
    return kept | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}


def shell(line: str, environment: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail\n{line}"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=cwd,
        check=False,
    )


def many(cwd: Path, count: int) -> None:
    (cwd / "q.txt").write_text("who?\n" * count)


@pytest.mark.parametrize(
    "args",
    ["ask docs who? --json -q", "ask docs --questions q.txt -q", "plan docs who? -q", "ask docs evil --ndjson -q"],
)
def test_a_closed_pipe_ends_quietly(environment: dict[str, str], tmp_path: Path, args: str) -> None:
    many(tmp_path, 400)  # more than a pipe holds
    for reader in ("head -1 > /dev/null", "true"):
        done = shell(f"{FAKE} {args} | {reader}", environment, tmp_path)
        assert done.stderr == ""
        assert done.returncode == 0


def test_head_gets_the_first_line(environment: dict[str, str], tmp_path: Path) -> None:
    done = shell(f"{FAKE} ask docs who? | head -1", environment, tmp_path)
    assert done.stdout == "It was Anna [1]. So they say [2].\n"


def test_standard_error_that_nobody_reads_does_not_cost_the_answer(environment: dict[str, str], tmp_path: Path) -> None:
    done = shell(f"{FAKE} ask docs who? -v --explain 2> >(true)", environment, tmp_path)
    assert done.stdout.startswith("It was Anna")
    assert done.returncode == 0


def test_a_full_disk_is_an_error(environment: dict[str, str], tmp_path: Path) -> None:
    done = shell(f"{FAKE} ask docs who? -q > /dev/full", environment, tmp_path)
    assert (done.returncode, done.stderr) == (2, "lcrag: [Errno 28] No space left on device\n")


@pytest.mark.parametrize("args", [["ask", "docs", "slow"], ["ask", "docs", "--questions", "q.txt"]])
def test_ctrl_c_ends_quietly_and_keeps_what_was_done(
    environment: dict[str, str], tmp_path: Path, args: list[str]
) -> None:
    (tmp_path / "q.txt").write_text("who?\nslow\nwhy?\n")
    process = subprocess.Popen(
        [*FAKE.split(), *args, "-q"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""
    assert [json.loads(line)["id"] for line in out.splitlines()] == (["1"] if "q.txt" in args else [])


def test_resuming_into_the_same_file(environment: dict[str, str], tmp_path: Path) -> None:
    many(tmp_path, 3)
    line = f"{FAKE} ask docs --questions q.txt --resume out.ndjson -q >> out.ndjson"
    assert shell(line, environment, tmp_path).returncode == 0
    out = tmp_path / "out.ndjson"
    whole = out.read_text()
    out.write_text(whole[:-30])
    assert shell(line, environment, tmp_path).returncode == 0
    lines = out.read_text().splitlines()
    assert [json.loads(lines[at])["id"] for at in (0, 1, 3)] == ["1", "2", "3"]
    assert lines[3] == whole.splitlines()[2]
    assert shell(line, environment, tmp_path).returncode == 0
    assert out.read_text().splitlines() == lines


def test_documents_and_questions_by_a_pipe(environment: dict[str, str], tmp_path: Path) -> None:
    assert shell(f"echo text | {FAKE} ask - who?", environment, tmp_path).returncode == 0
    assert shell(f"echo nowhere | {FAKE} ask docs -", environment, tmp_path).returncode == 1
    assert shell(f"echo x | {FAKE} ask - -", environment, tmp_path).returncode == 2


def on_terminal(args: str, environment: dict[str, str], cwd: Path) -> tuple[str, str]:
    """Standard output, to a pipe, and standard error, to a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*FAKE.split(), *args.split()], stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment, cwd=cwd
    ) as process:
        os.close(theirs)
        err = b""
        try:
            while piece := os.read(ours, 4096):
                err += piece
        except OSError:  # how Linux tells that the other side is closed
            pass
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(ours)
    return out, err.decode()


def test_the_bar_is_on_the_terminal_only(environment: dict[str, str], tmp_path: Path) -> None:
    out, err = on_terminal("ask docs who?", environment, tmp_path)
    assert out.startswith("It was Anna [1].")
    assert "reading" in err
    assert "reading" not in shell(f"{FAKE} ask docs who?", environment, tmp_path).stderr
    assert "reading" not in on_terminal("ask docs who? -q", environment, tmp_path)[1]


def test_colours_are_for_terminals_that_want_them(environment: dict[str, str], tmp_path: Path) -> None:
    colour = "\x1b[1;32m"
    assert colour in on_terminal("ask docs who? --explain", environment, tmp_path)[1]
    assert colour not in on_terminal("ask docs who? --explain --no-color", environment, tmp_path)[1]
    assert colour not in on_terminal("ask docs who? --explain", environment | {"NO_COLOR": "1"}, tmp_path)[1]
    assert "\x1b" not in shell(f"{FAKE} ask docs who? --explain", environment, tmp_path).stderr


@pytest.mark.parametrize(
    "args",
    [["--help"], ["ask", "--help"], ["plan", "--help"], ["compare", "--help"], ["index", "--help"], ["--version"]],
)
def test_help_loads_nothing_heavy(environment: dict[str, str], args: list[str]) -> None:
    heavy = (
        "torch transformers sentence_transformers llama_index onnxruntime numpy openai rich "
        "tiktoken sqlite3 lcrag.session"
    )
    script = (
        "import sys\nfrom lcrag.cli.app import run\n"
        f"code = run({args!r})\n"
        f"print([name for name in {heavy.split()!r} if name in sys.modules], code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.endswith("[] 0\n")


def test_python_m_lcrag(environment: dict[str, str], tmp_path: Path) -> None:
    done = shell(f"{sys.executable} -m lcrag --version", environment, tmp_path)
    assert done.stdout.startswith("lcrag 0.")
    assert shell(f"{sys.executable} -m lcrag such", environment, tmp_path).returncode == 2
