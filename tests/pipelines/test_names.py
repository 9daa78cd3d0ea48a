"""Routes by name, with options, and recipes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from lcrag.errors import InputError
from lcrag.pipelines import RECIPES, ChainOfAgents, ChunkRag, Compression, Escalate, FullContext, named, split_names


@pytest.mark.parametrize(
    ("text", "routes"),
    [
        ("", ()),
        ("chunk_rag, full_context", ("chunk_rag", "full_context")),
        ("chunk_rag:tokens=500,full_context", ("chunk_rag:tokens=500", "full_context")),
        ("compression:tokens=500,over=corpus,self_route", ("compression:tokens=500,over=corpus", "self_route")),
        ("a:x=1,y=2,b:x=1,c,,c", ("a:x=1,y=2", "b:x=1", "c")),
        ("a:x=1:2,b", ("a:x=1:2", "b")),
        ("x=1,a", ("x=1", "a")),
    ],
)
def test_split_names_gives_options_to_the_route_before_them(text: str, routes: tuple[str, ...]) -> None:
    assert split_names(text) == routes


def test_named_gives_the_class_or_exactly_what_was_asked_for() -> None:
    assert named("full_context") is FullContext
    assert named("chunk_rag:tokens=500") == ChunkRag(500)
    assert named("compression:over=corpus, tokens=9") == Compression(9, "corpus")
    assert named("chain_of_agents:mode=tree") == ChainOfAgents(mode="tree")
    assert named("self_route") == Escalate(2000, steps=1)
    assert named("self_route:tokens=500") == Escalate(500, steps=1)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("nonsense", "no pipeline 'nonsense'", ", full_context, "),
        ("nonsense", "no pipeline 'nonsense'", ", self_route"),
        ("nonsense:tokens=3", "no pipeline 'nonsense'", "chunk_rag, "),
        ("self_route:over=hits", "escalate has no option 'over'", "steps=N from 1"),
        ("chunk_rag:token=3", "chunk_rag has no option 'token'", "tokens=N from 1"),
        ("chunk_rag:=", "chunk_rag has no option ''", "tokens=N from 1"),
        ("outline:tokens=3", "outline has no option 'tokens'", "outline takes no options"),
        ("compression:over=all", "compression cannot take over=all", "over=hits|corpus"),
        *(
            (f"chunk_rag:tokens={value}", "chunk_rag cannot take tokens=", "tokens=N from 1")
            for value in ("", "0", "-1", "x", "1.5", "²", "9" * 40)
        ),
    ],
)
def test_named_refuses_what_does_not_exist_with_what_does(name: str, message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        named(name)
    assert hint in refused.value.hint


@dataclass(frozen=True)
class OfMany(ChunkRag):
    """A pipeline of somebody's own with every kind of option."""

    share: float = 0.5
    none: int = 0
    deep: bool = False
    label: str = ""
    name: ClassVar[str] = "of_many"

    def __post_init__(self) -> None:
        if self.share > 1:
            raise ValueError("a share is at most 1")


def test_named_reads_every_kind_of_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.pipelines.PIPELINES", {"of_many": OfMany})
    assert named("of_many:share=.25,none=0,deep=on,label=a b") == OfMany(share=0.25, none=0, deep=True, label="a b")
    for wrong in ("share=x", "none=-1", "deep=yes"):
        with pytest.raises(InputError, match=f"cannot take {wrong}") as refused:
            named(f"of_many:{wrong}")
        assert refused.value.hint.endswith("share=X, none=N from 0, deep=on|off, label=TEXT")
    with pytest.raises(InputError, match="a share is at most 1"):
        named("of_many:share=2")


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_is_a_pipeline_with_options_and_a_paper(name: str) -> None:
    assert not isinstance(named(name), type)
    assert RECIPES[name].paper
    assert named(RECIPES[name].route) == named(name)
