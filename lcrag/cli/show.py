"""``lcrag show``: the passage that a citation names."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lcrag.cli import options as opt
from lcrag.cli.call import Call, with_options
from lcrag.errors import InputError
from lcrag.report.text import passage

Words = Annotated[
    list[str],
    typer.Argument(help="FILE:LINE, FILE:pPAGE, FILE:START-END (characters), or FILE.", metavar="PLACE"),
]


@with_options(opt.Show)
def show(call: Call, words: Words) -> int:
    """Show the passage that a citation names, with the quote marked.

    Example: lcrag show docs/minutes.md:7

    A page of a PDF can be written as an image: lcrag show report.pdf:p3 --quote "its words" --png page.png
    """
    from lcrag.report.show import page_shown, place_of
    from lcrag.report.show import show as show_place

    place = place_of(" ".join(words))
    options = call[opt.Show]
    shown = show_place(place, options.quote)
    page = page_shown(shown)
    if options.png is not None:
        from lcrag.report.page_image import write_page

        if place.file.suffix.lower() != ".pdf" or page is None:
            raise InputError(f"--png needs a PDF, which {place.file} is not", hint=f"lcrag show {place.file}")
        marked = write_page(place.file, page, shown.quote, options.png)
        lines = "line" if marked == 1 else "lines"
        call.output.note(f"page {page} is in {options.png}, {marked:,} {lines} of it marked")
    call.output.write(passage(shown, colour=call.output.colour(sys.stdout)))
    return 0
