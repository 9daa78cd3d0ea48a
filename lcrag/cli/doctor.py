"""``lcrag doctor``: what this machine can do, and the line to type for what it cannot."""

from __future__ import annotations

import typer

from lcrag.cli import options as opt
from lcrag.cli.output import Output
from lcrag.report.status import doctor_report
from lcrag.schemas import DOCTOR


def doctor(
    ctx: typer.Context,
    base_url: opt.BaseUrl = None,
    index: opt.Index = None,
    json: opt.Json = False,
    config: opt.Config = None,
    preset: opt.Preset = None,
    verbose: opt.Verbose = 0,
    quiet: opt.Quiet = False,
    no_color: opt.NoColor = False,
) -> int:
    """Show what this machine can do: GPU, vLLM, server, embedding model, index.

    Example: lcrag doctor

    Under each part that is missing is the line to type; then comes the origin of each option that is set.
    Exits with 3 when something is missing that every answer needs.
    """
    from dataclasses import asdict

    from lcrag.serve.doctor import examine

    output: Output = ctx.obj
    output.configure("json" if json else "text", verbose=verbose, quiet=quiet, no_color=no_color)
    findings = examine(base_url, index)
    values = opt.values(ctx)
    if json:
        output.line(
            {
                "schema": DOCTOR,
                "findings": [asdict(finding) for finding in findings],
                "options": [{"name": name, "value": value, "from": origin} for name, value, origin in values],
            }
        )
    else:
        output.write(doctor_report(findings, values))
    return 3 if any(finding.needed and not finding.there for finding in findings) else 0
