"""Spreadsheets (Excel, OpenDocument): each sheet under its name, each row on a line, its cells between " | ".

Read with python-calamine (MIT), whose import takes 1 ms. It gives the values that the program saved last.
"""

from __future__ import annotations

import datetime
import io
from typing import Any

from lcrag.errors import InputError
from lcrag.ingest.archive import open_archive
from lcrag.ingest.extracted import Extracted, squeeze


def extract(data: bytes) -> Extracted:
    """``cells`` are where sheets begin, ``lines`` the rows of their sheet. Raises python_calamine.CalamineError."""
    from python_calamine import PasswordError, SheetTypeEnum, load_workbook

    if data.startswith(b"PK"):
        open_archive(data).close()
    try:
        book = load_workbook(io.BytesIO(data))
    except PasswordError as error:
        raise InputError("it needs a password") from error
    text = ""
    sheets: list[int] = []
    lines: list[tuple[int, int]] = []
    for sheet in book.sheets_metadata:
        if sheet.typ != SheetTypeEnum.WorkSheet:
            continue
        grid = book.get_sheet_by_name(sheet.name)
        out = [f"# {squeeze(sheet.name)}\n"]
        at = len(text) + len(out[0])
        rows: list[tuple[int, int]] = []
        for number, cells in enumerate(grid.to_python(), (grid.start or (0, 0))[0] + 1):
            row = " | ".join(map(_shown, cells))
            if row.strip(" |"):
                rows.append((at, number))
                out.append(f"{row}\n")
                at += len(out[-1])
        if len(out) > 1:
            sheets.append(len(text))
            lines += [(len(text), 1), *rows]
            text += "".join([*out, "\n"])
    return Extracted(text.rstrip("\n") + "\n" if text else "", "", (), tuple(lines), tuple(sheets))


def _shown(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime.datetime):
        return str(cell.date() if cell.time() == datetime.time() else cell)
    if isinstance(cell, bool):
        return str(cell).upper()
    return squeeze(str(cell))
