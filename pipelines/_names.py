"""Routes as people write them: ``chunk_rag``, ``chunk_rag:tokens=4000,select=quotes``, or the name of a recipe.

The fields of a pipeline's dataclass are its options; their types say which values there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from lcrag.errors import InputError
from lcrag.pipelines._run import Pipeline

SWITCH: Final = {"on": True, "off": False}


def split_names(text: str) -> tuple[str, ...]:
    """The routes of a list with commas, each once. An item ``option=value`` belongs to the route before it:
    ``chunk_rag:tokens=500,select=quotes,full_context`` are two routes.
    """
    routes: list[str] = []
    for item in filter(None, text.replace(" ", "").split(",")):
        if routes and "=" in item and ":" not in item.partition("=")[0]:
            routes[-1] += f",{item}"
        else:
            routes.append(item)
    return tuple(dict.fromkeys(routes))


def named_among(
    kinds: Mapping[str, type[Pipeline]], recipes: Mapping[str, str], name: str
) -> Pipeline | type[Pipeline]:
    """``pipelines.named`` among these pipelines, and recipes as the routes that they stand for."""
    first, _, more = name.partition(":")
    pipeline, _, listed = recipes.get(first, first).partition(":")
    items = [item for item in (*listed.split(","), *more.split(",")) if item]  # of a recipe's, the later ones hold
    if pipeline not in kinds:
        raise InputError(f"there is no pipeline {pipeline!r}", hint=f"one of {', '.join([*kinds, *recipes])}")
    kind = kinds[pipeline]
    if not items:
        return kind
    types, known = get_type_hints(kind), {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    choices = options_of(kind)
    values: dict[str, Any] = {}
    for item in items:
        option, _, text = (part.strip() for part in item.partition("="))
        if option not in known:
            raise InputError(f"{pipeline} has no option {option!r}", hint=f"{pipeline} takes {choices or 'no options'}")
        value = _read(text, types[option], known[option])
        if value is None:
            raise InputError(f"{pipeline} cannot take {item}", hint=f"{pipeline} takes {choices}")
        values[option] = value
    try:
        return kind(**values)
    except ValueError as error:  # options that contradict each other
        raise InputError(f"{name}: {error}", hint=f"{pipeline} takes {choices}") from error


def options_of(kind: type[Pipeline]) -> str:
    """The options of a pipeline with what they take: ``tokens=N from 1, select=ranked|quotes``; "" without any."""
    types = get_type_hints(kind)
    listed = fields(kind)  # type: ignore[arg-type]
    return ", ".join(f"{field.name}={_described(types[field.name], field)}" for field in listed)


def _least(field: Field[Any]) -> int:
    """The least whole number that an option takes: what its field says, else 0 where that is its default, else 1."""
    return int(field.metadata.get("least", field.default != 0))


def _described(kind: Any, field: Field[Any]) -> str:
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    return {bool: "|".join(SWITCH), int: f"N from {_least(field)}", float: "X"}.get(kind, "TEXT")


def _read(text: str, kind: Any, field: Field[Any]) -> Any:
    """The value of an option; None for a text that is none."""
    if get_origin(kind) is Literal:
        return text if text in get_args(kind) else None
    if kind is bool:
        return SWITCH.get(text)
    if kind is int:
        is_number = text.isascii() and text.isdigit() and len(text) < 10
        return int(text) if is_number and int(text) >= _least(field) else None
    if kind is float:
        try:
            return float(text)
        except ValueError:
            return None
    return text
