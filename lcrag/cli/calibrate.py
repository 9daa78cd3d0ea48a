"""``lcrag calibrate``: measure the backend, so that routes are chosen by what it does and not by what is assumed."""

from __future__ import annotations

import typer

from lcrag.cli import options as opt
from lcrag.cli.output import Output
from lcrag.cli.progress import Progress
from lcrag.report.calibration import profile_report, profile_svg


def calibrate(
    ctx: typer.Context,
    quick: opt.Quick = False,
    docs: opt.Docs = None,
    show: opt.Show = False,
    chart: opt.Chart = None,
    json: opt.Json = False,
    seed: opt.Seed = 0,
    dense: opt.Dense = "auto",
    embedder: opt.Embedder = None,
    reader: opt.Reader = "auto",
    backend: opt.Backend = "auto",
    base_url: opt.BaseUrl = None,
    model: opt.Model = None,
    index: opt.Index = None,
    config: opt.Config = None,
    preset: opt.Preset = None,
    verbose: opt.Verbose = 0,
    quiet: opt.Quiet = False,
    no_color: opt.NoColor = False,
) -> int:
    """Measure how well the backend uses what it reads, and what reading costs it.

    Example: lcrag calibrate --quick

    About ten minutes on a GPU. The profile is kept in your configuration folder and used from then on; what was
    interrupted goes on where it was.
    """
    from lcrag.calibrate import calibrate_backend, known_profile
    from lcrag.planning.profile import to_object
    from lcrag.types import Settings

    output: Output = ctx.obj
    output.configure("json" if json else "text", verbose=verbose, quiet=quiet, no_color=no_color)
    opt.announce(ctx, output)
    settings = Settings(
        paths=tuple(map(str, docs or ())),
        index=index,
        backend=backend,
        base_url=base_url,
        model=model,
        dense=dense,
        embedder=embedder,
        reader=reader,
        seed=seed,
    )
    with Progress(output) as progress:
        if show:
            profile = known_profile(settings, progress)
        else:
            profile, path = calibrate_backend(settings, progress, quick=quick)
            progress.clear()
            output.note(f"kept in {path}")
    if chart is not None:
        chart.write_text(profile_svg(profile), encoding="utf-8")
    if json:
        output.line(to_object(profile))
    else:
        output.write(profile_report(profile))
    return 0
