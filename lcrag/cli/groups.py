"""What an option is, and a group of options; ``lcrag.cli.options`` lists them all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args


@dataclass(frozen=True, slots=True)
class Option:
    """What ``--help`` says of an option, and its limits. ``callback``: called before all other options are read.

    ``complete``: what a shell offers for what has been typed of the value.
    """

    help: str
    metavar: str | None = None
    min: float | None = None
    max: float | None = None
    short: str | None = None
    count: bool = False
    callback: Callable[..., Any] | None = None
    complete: Callable[[str], list[str]] | None = None


class Field(NamedTuple):
    """An option of a group."""

    name: str
    type: Any
    option: Option
    default: Any


class Group:
    """A class attribute for each option, with its default; an instance holds the values of one call.

    An annotation is ``Annotated[type, Option(...)]``. Not a dataclass: to define sixteen of them takes 8 ms of every
    start.
    """

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    @classmethod
    def fields(cls) -> Iterator[Field]:
        for group in reversed(cls.__mro__):
            for name, annotation in vars(group).get("__annotations__", {}).items():
                kind, option = get_args(annotation)
                yield Field(name, kind, option, getattr(cls, name))


def flags(field: Field) -> tuple[str, ...]:
    """How the option is typed: ``--max-tokens``; ``--sources/--no-sources`` for a flag that may be on by default."""
    name = field.name.replace("_", "-")
    both = bool in (field.type, *get_args(field.type)) and field.default is not False
    flag = f"--{name}/--no-{name}" if both else f"--{name}"
    return (flag, field.option.short) if field.option.short else (flag,)
