"""What an audience and a speaker see of slides is read."""

from __future__ import annotations

import io
import zipfile

import pptx
from pptx.chart.data import CategoryChartData, XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from lcrag.ingest.pptx import extract

PLACE = Inches(1), Inches(1), Inches(4), Inches(3)


def saved(show: pptx.presentation.Presentation) -> bytes:
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def test_extract_reads_charts_as_tables() -> None:
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[6])
    data = CategoryChartData()
    data.categories = ["Upper Tarn", "Lower Tarn"]
    data.add_series("2022", (410, None))
    data.add_series("2023", (655, 733.5))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *PLACE, data)
    pairs = XyChartData()
    pairs.add_series("Depth").add_data_point(2, 7)
    chart = slide.shapes.add_chart(XL_CHART_TYPE.XY_SCATTER, *PLACE, pairs).chart
    chart.has_title, chart.chart_title.text_frame.text = True, "Soundings"
    assert extract(saved(show)).text.split("\n\n")[:2] == [
        "Category | 2022 | 2023\nUpper Tarn | 410 | 655\nLower Tarn |  | 733.5",
        "Soundings\nCategory | Depth\n2 | 7",
    ]


def test_extract_reads_groups_tables_notes_and_titles() -> None:
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[5])
    slide.shapes.title.text = "The\nplan"
    group = slide.shapes.add_group_shape().shapes.add_group_shape()
    group.shapes.add_textbox(*PLACE).text_frame.text = "in the group"
    table = slide.shapes.add_table(2, 2, *PLACE).table
    for number, words in enumerate(("a", "", "c", "d")):
        table.cell(number // 2, number % 2).text = words
    slide.notes_slide.notes_text_frame.text = "Say it slowly"
    extracted = extract(saved(show))
    assert extracted.text == "# The plan\n\nin the group\n\na | \nc | d\n\nNotes: Say it slowly\n\n"
    assert extracted.title == "The plan"
    assert extracted.pages == (0,)


def test_extract_reads_exponents_and_line_breaks() -> None:
    show = pptx.Presentation()
    frame = show.slides.add_slide(show.slide_layouts[6]).shapes.add_textbox(*PLACE).text_frame
    frame.text = "10"
    run = frame.paragraphs[0].add_run()
    run.text = "6"
    run.font._element.set("baseline", "30000")
    frame.paragraphs[0].add_line_break()
    frame.paragraphs[0].add_run().text = "next"
    assert extract(saved(show)).text == "10^6\nnext\n\n"


def test_extract_reads_strict_slides() -> None:
    show = pptx.Presentation()
    show.slides.add_slide(show.slide_layouts[5]).shapes.title.text = "Strict"
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(show))) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            for folder in (b"officeDocument", b"presentationml", b"drawingml"):
                content = content.replace(
                    b"http://schemas.openxmlformats.org/" + folder, b"http://purl.oclc.org/ooxml/" + folder
                )
            new.writestr(name, content)
    assert extract(out.getvalue()).text == "# Strict\n\n"
