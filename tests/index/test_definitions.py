"""Definitions of code begin with their comments, end where they end, and are the same in every language."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcrag.index.definitions import GRAMMARS, LONGEST, definitions, is_code
from lcrag.index.split import TARGET_TOKENS, contexts, split
from lcrag.text.tokens import count
from lcrag.types import Document

PYTHON = '''"""Ships in Čapek's harbour."""

import os

# What a ship pays.
@cache
def fee(tons: int,
        rate: float = 2) -> float:
    def inner(): ...
    return tons * rate


LIMIT = fee(1)

class Ship(Vessel):
    tons = 1

    # Says so.
    async def moor(self) -> None:
        await self.berth()
if LIMIT:
    def leave():
        pass
'''


def document(text: str, source: str) -> Document:
    return Document("id", source, text)


def found(text: str, source: str) -> list[tuple[str, str]]:
    """Of each definition the first line and the signature."""
    listed = definitions(document(text, source))
    return [(text[one.start :].split("\n")[0].strip(), one.text) for one in listed if one.text]


def test_definitions_of_python_begin_with_comments_and_decorators() -> None:
    assert found(PYTHON, "a.py") == [
        ("# What a ship pays.", "def fee(tons: int, rate: float = 2) -> float"),
        ("class Ship(Vessel):", "class Ship(Vessel)"),
        ("# Says so.", "async def moor(self) -> None"),
        ("def leave():", "def leave()"),
    ]


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("a.js", "/** Adds. */\nexport function add(a) {\n}\n", [("/** Adds. */", "export function add(a)")]),
        ("a.js", "export const add = (a) => {\n};\n", [("export const add = (a) => {", "export const add = (a) =>")]),
        ("a.ts", "abstract class P<T> {\n}\n", [("abstract class P<T> {", "abstract class P<T>")]),
        ("a.tsx", "function F() {\n  return <b/>;\n}\n", [("function F() {", "function F()")]),
        (
            "a.java",
            "class A {\n  @Override\n  void run() {\n  }\n}\n",
            [("class A {", "class A"), ("@Override", "@Override void run()")],
        ),
        ("a.go", "// Add adds.\nfunc Add(a int) int {\n\treturn a\n}\n", [("// Add adds.", "func Add(a int) int")]),
        (
            "a.rs",
            "impl T for P {\n  /// Gets.\n  #[inline]\n  fn get(&self) {}\n}\n",
            [("impl T for P {", "impl T for P"), ("/// Gets.", "fn get(&self)")],
        ),
        ("a.c", "#include <a.h>\n/* Adds. */\nint add(int a)\n{\n}\n", [("/* Adds. */", "int add(int a)")]),
        (
            "a.hpp",
            "namespace n {\ntemplate <class T>\nclass A {\n};\n}\n",
            [("namespace n {", "namespace n"), ("template <class T>", "template <class T> class A")],
        ),
        ("a.cs", "class A {\n  int Get() => 1;\n}\n", [("class A {", "class A"), ("int Get() => 1;", "int Get()")]),
        (
            "a.rb",
            "class A < B\n  def get(x)\n    x\n  end\nend\n",
            [("class A < B", "class A < B"), ("def get(x)",) * 2],
        ),
        (
            "a.php",
            "<?php\n/** Gets. */\nfunction get(): int { return 1; }\n",
            [("/** Gets. */", "function get(): int")],
        ),
    ],
)
def test_definitions_are_found_in_every_language(source: str, text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text, source) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The harbour opened in 1931. It closed (again) after the flood.\n" * 40,
        "def a(): pass; " * 3000,
        "def f():\n    return 1\n" * (LONGEST // 20),
        "x=[" * 5000,
    ],
)
def test_definitions_of_what_is_no_code_are_few(text: str) -> None:
    assert len(definitions(document(text, "a.py"))) <= 1


def test_definitions_too_deep_are_left_out() -> None:
    text = "".join(f"{' ' * level}class A{level}:\n" for level in range(300)) + " " * 300 + "x = 1\n"
    assert 10 < len(found(text, "a.py")) < 100


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from([*PYTHON.splitlines(keepends=True), "}", "\x0c", "é"])).map("".join)
)
def test_definitions_lie_in_the_text_in_order(text: str) -> None:
    for source in ("a.py", "a.cpp", "a.rb"):
        starts = [one.start for one in definitions(document(text, source))]
        assert starts == sorted(starts)
        assert all(start == 0 or text[start - 1] == "\n" for start in starts)


@pytest.mark.parametrize("suffix", sorted(GRAMMARS))
def test_split_tiles_code(suffix: str) -> None:
    doc = document(PYTHON * 5 + "x" * 3000 + "\n}" * 50, f"a{suffix}")
    assert "".join(doc.text[start:end] for start, end in split(doc)) == doc.text


def test_split_of_unparsed_code_is_that_of_lines() -> None:
    text = "The harbour opened in 1931. It closed (again) after the flood.\n" * 100
    assert split(document(text, "a.py")) == split(document(text, "a.lines"))


def test_split_keeps_a_function_of_twice_the_size_whole() -> None:
    function = "def f(tons):\n" + "    total = total + tons * rates[tons]\n" * 20
    text = f"{function}\n\n" * 6
    sizes = [count(text[start:end]) for start, end in split(document(text, "a.py"))]
    assert len(sizes) == 6
    assert min(sizes) > 1.4 * TARGET_TOKENS


def test_contexts_of_code_are_class_and_signature_until_they_end() -> None:
    body = "        total = total + tons * rates[tons]\n" * 60
    text = f"class Ship(Vessel):\n    def fee(self):\n{body}\n\n" + "TOTAL = TOTAL + rates[7]\n" * 60
    doc = document(text, "a.py")
    listed = contexts(doc, split(doc))
    assert listed[1] == "class Ship(Vessel) > def fee(self)"
    assert listed[-1] == ""


def test_is_code_knows_suffixes_only() -> None:
    assert is_code(document("", "a/b.PY"))
    assert not is_code(document("def f(): ...", "a.txt"))


def test_parsers_are_imported_with_the_first_code_only() -> None:
    program = "import sys, lcrag.index.prepare; assert not [name for name in sys.modules if 'tree_sitter' in name]"
    subprocess.run([sys.executable, "-c", program], check=True)
