"""``lcrag show``: the passage that a citation names."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lcrag.cli import options as opt
from lcrag.cli.output import Output
from lcrag.errors import InputError
from lcrag.report.text import passage

Words = Annotated[
    list[str],
    typer.Argument(help="FILE:LINE, FILE:pPAGE, FILE:START-END (characters), or FILE.", metavar="PLACE"),
]


def show(
    ctx: typer.Context,
    words: Words,
    quote: opt.Quote = None,
    png: opt.Png = None,
    config: opt.Config = None,
    preset: opt.Preset = None,
    verbose: opt.Verbose = 0,
    quiet: opt.Quiet = False,
    no_color: opt.NoColor = False,
) -> int:
    """Show the passage that a citation names, with the quote marked.

    Example: lcrag show docs/minutes.md:7

    A page of a PDF can be written as an image: lcrag show report.pdf:p3 --quote "its words" --png page.png
    """
    from lcrag.report.show import page_shown, place_of
    from lcrag.report.show import show as show_place

    output: Output = ctx.obj
    output.configure("text", verbose=verbose, quiet=quiet, no_color=no_color)
    opt.announce(ctx, output)
    place = place_of(" ".join(words))
    shown = show_place(place, quote)
    page = page_shown(shown)
    if png is not None:
        from lcrag.report.page_image import write_page

        if place.file.suffix.lower() != ".pdf" or page is None:
            raise InputError(f"--png needs a PDF, which {place.file} is not", hint=f"lcrag show {place.file}")
        marked = write_page(place.file, page, shown.quote, png)
        output.note(f"page {page} is in {png}, {marked:,} {'line' if marked == 1 else 'lines'} of it marked")
    output.write(passage(shown, colour=output.colour(sys.stdout)))
    return 0
