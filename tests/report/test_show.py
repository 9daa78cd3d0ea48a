"""The place that a citation names is shown, in a file of any format."""

from __future__ import annotations

import json
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from lcrag import ingest
from lcrag.errors import InputError, NoSuchPath
from lcrag.report.page_image import MARK, quote_boxes, write_page
from lcrag.report.show import Place, place_of, show
from lcrag.report.text import passage
from lcrag.text.places import line_of, page_of, part_of
from lcrag.text.sentences import sentences

SALTMARSH = Path(__file__).parents[2] / "examples/saltmarsh"
REPORT = SALTMARSH / "mill-report.pdf"
QUOTE = "Report to Saltmarsh Town Council by Halloran & Pike, chartered engineers, Great Marrick. 31\nMarch 2023."


@pytest.mark.parametrize(
    ("text", "line", "page", "span"),
    [
        ("chronicle.md:25", 25, None, None),
        ("mill-report.pdf:p3", None, 3, None),
        ("mill-report.pdf p. 3", None, 3, None),
        ("ida-quillan.docx:100-200", None, None, (100, 200)),
        ("ida-quillan.docx", None, None, None),
    ],
)
def test_place_of_takes_every_form(text: str, line: int | None, page: int | None, span: tuple[int, int] | None) -> None:
    assert place_of(f"{SALTMARSH}/{text}") == Place(SALTMARSH / text.split(":")[0].split(" ")[0], line, page, span)


def test_place_of_takes_a_file_whose_name_looks_like_a_place(tmp_path: Path) -> None:
    path = tmp_path / "minutes:7"
    path.write_text("All agreed.")
    assert place_of(str(path)) == Place(path)
    with pytest.raises(NoSuchPath):
        place_of(f"{tmp_path}/none.md:7")


@pytest.mark.parametrize(
    "name", [path.name for path in sorted(SALTMARSH.iterdir()) if path.suffix in (".md", ".html", ".ipynb", ".csv")]
)
def test_show_finds_every_sentence_at_its_line(name: str) -> None:
    """The first words of each sentence that begins a line are shown at that line, whatever the format."""
    [file] = ingest.discover([str(SALTMARSH / name)]).files
    document = ingest.read(file)
    seen = set()
    for start, end in sentences(document.text):
        quote = document.text[start:end].strip()
        at = start + document.text[start:end].index(quote[:1])
        line = line_of(document, at)
        if document.text[:at].rpartition("\n")[2].strip() or line in seen or line is None:
            continue
        seen.add(line)
        shown = show(Place(Path(file.path), line), quote)
        assert line_of(document, shown.start) == line
        assert shown.quote == quote
        assert f"»{quote.splitlines()[0]}" in passage(shown, colour=False)
    assert len(seen) > 5


def test_show_prints_a_sentence_and_the_numbered_lines_around_it() -> None:
    shown = show(Place(SALTMARSH / "chronicle.md", 25))
    assert shown.quote.startswith("The tide mill on the Wend was built in 1742")
    text = passage(shown, colour=False)
    assert text.startswith(f"{SALTMARSH}/chronicle.md:25\n")
    assert "\n    25  »The tide mill" in text
    assert "\n    23  ## 4. The mill and the Fenns\n" in text
    assert "\x1b[7mThe tide mill" in passage(shown, colour=True)


def test_show_names_the_part_of_a_file() -> None:
    for name, words, part in (
        ("museum-inventory.csv", "Oar from the lifeboat", "row 12"),
        ("gannet-bar.ipynb", "2004: 3.1,", "cell 2"),
        ("letter-curator.eml", "Thank you for the bollard.", "message The anchor, and a favour with the crane"),
        ("ida-quillan.docx", "Ida Wenna Quillan was born", "section Born on a rock"),
        ("chronicle.md", "The tide mill on the Wend", None),
    ):
        shown = show(Place(SALTMARSH / name), words)
        assert part_of(shown.document, shown.start) == part


def test_show_counts_the_cells_of_a_notebook(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# One"]},
        {"cell_type": "code", "source": "", "outputs": []},
        {"cell_type": "code", "source": "x = 3", "outputs": [{"text": ["three\n"]}]},
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    for words, part in (("# One", "cell 1"), ("x = 3", "cell 3"), ("three", "cell 3")):
        shown = show(Place(path), words)
        assert part_of(shown.document, shown.start) == part


@pytest.mark.parametrize(("indent", "ascii"), [(1, False), (None, True)])
def test_show_finds_the_line_of_an_output_before_its_source(tmp_path: Path, indent: int | None, ascii: bool) -> None:
    outputs = [{"text": ["three größer\n", "four\n"]}]
    cell = {"cell_type": "code", "outputs": outputs, "source": ["for x in a:\n", "    print(x)\n"]}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [cell, cell | {"outputs": []}]}, indent=indent, ensure_ascii=ascii))
    for words in ("three größer", "four", "for x in a:", "print(x)"):
        shown = show(Place(path), words)
        line = line_of(shown.document, shown.start)
        assert line is not None
        assert words.split()[0] in path.read_text().split("\n")[line - 1]


def test_show_tells_rows_of_a_table_from_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('name,note\nAnna,"kept\nthe ""light"""\nBerta,none\n')
    shown = show(Place(path), "Berta")
    assert (line_of(shown.document, shown.start), part_of(shown.document, shown.start)) == (4, "row 3")


def test_write_page_marks_each_line_of_the_quote(tmp_path: Path) -> None:
    shown = show(Place(REPORT, page=1), QUOTE)
    assert page_of(shown.document, shown.start) == 1
    target = tmp_path / "page.png"
    assert write_page(REPORT, 1, shown.quote, target) == 2
    with Image.open(target) as image:
        colours = {colour for _, colour in image.getcolors(1 << 20) or []}
        assert MARK in colours
    assert write_page(REPORT, 1, "", target) == 0
    document = pypdfium2.PdfDocument(REPORT)
    [first, second] = quote_boxes(document[0], QUOTE)
    assert first[1] > second[3] - 1  # the second line is lower on the page
    assert quote_boxes(document[0], "not on this page") == []
    document.close()
    assert "»" not in passage(show(Place(REPORT, page=2)), colour=False)


@pytest.mark.parametrize(
    ("place", "quote"),
    [
        (Place(REPORT, page=99), None),
        (Place(REPORT, page=0), None),
        (Place(REPORT, line=3), None),
        (Place(SALTMARSH / "chronicle.md", line=9999), None),
        (Place(SALTMARSH / "chronicle.md", span=(5, 10**9)), None),
        (Place(SALTMARSH / "chronicle.md", line=1), "words that are nowhere"),
        (Place(SALTMARSH / "chronicle.md", line=1), " "),
    ],
)
def test_show_refuses_a_place_that_is_not_there(place: Place, quote: str | None) -> None:
    with pytest.raises(InputError):
        show(place, quote)
