"""A comparison as CSV, one row per answer, so that every figure can be checked in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any, Final

COLUMNS: Final = (
    *("id", "dataset", "task_type", "question", "gold", "unanswerable", "metric", "corpus_tokens", "diffusion"),
    *("scope_tokens", "route", "took", "options", "status", "score", "exact", "f1", "rouge_l", "predicted", "answer"),
    *("citations", "input_tokens", "cached_tokens", "output_tokens", "calls", "seconds", "read_tokens"),
    *("evidence_read", "citation_recall", "citation_precision", "verdict", "same_as"),
)
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula, which a document could contain."""


def table(value: Mapping[str, Any]) -> str:
    """The items of ``lcrag.compare/1``; an apostrophe is put before a text that would run as a formula."""
    buffer = StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for item in value["items"]:
        for row in _rows(item):
            writer.writerow({key: _safe(cell) for key, cell in row.items()})
    return buffer.getvalue()


def _rows(item: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, answer in item["routes"].items():
        evidence = answer["evidence"] or {}
        yield {
            "id": item["id"],
            "dataset": item["dataset"],
            "task_type": item["task_type"],
            "question": item["question"],
            "gold": " | ".join(item["answers"]),
            "unanswerable": item["unanswerable"],
            "metric": item["metric"],
            "corpus_tokens": item["tokens"],
            "diffusion": item["diffusion"],
            "scope_tokens": item["scope_tokens"],
            "route": name,
            "took": answer["pipeline"],
            "read_tokens": answer["read"],
            "evidence_read": evidence.get("read"),
            "citation_recall": evidence.get("recall"),
            "citation_precision": evidence.get("precision"),
            **{key: answer[key] for key in COLUMNS if key in answer},
            "options": " ".join(f"{key}={option}" for key, option in (answer["options"] or {}).items()),
            "citations": " | ".join(
                f"{citation['source']}:{citation['start']}-{citation['end']}" for citation in answer["citations"]
            ),
        }


def _safe(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
