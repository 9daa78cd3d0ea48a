"""Every format is read from real files: the text is complete, and its offsets lead back to the file."""

from __future__ import annotations

import io
import json
import zipfile
from email.message import EmailMessage
from pathlib import Path

import docx
import pptx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pdf import pdf

from lcrag.errors import UnreadableFile
from lcrag.ingest import BLANK, discover, from_text, nothing_readable, read
from lcrag.ingest.text import decode
from lcrag.text.places import line_of, page_of
from lcrag.types import Document


def document(tmp_path: Path, name: str, data: bytes | str) -> Document:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    [file] = discover([path]).files
    return read(file)


def line(parsed: Document, words: str) -> int | None:
    return line_of(parsed, parsed.text.index(words))


def page(parsed: Document, words: str) -> int | None:
    return page_of(parsed, parsed.text.index(words))


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.rst", "a.py", "a.csv", "a.tsv", "a.json", "a.jsonl", "a.xyz"])
def test_read_text_unchanged(tmp_path: Path, name: str) -> None:
    text = "# Head\n\nfirst, second\r\n{third}\n"
    parsed = document(tmp_path, name, text)
    assert parsed.text == text.replace("\r\n", "\n")
    assert line(parsed, "{third}") == 4
    assert page_of(parsed, 0) is None


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"]
)
def test_decode_detects_the_encoding(encoding: str) -> None:
    text = "Der Bär saß an der Küste, 12 Tage lang, und wärmte sich."
    assert decode(text.encode(encoding)) == text


def test_decode_guesses_encodings_of_other_scripts() -> None:
    text = "Быстрая коричневая лиса перепрыгнула через ленивую собаку у реки. " * 5
    assert decode(text.encode("cp1251")) == text
    text = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。" * 5
    assert decode(text.encode("shift_jis")) == text


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\0")))
def test_decode_reverses_utf8(text: str) -> None:
    assert decode(text.encode()) == text.removeprefix("\ufeff")


@given(st.binary(max_size=300))
def test_decode_returns_storable_text_for_any_bytes(data: bytes) -> None:
    text = decode(data)
    assert "\r" not in text
    assert "\0" not in text
    if text.strip():
        from_text(text, "x").text.encode("utf-8")


def test_from_text_replaces_a_lone_surrogate() -> None:
    assert from_text("a\ud800b", "x").text == "a?b"


def test_read_html_with_headings_lists_tables_and_lines(tmp_path: Path) -> None:
    parsed = document(
        tmp_path,
        "a.html",
        "<html><head><title>The  Page</title><style>p {color: red}</style></head>\n<body><nav>menu</nav>\n"
        "<h1>Top</h1>\n<p>First <b>bold</b>line\nand the second.</p><script>var x = '<p>no</p>';</script>\n"
        "<ul><li>one</li>\n<li>two</li></ul>\n<table><tr><th>Name</th><th>Age</th></tr>\n<tr><td>Ann</td><td>7</td></tr>"
        "</table>\n<pre>  keep\n    this</pre>\n<div>a<br>b &amp; &#x4e2d;</div></body></html>\n",
    )
    assert parsed.title == "The Page"
    assert parsed.text.split("\n") == [
        "# Top",
        "",
        "First boldline and the second.",
        "",
        "- one",
        "- two",
        "",
        "Name | Age",
        "Ann | 7",
        "",
        "  keep",
        "    this",
        "",
        "a",
        "b & 中",
        "",
    ]
    lines = {
        words: line(parsed, words) for words in ("# Top", "First", "and the", "- two", "Ann", "keep", "this", "b &")
    }
    assert lines == {
        "# Top": 3, "First": 4, "and the": 5, "- two": 7, "Ann": 9, "keep": 10, "this": 11, "b &": 12
    }  # fmt: skip


def test_read_html_in_its_declared_encoding(tmp_path: Path) -> None:
    data = '<meta charset="windows-1251"><p>Привет, мир</p>'.encode("cp1251")
    assert "Привет, мир" in document(tmp_path, "a.html", data).text


@pytest.mark.parametrize(
    "data", ["<p>a", "plain words", "<div><p>a</div></p>", "<!-- x --><p>a", "<?xml version='1.0'?><p>a</p>"]
)
def test_read_html_that_is_malformed(tmp_path: Path, data: str) -> None:
    assert document(tmp_path, "a.html", data).text.strip() in ("a", "plain words")


def test_read_pdf_with_pages(tmp_path: Path) -> None:
    parsed = document(tmp_path, "a.pdf", pdf("The first page.", "The second page.", "The third."))
    assert [page(parsed, words) for words in ("first", "second", "third")] == [1, 2, 3]
    assert line_of(parsed, 0) is None


def test_read_scanned_pdf_mentions_ocr(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"ocrmypdf \S*a.pdf out.pdf"):
        document(tmp_path, "a.pdf", pdf("", ""))


def test_read_docx(tmp_path: Path) -> None:
    written = docx.Document()
    written.add_heading("The Title", 0)
    written.add_heading("A Part", 1)
    written.add_paragraph("Some words.")
    written.add_paragraph("item", style="List Bullet")
    table = written.add_table(rows=2, cols=2)
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"c{number}"
    written.add_paragraph("After.")
    written.save(str(tmp_path / "a.docx"))
    [file] = discover([tmp_path / "a.docx"]).files
    parsed = read(file)
    assert parsed.text == "# The Title\n\n# A Part\n\nSome words.\n\n- item\n\nc0 | c1\nc2 | c3\n\nAfter.\n"
    assert parsed.title == "The Title"
    assert line_of(parsed, 5) is None


def test_read_pptx_with_slides_as_pages(tmp_path: Path) -> None:
    show = pptx.Presentation()
    for number in (1, 2):
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = f"Slide {number}"
        slide.placeholders[1].text = f"Body of {number}"
        slide.notes_slide.notes_text_frame.text = f"Say {number}"
    show.save(str(tmp_path / "a.pptx"))
    [file] = discover([tmp_path / "a.pptx"]).files
    parsed = read(file)
    assert "# Slide 2" in parsed.text
    assert [page(parsed, words) for words in ("Body of 1", "Body of 2", "Say 2")] == [1, 2, 2]


def epub(chapters: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr(
            "META-INF/container.xml",
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        )
        items = "".join(f'<item id="i{n}" href="{name}" media-type="x"/>' for n, name in enumerate(chapters))
        spine = "".join(f'<itemref idref="i{n}"/>' for n in reversed(range(len(chapters))))
        book.writestr(
            "OEBPS/book.opf",
            '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<metadata><dc:title>A Book</dc:title></metadata><manifest>{items}</manifest><spine>{spine}</spine>"
            "</package>",
        )
        for name, text in chapters.items():
            book.writestr(f"OEBPS/{name}", f"<html xmlns='http://www.w3.org/1999/xhtml'><body>{text}</body></html>")
    return out.getvalue()


def test_read_epub_in_the_order_of_its_spine(tmp_path: Path) -> None:
    parsed = document(tmp_path, "a.epub", epub({"two.xhtml": "<h2>Two</h2><p>Last.</p>", "one.xhtml": "<p>First.</p>"}))
    assert parsed.text == "First.\n\n## Two\n\nLast.\n"
    assert parsed.title == "A Book"


def test_read_notebook_with_lines(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ['# A "quoted" title\n', "Words."]},
        {"cell_type": "code", "source": "x = 1\ny = 'é'", "outputs": [{"text": ["out\n"]}]},
    ]
    raw = json.dumps({"cells": cells}, indent=1, ensure_ascii=False)
    parsed = document(tmp_path, "a.ipynb", raw)
    assert parsed.title == 'A "quoted" title'
    for words in ("Words.", "x = 1", "out"):
        assert words in raw.split("\n")[(line(parsed, words) or 0) - 1]


def test_read_mail(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ann <a@x.org>", "b@x.org", "Grüße"
    mail.set_content("Dear Ben,\n\nthe boat leaves at nine.\n")
    mail.add_attachment(b"data", maintype="application", subtype="pdf", filename="plan.pdf")
    parsed = document(tmp_path, "a.eml", mail.as_bytes())
    assert parsed.title == "Grüße"
    assert "the boat leaves at nine." in parsed.text
    assert "Attached: plan.pdf" in parsed.text
    raw = mail.as_bytes().decode().split("\n")
    assert raw[(line(parsed, "the boat") or 0) - 1] == "the boat leaves at nine."


@pytest.mark.parametrize("suffix", [".pdf", ".docx", ".pptx", ".epub", ".ipynb"])
@pytest.mark.parametrize("data", [b"not what it says", b"PK\x03\x04broken", b"%PDF-1.4\n%%EOF", b'{"cells": 3}'])
def test_read_broken_file_raises_unreadable_file(tmp_path: Path, suffix: str, data: bytes) -> None:
    with pytest.raises(UnreadableFile) as refused:
        document(tmp_path, f"a{suffix}", data)
    assert str(refused.value)


@pytest.mark.parametrize("cut", [10, 100, 400])
def test_read_truncated_archive_raises_unreadable_file(tmp_path: Path, cut: int) -> None:
    with pytest.raises(UnreadableFile):
        document(tmp_path, "a.epub", epub({"a.xhtml": "<p>x</p>"})[:-cut])


def test_read_refuses_an_archive_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lcrag.ingest.archive.MAX_UNPACKED", 1000)
    with pytest.raises(UnreadableFile, match="unpacks"):
        document(tmp_path, "a.epub", epub({"a.xhtml": "x" * 2000}))


@pytest.mark.parametrize("data", ["   \n\n", "﻿"])
def test_read_blank_file_raises_unreadable_file(tmp_path: Path, data: str) -> None:
    with pytest.raises(UnreadableFile, match=BLANK):
        document(tmp_path, "a.txt", data)


def test_read_vanished_file_raises_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")
    [file] = discover([path]).files
    path.unlink()
    with pytest.raises(UnreadableFile, match="No such file"):
        read(file)


def test_read_a_line_of_ten_megabytes(tmp_path: Path) -> None:
    parsed = document(tmp_path, "a.txt", "word " * 2_000_000)
    assert line(parsed, "word") == 1
    assert len(parsed.text) == 10_000_000


def test_nothing_readable_lists_the_reasons() -> None:
    message = nothing_readable(["docs", "a.pdf"], {"binary": ["b", "c"], "too_large": ["d"]}, [("a.pdf", "no text")])
    assert message == "nothing to read in docs a.pdf (2 binary; 1 too large; a.pdf: no text)"
    assert nothing_readable(["docs"], {}, []) == "nothing to read in docs"
