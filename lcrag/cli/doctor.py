"""``lcrag doctor``: what this machine can do, and the line to type for what it cannot."""

from __future__ import annotations

from lcrag.cli import options as opt
from lcrag.cli.call import Call, origins_of_all, with_options
from lcrag.cli.progress import Progress
from lcrag.report.status import doctor_report
from lcrag.schemas import DOCTOR


@with_options(opt.Server, opt.Index, opt.Json)
def doctor(call: Call) -> int:
    """Show what this machine can do: GPU, vLLM, server, embedding model, index.

    Example: lcrag doctor

    Under each part that is missing is the line to type; then comes the origin of each option that is set.
    Exits with 3 when something is missing that every answer needs.
    """
    from dataclasses import asdict

    from lcrag.index import folder_of, is_external
    from lcrag.serve.doctor import examine

    index = call[opt.Index].index
    folder = None if index is None or is_external(index) else folder_of((), index)
    with Progress(call.output) as progress:
        progress.begin("looking around")
        findings = examine(call[opt.Server].base_url, folder, call[opt.Server].ca_file)
    values = origins_of_all(call.ctx)
    if call.output.form == "json":
        call.output.line(
            {
                "schema": DOCTOR,
                "findings": [asdict(finding) for finding in findings],
                "options": [{"name": name, "value": value, "from": origin} for name, value, origin in values],
            }
        )
    else:
        call.output.write(doctor_report(findings, values))
    return 3 if any(finding.needed and not finding.there for finding in findings) else 0
