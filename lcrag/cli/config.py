"""``lcrag.toml``: options that need not be typed each time, with the file that each comes from.

The file in the working folder takes precedence over the one in the user's configuration folder; a preset, a table of
options chosen by name, takes precedence over both. ``--config FILE`` is read instead of the two. The file in the
working folder may be somebody else's: it may not say where documents go, which files are written, or whose code runs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

from lcrag.errors import BadConfig
from lcrag.paths import config_folder

if TYPE_CHECKING:
    from lcrag.cli.groups import Field

FILE: Final = "lcrag.toml"
PRESET: Final = "preset"
NOT_FROM_HERE: Final = frozenset(
    {
        *("base_url", "ca_file", "cors", "csv", "embedder", "host", "html", "index", "no_token", "only", "png"),
        *("python", "resume", "session", "since", "token"),
    }
)
"""What a file in the working folder may not set: it may have come with a checkout or an archive, and would send the
documents and the key to others, write files, run code, read what was said in a session, open a server to everybody, or
hide documents.
"""

_EXPECTED: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    Path: "a path in quotes",
    list[str]: "a list of texts in quotes",
}


def load(file: Path | None, preset: str | None, options: Mapping[str, Field]) -> dict[str, tuple[Any, str]]:
    """Option → its value and its origin: a file, or a file and a preset.

    ``options``: the only keys that a file may hold.
    Raises BadConfig, naming file and key: no such file, not TOML, an unknown key, a wrong value, no such preset.
    """
    values: dict[str, tuple[Any, str]] = {}
    chosen: dict[str, tuple[Any, str]] = {}
    presets: list[str] = []
    for path in _files() if file is None else [file]:
        content = _read(path)
        refused = NOT_FROM_HERE if file is None and not _is_users(path) else frozenset()
        tables = content.pop(PRESET, {})
        if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
            raise BadConfig(f"{path}: preset must be a table of tables", hint='[preset.quick]\nprefer = "speed"')
        values |= _check(content, str(path), options, refused)
        for name, table in tables.items():
            checked = _check(table, f"{path} [preset.{name}]", options, refused)
            if name == preset:
                chosen |= checked
            presets.append(name)
    if preset is not None and preset not in presets:
        hint = f"presets: {', '.join(sorted(set(presets)))}" if presets else f"write [preset.{preset}] into {FILE}"
        raise BadConfig(f"there is no preset {preset!r}", hint=hint)
    return values | chosen


def _files() -> list[Path]:
    """The files that exist; a later one takes precedence."""
    return [path for path in (config_folder() / FILE, Path(FILE)) if path.is_file()]


def _is_users(path: Path) -> bool:
    """Whether it is the file in the user's configuration folder, by whatever name."""
    own = config_folder() / FILE
    return own.is_file() and path.samefile(own)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}", hint="lcrag ask --config FILE …") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise BadConfig(f"{path}: {error}") from error


def _check(
    table: Mapping[str, Any], where: str, options: Mapping[str, Field], refused: frozenset[str]
) -> dict[str, tuple[Any, str]]:
    values = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name == "api_key":
            raise BadConfig(f"{where}: {key}: a key does not belong in a file", hint="export LCRAG_API_KEY=…")
        if name in refused:
            raise BadConfig(
                f"{Path(FILE).absolute()}: {key} may not be set by a file in the working folder",
                hint=f"set it in {config_folder() / FILE}, or type it",
            )
        if name not in options:
            raise BadConfig(f"{where}: {key}: there is no such option", hint=f"options: {', '.join(sorted(options))}")
        expected = _mismatch(value, options[name])
        if expected:
            raise BadConfig(f"{where}: {key} must be {expected}, not {value!r}")
        # On the command line the shell expands "~".
        path = isinstance(value, str) and Path in get_args(options[name].type)
        values[name] = (str(Path(value).expanduser()) if path else value, where)
    return values


def _mismatch(value: Any, field: Field) -> str:
    """What the value should have been, "" if it is that."""
    kind, option = field.type, field.option
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return "" if value in choices else f"one of {', '.join(choices)}"
    wanted = next((part for part in get_args(kind) if part is not type(None)), kind)  # of "int | None": int
    if wanted == list[str]:
        return "" if isinstance(value, list) and all(isinstance(one, str) for one in value) else _EXPECTED[wanted]
    accepted = {Path: (str,), float: (int, float)}.get(wanted, (wanted,))
    if not isinstance(value, accepted) or (isinstance(value, bool) and wanted is not bool):
        return _EXPECTED[wanted]
    if (option.min is not None and value < option.min) or (option.max is not None and value > option.max):
        return f"at least {option.min}" + (f" and at most {option.max}" if option.max is not None else "")
    return ""
