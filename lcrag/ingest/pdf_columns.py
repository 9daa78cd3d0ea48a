"""Columns of a PDF page that were written row by row, as some programs do, in reading order."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

GAP: Final = 1.2
"""Space between two columns, in heights of a line; between two words it is a quarter to one."""
LEAST_ROWS: Final = 3
LEAST_CHARACTERS: Final = 12
"""Mean length of the lines of running text in a column; the cells of a table are shorter."""
CONTINUED: Final = 0.3
"""Share of a column's lines that continue a sentence: 0.6 and more in prose, close to 0 in tables."""


@dataclass(slots=True)
class _Piece:
    """A part of a line between two wide gaps, in points."""

    left: float
    bottom: float
    right: float
    top: float
    text: str = ""

    @property
    def height(self) -> float:
        return self.top - self.bottom

    def is_beside(self, other: _Piece) -> bool:
        overlap = min(self.top, other.top) - max(self.bottom, other.bottom)
        return overlap > 0.5 * min(self.height, other.height)


Gap = tuple[float, float]


def in_columns(page: Any) -> str | None:
    """The text of a pypdfium2 text page with its columns one after the other; None where no row runs across columns."""
    boxes = (_Piece(*page.get_rect(number)) for number in range(page.count_rects()))
    if sum(len(row) > 1 for row in _rows(_merged(boxes))) < LEAST_ROWS:
        return None
    rows = _rows(_pieces(page))
    out: list[str] = []
    has_columns = False
    start = 0
    while start < len(rows):
        end, gaps = _band(rows, start)
        columns = _columns(rows[start:end], gaps)
        if columns:
            has_columns = True
            out += [re.sub("-\n(?=[^\\W\\d_])", "\ufffe\n", "\n".join(column)) for column in columns]
            start = end
        else:
            out.append(" ".join(piece.text for piece in rows[start]))
            start += 1
    return "\n".join(out) if has_columns else None


def _merged(boxes: Iterator[_Piece]) -> Iterator[_Piece]:
    """Boxes of one font each, joined where there is no wide gap."""
    last: _Piece | None = None
    for box in boxes:
        if last is not None and box.is_beside(last) and -1 <= box.left - last.right < GAP * last.height:
            last.right = box.right
        else:
            if last is not None:
                yield last
            last = box
    if last is not None:
        yield last


def _rows(pieces: Iterator[_Piece]) -> list[list[_Piece]]:
    """Pieces that follow each other on a line."""
    rows: list[list[_Piece]] = []
    for piece in pieces:
        if rows and piece.is_beside(rows[-1][-1]) and piece.left > rows[-1][-1].right:
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return rows


def _pieces(page: Any) -> Iterator[_Piece]:
    """The pieces with their text, from the characters: 15 ms a page, so only for pages that may have columns."""
    from pypdfium2.raw import FPDFText_GetCharBox, FPDFText_GetUnicode

    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    piece: _Piece | None = None
    for number in range(page.count_chars()):
        sign = chr(FPDFText_GetUnicode(page, number))
        if sign.isspace():
            if piece is not None:
                piece.text += " "
            continue
        FPDFText_GetCharBox(page, number, left, right, bottom, top)
        box = _Piece(left.value, bottom.value, right.value, top.value, sign)
        if piece is not None and _continues(piece, box):
            piece.text += sign
            piece.right = max(piece.right, box.right)
            piece.bottom, piece.top = min(piece.bottom, box.bottom), max(piece.top, box.top)
        else:
            if piece is not None:
                piece.text = piece.text.strip()
                yield piece
            piece = box
    if piece is not None:
        piece.text = piece.text.strip()
        yield piece


def _continues(piece: _Piece, box: _Piece) -> bool:
    """A comma or a hyphen is low or flat: it need only be at the height of the line."""
    height = max(piece.height, box.height)
    level = box.bottom < piece.top and box.top > piece.bottom - 0.3 * height
    return level and -height <= box.left - piece.right < GAP * height


def _band(rows: list[list[_Piece]], start: int) -> tuple[int, list[Gap]]:
    """Where the rows end that leave the same gaps open as row ``start``, and these gaps."""
    gaps = _gaps(rows[start])
    end = start + 1
    while gaps and end < len(rows):
        row = rows[end]
        if len(row) == 1:
            left = [gap for gap in gaps if not row[0].left < sum(gap) / 2 < row[0].right]
            kept = [(max(a, row[0].right), b) if row[0].left < a else (a, min(b, row[0].left)) for a, b in left]
            kept = [gap for gap in kept if gap[1] - gap[0] > 1] if len(left) == len(gaps) else []
        else:
            kept = [(max(a, c), min(b, d)) for a, b in gaps for c, d in _gaps(row) if min(b, d) - max(a, c) > 1]
        if len(kept) < len(gaps):
            break
        gaps = kept
        end += 1
    return end, gaps


def _gaps(row: list[_Piece]) -> list[Gap]:
    return [(one.right, other.left) for one, other in pairwise(row)]


def _columns(rows: list[list[_Piece]], gaps: list[Gap]) -> list[list[str]]:
    """The lines of each column; [] for a table, or for what is too short to know."""
    if not gaps or sum(len(row) > 1 for row in rows) < LEAST_ROWS:
        return []
    columns: list[list[str]] = [[] for _ in range(len(gaps) + 1)]
    for piece in (piece for row in rows for piece in row):
        columns[sum(piece.left >= gap[1] - 1 for gap in gaps)].append(piece.text)
    return columns if all(map(_is_prose, columns)) else []


def _is_prose(lines: list[str]) -> bool:
    continued = sum(not (line[:1].isupper() or line[:1].isdigit()) and line[:1].isalpha() for line in lines[1:])
    return (
        len(lines) >= LEAST_ROWS
        and sum(map(len, lines)) >= LEAST_CHARACTERS * len(lines)
        and continued >= CONTINUED * (len(lines) - 1)
    )
