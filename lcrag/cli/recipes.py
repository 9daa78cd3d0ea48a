"""``lcrag recipes``: systems of the literature by name, each as a route with options."""

from __future__ import annotations

from lcrag.cli import options as opt
from lcrag.cli.call import Call, with_options
from lcrag.report.plans import recipes_report
from lcrag.schemas import RECIPES as SCHEMA


@with_options(opt.Json)
def recipes(call: Call) -> int:
    """List systems of the literature that can be asked for by name, with their papers.

    Example: lcrag ask docs/ --pipeline self_route "Who signed the contract?"

    Each is a route with options, which can be asked for as well: --pipeline escalate:tokens=2000,steps=1.
    Options may be added to its name: --pipeline self_route:tokens=500.
    The items of a list that are an option=value belong to the route before them:
    --pipelines chunk_rag:tokens=500,select=quotes,full_context are two routes.
    """
    from dataclasses import asdict

    from lcrag.session import RECIPES

    rows = [{"name": name, **asdict(recipe)} for name, recipe in RECIPES.items()]
    if call.output.form == "json":
        call.output.line({"schema": SCHEMA, "recipes": rows})
    else:
        call.output.write(recipes_report(rows))
    return 0
