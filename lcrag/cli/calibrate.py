"""``lcrag calibrate``: measure the backend, so that routes are chosen by measurements, not by assumptions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lcrag.cli import options as opt
from lcrag.cli.call import Call, with_options
from lcrag.cli.progress import Progress
from lcrag.report.calibration import profile_report, profile_svg

Docs = Annotated[
    list[Path] | None,
    typer.Option(
        "--docs",
        help="Insert the calibration probes into these documents instead of generated text.",
        metavar="PATH",
        envvar="LCRAG_DOCS",
        show_envvar=False,
        show_default=False,
    ),
]
Show = Annotated[bool, typer.Option("--show", help="Show the stored profile, and measure nothing.")]
Chart = Annotated[
    Path | None,
    typer.Option(
        help="Draw the profile into FILE.svg as well.",
        metavar="FILE",
        envvar="LCRAG_CHART",
        show_envvar=False,
        show_default=False,
    ),
]


@with_options(opt.Calibrate, opt.Json, opt.Seed, opt.Retrieval, opt.Backend, opt.Server, opt.Index)
def calibrate(call: Call, docs: Docs = None, show: Show = False, chart: Chart = None) -> int:
    """Measure how well the backend uses what it reads, and what reading costs it.

    Example: lcrag calibrate --quick

    About ten minutes on a GPU. The profile is stored in your configuration folder and used from then on. A run that
    was interrupted continues where it stopped.
    """
    from lcrag.calibrate import calibrate_backend, known_profile
    from lcrag.planning.profile import to_object

    output = call.output
    settings = call.settings(map(str, docs or ()))
    with Progress(output) as progress:
        if show:
            profile = known_profile(settings, progress)
        else:
            profile, path = calibrate_backend(settings, progress, quick=call[opt.Calibrate].quick)
            progress.clear()
            output.note(f"written: {path}")
    if chart is not None:
        chart.write_text(profile_svg(profile), encoding="utf-8")
    if output.form == "json":
        output.line(to_object(profile))
    else:
        output.write(profile_report(profile))
    return 0
