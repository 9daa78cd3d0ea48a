"""Commands with shared options: a decorator adds the options, and one object hands their values to the command."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from lcrag.cli.groups import Field, Group, flags
from lcrag.cli.options import CONFIGURABLE, Common
from lcrag.cli.output import Form, Output
from lcrag.types import Policy, PolicyOptions, Settings

Options = TypeVar("Options", bound=Group)
PASSWORD: Final = re.compile(r"(?<=//)[^/@\s]*(?=@)|(?<=password=)[^&\s]+")
"""Of an address: the user with a password, and a password among its parameters."""


class Call:
    """One call of a command: where its output goes, and the values of its options. ``call[Group]`` has those of a
    group."""

    def __init__(self, ctx: typer.Context, values: Mapping[str, Any]) -> None:
        self.ctx = ctx
        self.output: Output = ctx.obj
        self._values = values

    def __getitem__(self, group: type[Options]) -> Options:
        return group(**self._select(field.name for field in group.fields()))

    def settings(self, paths: Iterable[str], **more: Any) -> Settings:
        """The settings of a session on these paths: the command's options, and ``more`` fields by name."""
        options = self._select(field.name for field in fields(Settings))
        options["only"] = tuple(options.get("only") or ())
        return Settings(**{"paths": tuple(paths), **options, **more})

    def is_typed(self, name: str) -> bool:
        """Whether the option stands on the command line, not in a file or the environment."""
        source = self.ctx.get_parameter_source(name)
        return source is not None and source.name == "COMMANDLINE"

    @property
    def policy(self) -> Policy:
        return Policy(**self._select(PolicyOptions.__annotations__))

    def _select(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: self._values[name] for name in names if name in self._values}


def with_options(*groups: type[Group]) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Add the options of the groups, and the common ones, to a command whose first argument is a ``Call``."""

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        _, *own = inspect.signature(function, eval_str=True).parameters.values()

        def command(ctx: typer.Context, **values: Any) -> int:
            call = Call(ctx, values)
            common = call[Common]
            call.output.configure(_form(values), verbose=common.verbose, quiet=common.quiet, no_color=common.no_color)
            if call.output.verbose:
                for name, origin in origins(ctx).items():
                    call.output.note(f"{name} = {_mask(name, ctx.params[name])}  ({origin})")
            return function(call, **{parameter.name: values[parameter.name] for parameter in own})

        context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        taken: tuple[type[Group], ...] = (*groups, Common)
        shared = [_parameter(field) for group in taken for field in group.fields()]
        command.__signature__ = inspect.Signature([context, *own, *shared])  # type: ignore[attr-defined]
        command.__doc__ = function.__doc__
        return command

    return decorate


def _form(values: Mapping[str, Any]) -> Form:
    """The format of standard output: ``--json`` and ``--ndjson`` count more than ``--format``."""
    form: Form = values.get("format", "plain")
    return "ndjson" if values.get("ndjson") else "json" if values.get("json") else form


def _parameter(field: Field) -> inspect.Parameter:
    option = typer.Option(
        *flags(field),
        help=field.option.help,
        envvar=_variable(field.name),
        show_envvar=False,
        show_default=field.default is not None and not field.option.count,
        metavar=field.option.metavar,
        min=field.option.min,
        max=field.option.max,
        count=field.option.count,
        callback=field.option.callback,
        autocompletion=field.option.complete,
        is_eager=field.option.callback is not None,
    )
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(field.name, keyword, annotation=Annotated[field.type, option], default=field.default)


def _variable(name: str) -> str:
    return f"LCRAG_{name.upper()}"


def origins(ctx: typer.Context) -> dict[str, str]:
    """Each option of this command that is not at its default → where its value comes from."""
    files: dict[str, str] = ctx.meta.get("lcrag.origins", {})
    result = {}
    for name in ("config", "preset", *CONFIGURABLE):
        source = ctx.get_parameter_source(name)
        match source.name if source is not None else "":
            case "COMMANDLINE":
                result[name] = "command line"
            case "ENVIRONMENT":
                result[name] = _variable(name)
            case "DEFAULT_MAP":
                result[name] = files[name]
    return result


def origins_of_all(ctx: typer.Context) -> list[tuple[str, object, str]]:
    """Name, value and origin of each option that is set, options of other commands included."""
    files: dict[str, str] = ctx.meta.get("lcrag.origins", {})
    values = [(name, ctx.params[name], origin) for name, origin in origins(ctx).items()]
    for name in (name for name in CONFIGURABLE if name not in ctx.params):
        variable = _variable(name)
        if variable in os.environ:
            values.append((name, os.environ[variable], variable))
        elif name in files:
            values.append((name, (ctx.default_map or {})[name], files[name]))
    return [(name, _mask(name, value), origin) for name, value, origin in values]


def _mask(name: str, value: object) -> object:
    """The value as it is shown: no token, no password of an address."""
    if name == "token":
        return "***"
    return PASSWORD.sub("***", str(value)) if isinstance(value, (str, Path)) else value
