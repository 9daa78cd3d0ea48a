"""A page of a PDF as a PNG, with the quote marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

SCALE: Final = 2.0
"""Pixels per point: 144 dots per inch."""
MARK: Final = (255, 225, 70)
LEFT_OUT: Final = frozenset("\x00\x02\u00ad\ufffe-\u2010")
"""Characters at which the page and the extracted text may differ: hyphens at the ends of lines, control characters."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points from the page's lower left corner."""


def quote_boxes(page: Any, quote: str) -> list[Box]:
    """A box for each line of the quote on a pypdfium2 page; [] if the quote is not on it."""
    import pypdfium2.raw as pdfium

    text = page.get_textpage()
    try:
        letters = [
            (chr(code), place)
            for place in range(text.count_chars())
            if _counts(chr(code := pdfium.FPDFText_GetUnicode(text, place)))
        ]
        wanted = "".join(letter for letter in quote if _counts(letter))
        at = "".join(letter for letter, _ in letters).find(wanted)
        if at < 0 or not wanted:
            return []
        return _lines([text.get_charbox(place) for _, place in letters[at : at + len(wanted)]])
    finally:
        text.close()


def _counts(letter: str) -> bool:
    return not letter.isspace() and letter not in LEFT_OUT


def _lines(boxes: list[Box]) -> list[Box]:
    lines: list[Box] = []
    for left, bottom, right, top in boxes:
        if right <= left or top <= bottom:
            continue
        if lines and bottom < lines[-1][3] and top > lines[-1][1] and left >= lines[-1][0]:
            box = lines[-1]
            lines[-1] = min(box[0], left), min(box[1], bottom), max(box[2], right), max(box[3], top)
        else:
            lines.append((left, bottom, right, top))
    return lines


def write_page(source: Path, number: int, quote: str, target: Path) -> int:
    """Write page ``number`` (from 1) of the PDF; returns how many lines of it are marked.

    Raises pypdfium2.PdfiumError if the source is not a PDF, OSError if the target cannot be written.
    """
    import pypdfium2
    from PIL import Image, ImageChops, ImageDraw

    document = pypdfium2.PdfDocument(source)
    try:
        page = document[number - 1]
        boxes = quote_boxes(page, quote)
        image = page.render(scale=SCALE).to_pil().convert("RGB")
        height = page.get_height()
        marks = Image.new("RGB", image.size, (255, 255, 255))
        draw = ImageDraw.Draw(marks)
        for left, bottom, right, top in boxes:
            corners = (left - 1, height - top - 1, right + 1, height - bottom + 1)
            draw.rectangle([value * SCALE for value in corners], fill=MARK)
        ImageChops.multiply(image, marks).save(target, format="PNG")
        page.close()
        return len(boxes)
    finally:
        document.close()
