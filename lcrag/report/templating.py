"""Jinja's templates of this package, with escaping always on: text of documents can only ever become text."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from lcrag.report import figures, text

if TYPE_CHECKING:
    from jinja2 import Environment

_UNWRITABLE: Final = re.compile("[\0\ud800-\udfff]")
"""What HTML or UTF-8 cannot hold: NUL, and the bytes of a file name that are not UTF-8."""


def render(template: str, **values: Any) -> str:
    """A file of ``templates/`` with these values: plain strings are escaped, ``Markup`` is not."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", _environment().get_template(template).render(values))


def source(name: str) -> Markup:
    """A file of ``templates/`` as it is."""
    environment = _environment()
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def breakable(name: str) -> Markup:
    """A name that may break after its underscores."""
    return Markup("_<wbr>").join(name.split("_"))


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("lcrag.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {
        "ensure_ascii": False,
        "separators": (",", ":"),
        "allow_nan": False,
    }
    for write in (
        *(figures.quantity, figures.number, figures.fixed, figures.percent, figures.interval, figures.signed),
        *(figures.span, figures.p_value, breakable, text.place_text, text.shortened),
    ):
        environment.filters[write.__name__] = write
    return environment
