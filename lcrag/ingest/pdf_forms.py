"""What was filled into the form of a PDF page, and the notes on it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any, Final

from lcrag.ingest.extracted import signed, squeeze

LONGEST_LABEL: Final = 100
"""Characters before a field that are taken for its label."""

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points."""


def fields_and_notes(document: Any, page: Any, words: Any) -> Iterator[str]:
    """A line for each field with a value, "Name of vessel: Grey Petrel", and for each note, "Note (Ann): too early"."""
    from pypdfium2 import raw

    not_notes = (raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_POPUP, raw.FPDF_ANNOT_LINK)
    fields: list[tuple[Any, Box]] = []
    notes = []
    opened = [raw.FPDFPage_GetAnnot(page, number) for number in range(raw.FPDFPage_GetAnnotCount(page))]
    try:
        for annotation in filter(None, opened):
            if raw.FPDFAnnot_GetFlags(annotation) & (raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW):
                continue
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            if kind == raw.FPDF_ANNOT_WIDGET and document.formenv is not None:
                fields.append((annotation, _box(annotation)))
            elif kind not in not_notes and (note := _string(raw.FPDFAnnot_GetStringValue, annotation, b"Contents")):
                author = squeeze(_string(raw.FPDFAnnot_GetStringValue, annotation, b"T"))
                notes.append(signed("Note", author, note))
        for annotation, box in fields:
            value = _value(document.formenv, annotation)
            if value:
                label = _label(box, [other for _, other in fields], words) or _name(document.formenv, annotation)
                yield f"{label.rstrip(' :')}: {value}"
        yield from notes
    finally:
        for annotation in filter(None, opened):
            raw.FPDFPage_CloseAnnot(annotation)


def _value(form: Any, field: Any) -> str:
    """What a field shows; "yes" for a box that is ticked, "" for one that is not."""
    from pypdfium2 import raw

    kind = raw.FPDFAnnot_GetFormFieldType(form, field)
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        if not raw.FPDFAnnot_IsChecked(form, field):
            return ""
        if kind == raw.FPDF_FORMFIELD_CHECKBOX:
            return "yes"
        return _string(raw.FPDFAnnot_GetFormFieldExportValue, form, field) or "yes"
    if kind in (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX):
        return _string(raw.FPDFAnnot_GetFormFieldValue, form, field)
    return ""


def _name(form: Any, field: Any) -> str:
    from pypdfium2 import raw

    return squeeze(
        _string(raw.FPDFAnnot_GetFormFieldAlternateName, form, field)
        or _string(raw.FPDFAnnot_GetFormFieldName, form, field)
    )


def _label(box: Box, others: list[Box], words: Any) -> str:
    """The words before a field on its line, after the field before it."""
    left, bottom, _, top = box
    start = max((right for _, low, right, high in others if right <= left and low < top and high > bottom), default=0)
    middle, height = (bottom + top) / 2, min(top - bottom, 20)
    text = words.get_text_bounded(start, middle - height / 2, left, middle + height / 2)
    return squeeze(text) if len(text) <= LONGEST_LABEL else ""


def _box(annotation: Any) -> Box:
    from pypdfium2.raw import FS_RECTF, FPDFAnnot_GetRect

    rectangle = FS_RECTF()
    FPDFAnnot_GetRect(annotation, rectangle)
    return rectangle.left, rectangle.bottom, rectangle.right, rectangle.top


def _string(getter: Callable[..., int], *arguments: Any) -> str:
    """A string from a function of pdfium that fills a buffer with UTF-16 and returns its size in bytes."""
    from pypdfium2.raw import FPDF_WCHAR

    size = getter(*arguments, None, 0)
    buffer = ctypes.create_string_buffer(size + 2)
    getter(*arguments, ctypes.cast(buffer, ctypes.POINTER(FPDF_WCHAR)), size)
    return (
        buffer.raw[: max(0, size - 2)].decode("utf-16-le", "replace").replace("\r\n", "\n").replace("\r", "\n").strip()
    )
