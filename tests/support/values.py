"""A plan, an answer, a record and a profile made by hand, for tests of what prints or stores them."""

from __future__ import annotations

from lcrag.planning.history import Record, RouteRecord
from lcrag.planning.reliability import Bin, Calibration
from lcrag.types import Answer, Citation, CostModel, Estimate, Forecast, Plan, Profile, Step, Usage

USAGE = Usage(1800, 0, 40, 1, 0.25)


def plan(question: str) -> Plan:
    chosen = Forecast("chunk_rag", {"tokens": 2000}, 2100, 200, 1, 0.31, 0.71, True)
    return Plan(
        question=question,
        pipeline="chunk_rag",
        options={"tokens": 2000},
        reason="the evidence is likely near the top",
        counterfactuals=("full_context if quality mattered most", "chunk_rag with 4,000 tokens if prefer=quality"),
        estimate=Estimate(0.41, 210, ((1000, 0.55), (4000, 0.86), (16000, 0.97)), 0.8, {"margin": 0.2}),
        forecasts=(
            chosen,
            Forecast("full_context", {}, 24_100, 200, 1, 3.2, 0.64, True),
            Forecast(
                "chain_of_agents", {"worker_tokens": 8000, "sources": ("a", "b")}, 1_124_100, 900, 43, 99.8, 0.5, False
            ),
        ),
        profile=Profile("builtin-embedded", "embedded", "extractive", 1_000_000, {}, CostModel(0, 0, 0, 0)),
    )


def answer(text: str, source: str, quote: str) -> Answer:
    citations = (
        Citation(1, "d1", source, 120, 120 + len(quote), quote, 7, None),
        Citation(2, "d2", "docs/b.pdf", 5, 8, "two", None, 3),
    )
    return Answer(text, "answered", citations, USAGE, 1800, (Step("chunk_rag", "answered", USAGE),), "Anna")


CALIBRATION = Calibration(
    *("vllm", "m", "measured", 12, 0.71, 0.75, 0.14, 3, 2),
    bins=(Bin(0.4, 0.6, 4, 0.5, 0.25), Bin(0.8, 1.0, 8, 0.81, 1.0, 4, 0.5)),
    known=4,
    right=0.5,
)
RECORD = Record((RouteRecord("chunk_rag", 12, 0.04, 0.21, 0.71, 0.75),), 4, 1, 2, 3.5, (CALIBRATION,))

PROFILE = Profile(
    "calibrated (m)",
    "server",
    "m",
    8192,
    {"retrieved": ((512, 0.9),), "consecutive": ((512, 0.95),)},
    CostModel(0.05, 1e-5, 1e-9, 0.01, error=0.04),
    measured=True,
    kinds={"fact": {"consecutive": ((512, 0.98), (4096, 0.9), (8192, 0.2)), "retrieved": ((512, 0.9), (8192, 0.1))}},
    retention={"note": ((1000, 0.8),)},
    false_found=0.1,
    false_refused=0.02,
    device="a\x1b[31m GPU",
)
