"""Jinja is loaded late, and what UTF-8 and HTML cannot hold is replaced."""

from __future__ import annotations

import subprocess
import sys

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from lcrag.report.templating import breakable, render


def test_breakable_escapes_a_name_and_lets_it_break() -> None:
    assert breakable("chain_of_<b>") == Markup("chain_<wbr>of_<wbr>&lt;b&gt;")


def test_render_replaces_nul_and_lone_surrogates() -> None:
    assert "a\ufffd\ufffdb" in render("profile.svg", name="a\0\udcffb", panels=[], colours=[], width=1, height=1)


def test_render_refuses_a_missing_value() -> None:
    with pytest.raises(UndefinedError):
        render("profile.svg", panels=[], colours=[], width=1, height=1)


def test_commands_do_not_load_jinja() -> None:
    modules = ", ".join(f"lcrag.cli.{name}" for name in ("ask", "plan", "compare", "calibrate", "show"))
    script = f"import sys, {modules}\nprint([name for name in ('jinja2', 'rich', 'numpy') if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
