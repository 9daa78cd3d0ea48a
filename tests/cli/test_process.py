"""Behaviour of a whole process: pipes, Ctrl-C, terminals, imports."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.invocation import process
from support.scripted import KEEPER, write_documents

ROOT = Path(__file__).parent.parent.parent
LCRAG = f"{sys.executable} -W error {ROOT / 'tests/support/scripted.py'}"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A folder with documents; words alone rank them."""
    write_documents(tmp_path / "docs")
    without = ("NO_COLOR", "COLUMNS", "FORCE_COLOR")
    return {name: value for name, value in os.environ.items() if name not in without} | {
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "LCRAG_CACHE_DIR": str(tmp_path / "cache"),
        "LCRAG_BACKEND": "embedded",
        "LCRAG_DENSE": "off",
        "LCRAG_READER": "off",
    }


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
def test_closed_pipe_ends_quietly(environment: dict[str, str], tmp_path: Path, args: str) -> None:
    many(tmp_path, 40)  # more than a pipe holds
    for reader in ("head -1 > /dev/null", "true"):
        done = shell(f"{LCRAG} {args} | {reader}", environment, tmp_path)
        assert done.stderr == ""
        assert done.returncode == 0


def test_pipe_gets_the_first_line(environment: dict[str, str], tmp_path: Path) -> None:
    done = shell(f"{LCRAG} ask docs who? | head -1", environment, tmp_path)
    assert done.stdout == f"{KEEPER} [1].\n"


def test_closed_standard_error_keeps_the_answer(environment: dict[str, str], tmp_path: Path) -> None:
    done = shell(f"{LCRAG} ask docs who? -v --explain 2> >(true)", environment, tmp_path)
    assert done.stdout.startswith(KEEPER)
    assert done.returncode == 0


def test_full_disk_is_an_error(environment: dict[str, str], tmp_path: Path) -> None:
    done = shell(f"{LCRAG} ask docs who? -q > /dev/full", environment, tmp_path)
    assert (done.returncode, done.stderr) == (2, "lcrag: [Errno 28] No space left on device\n")


@pytest.mark.parametrize("args", [["ask", "docs", "slow"], ["ask", "docs", "--questions", "q.txt"]])
def test_interrupt_ends_quietly_and_keeps_earlier_answers(
    environment: dict[str, str], tmp_path: Path, args: list[str]
) -> None:
    (tmp_path / "q.txt").write_text("who?\nslow\nwhy?\n")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with process([*LCRAG.split(), *args, "-q"], **pipes, env=environment, cwd=tmp_path) as running:
        assert running.stderr is not None
        assert running.stderr.readline() == "waiting\n"
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (130, "")
    assert [json.loads(line)["id"] for line in out.splitlines()] == (["1"] if "q.txt" in args else [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_remove_the_index_of_a_pipe(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    environment = {**environment, "TMPDIR": str(temporary)}
    with process([*LCRAG.split(), "ask", "-", "slow", "-q"], **pipes, env=environment, cwd=tmp_path) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        running.stdin.write("It is slow.")
        running.stdin.close()
        running.stdin = None
        assert running.stderr.readline() == "waiting\n"
        assert [path.name[:6] for path in temporary.iterdir()] == ["lcrag."]
        running.send_signal(number)
        _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (128 + number, "")
    assert list(temporary.iterdir()) == []


def test_resume_appends_to_the_same_file(environment: dict[str, str], tmp_path: Path) -> None:
    many(tmp_path, 3)
    line = f"{LCRAG} ask docs --questions q.txt --resume out.ndjson -q >> out.ndjson"
    assert shell(line, environment, tmp_path).returncode == 0
    out = tmp_path / "out.ndjson"
    whole = out.read_text()
    out.write_text(whole[:-30])
    assert shell(line, environment, tmp_path).returncode == 0
    lines = out.read_text().splitlines()
    assert [json.loads(lines[at])["id"] for at in (0, 1, 3)] == ["1", "2", "3"]
    again, first = json.loads(lines[3]), json.loads(whole.splitlines()[2])
    assert [again[key] for key in ("answer", "citations", "read")] == [
        first[key] for key in ("answer", "citations", "read")
    ]
    assert shell(line, environment, tmp_path).returncode == 0
    assert out.read_text().splitlines() == lines


def test_pipe_brings_documents_and_questions(environment: dict[str, str], tmp_path: Path) -> None:
    assert shell(f"echo text | {LCRAG} ask - who?", environment, tmp_path).returncode == 0
    assert shell(f"echo nowhere | {LCRAG} ask docs -", environment, tmp_path).returncode == 1
    assert shell(f"echo x | {LCRAG} ask - -", environment, tmp_path).returncode == 2


def on_terminal(args: str, environment: dict[str, str], cwd: Path) -> tuple[str, str]:
    """Standard output, to a pipe, and standard error, to a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*LCRAG.split(), *args.split()], stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment, cwd=cwd
    ) as process:
        os.close(theirs)
        err = b""
        try:
            while piece := os.read(ours, 4096):
                err += piece
        except OSError:  # how Linux reports that the other side is closed
            pass
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(ours)
    return out, err.decode()


def test_progress_bar_is_on_the_terminal_only(environment: dict[str, str], tmp_path: Path) -> None:
    out, err = on_terminal("ask docs who?", environment, tmp_path)  # the first run reads the documents
    assert out.startswith(f"{KEEPER} [1].")
    assert "reading" in err
    assert "reading" not in shell(f"{LCRAG} ask docs who? --index one", environment, tmp_path).stderr
    assert "reading" not in on_terminal("ask docs who? --index two -q", environment, tmp_path)[1]


def test_colours_are_for_terminals_that_want_them(environment: dict[str, str], tmp_path: Path) -> None:
    colour = "\x1b[1;32m"
    assert colour in on_terminal("ask docs who? --explain", environment, tmp_path)[1]
    assert colour not in on_terminal("ask docs who? --explain --no-color", environment, tmp_path)[1]
    assert colour not in on_terminal("ask docs who? --explain", environment | {"NO_COLOR": "1"}, tmp_path)[1]
    assert "\x1b" not in shell(f"{LCRAG} ask docs who? --explain", environment, tmp_path).stderr


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


def test_module_is_the_command(environment: dict[str, str], tmp_path: Path) -> None:
    done = shell(f"{sys.executable} -m lcrag --version", environment, tmp_path)
    assert done.stdout.startswith("lcrag 0.")
    assert shell(f"{sys.executable} -m lcrag such", environment, tmp_path).returncode == 2


@pytest.mark.parametrize("closed", ["2>&-", ">&-"])
def test_process_works_with_a_closed_stream(environment: dict[str, str], tmp_path: Path, closed: str) -> None:
    command = f"{sys.executable} -W error -m lcrag --version {closed}"
    run = subprocess.run(
        command, shell=True, env=environment, check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert run.returncode == 0
    assert run.stdout.startswith("lcrag") == (closed == "2>&-")
