"""What a reader of a Word document sees is read, and what was deleted or hidden is not."""

from __future__ import annotations

import pytest
from support.office import STRICT, paragraph, run, table, word

from lcrag.ingest.docx import extract
from lcrag.ingest.numbering import spell


def text(body: str, parts: dict[str, str] | None = None) -> str:
    return extract(word(body, parts)).text.removesuffix("\n")


def test_extract_reads_insertions_and_not_deletions() -> None:
    changed = f"<w:del>{run('four')}</w:del><w:ins>{run('five')}</w:ins>"
    moved = f"<w:moveFrom>{run(' here')}</w:moveFrom><w:moveTo>{run(' there')}</w:moveTo>"
    assert text(paragraph(run("The rent is ") + changed + moved)) == "The rent is five there"
    assert text(f"<w:ins>{paragraph('new')}</w:ins><w:moveTo>{paragraph('moved')}</w:moveTo>") == "new\n\nmoved"
    rows = "<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>{0}</w:tc></w:tr><w:tr><w:tc>{1}</w:tc></w:tr></w:tbl>"
    assert text(rows.format(paragraph("old"), paragraph("new"))) == "new"


@pytest.mark.parametrize("wrapper", ["<w:sdt><w:sdtContent>{}</w:sdtContent></w:sdt>", "<w:customXml>{}</w:customXml>"])
def test_extract_reads_content_controls_everywhere(wrapper: str) -> None:
    assert text(wrapper.format(wrapper.format(paragraph("block")))) == "block"
    assert text(paragraph(run("a ") + wrapper.format(run("word")) + run(" b"))) == "a word b"
    row = f"<w:tr>{wrapper.format(cell('x'))}{cell('y')}</w:tr>"
    assert text(f"<w:tbl>{wrapper.format(row)}</w:tbl>") == "x | y"


def cell(content: str) -> str:
    return f"<w:tc>{paragraph(content)}</w:tc>"


def test_extract_leaves_out_placeholders_and_hidden_words() -> None:
    control = "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>{}</w:sdtContent></w:sdt>"
    assert text(control.format(paragraph("Click here")) + paragraph("real")) == "real"
    assert text(paragraph(run("a") + run("hidden", "<w:vanish/>") + run("b", '<w:vanish w:val="0"/>'))) == "ab"


def test_extract_reads_a_text_box_once_after_its_paragraph() -> None:
    box = f"<w:txbxContent>{paragraph('in the box')}</w:txbxContent>"
    both = f"<mc:Choice>{box}</mc:Choice><mc:Fallback><v:x>{box}</v:x></mc:Fallback>"
    both = f"<mc:AlternateContent>{both}</mc:AlternateContent>"
    assert text(paragraph(run("before") + f"<w:r>{both}</w:r>") + paragraph("next")) == "before\n\nin the box\n\nnext"


def test_extract_reads_headers_and_footers_once() -> None:
    parts = {"header": paragraph("Contract 7"), "header 2": paragraph("Contract 7"), "footer": paragraph("valid")}
    assert text(paragraph("body"), parts) == "Contract 7\n\nbody\n\nvalid"


def test_extract_reads_notes_and_comments_after_their_block() -> None:
    body = paragraph(run("one") + '<w:r><w:footnoteReference w:id="2"/><w:endnoteReference w:id="2"/></w:r>')
    body += table(("a", '<w:p><w:r><w:t>b</w:t><w:commentReference w:id="0"/></w:r></w:p>')) + paragraph("two")
    parts = {
        "footnotes": "".join(f'<w:footnote w:id="{n}">{paragraph(x)}</w:footnote>' for n, x in ((0, "line"), (2, "F"))),
        "endnotes": f'<w:endnote w:id="2">{paragraph("E")}</w:endnote>',
        "comments": f'<w:comment w:id="0" w:author="Ann">{paragraph("C")}</w:comment>'
        f'<w:comment w:id="1">{paragraph("D")}</w:comment>',
    }
    assert text(body, parts).split("\n\n") == [
        "one", "Footnote: F", "Endnote: E", "a | b", "Comment (Ann): C", "two", "Comment: D",
    ]  # fmt: skip


def test_extract_keeps_tables_in_shape() -> None:
    assert text(table(("a", "", "c"), ("1", "2", "3"))) == "a |  | c\n1 | 2 | 3"
    nested = table(("outer", paragraph("before") + table(("n1", "n2"), ("n3", "n4"))), ("x", "y"))
    assert text(nested) == "outer\n\nbefore\n\nn1 | n2\nn3 | n4\n\nx | y"
    merged = "<w:tc><w:tcPr><w:vMerge{}/></w:tcPr>{}</w:tc><w:tc>{}</w:tc>"
    rows = [
        merged.format(' w:val="restart"', paragraph("North"), paragraph("1")),
        merged.format("", "<w:p/>", paragraph("2")),
    ]
    assert text(f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>") == "North | 1\nNorth | 2"


NUMBERING = (
    '<w:abstractNum w:abstractNumId="0">'
    '<w:lvl w:ilvl="0"><w:start w:val="3"/><w:numFmt w:val="decimal"/><w:lvlText w:val="Article %1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:numFmt w:val="lowerRoman"/><w:lvlText w:val="%1(%2)"/></w:lvl>'
    '<w:lvl w:ilvl="2"><w:numFmt w:val="bullet"/><w:lvlText w:val="x"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="0"/>'
    '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>'
)


def test_extract_writes_automatic_numbers() -> None:
    def item(words: str, level: int, number: int = 1) -> str:
        return paragraph(words, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')

    body = item("a", 0) + item("b", 1) + item("c", 1) + item("d", 0) + item("e", 1) + item("f", 2) + item("g", 0, 2)
    assert text(body, {"numbering": NUMBERING}).split("\n") == [
        "Article 3. a", "3(i) b", "3(ii) c", "Article 4. d", "4(i) e", "- f", "Article 1. g",
    ]  # fmt: skip


def test_extract_finds_headings_by_style_and_outline_with_their_numbers() -> None:
    styles = (
        '<w:style w:styleId="Berschrift2"><w:name w:val="heading 2"/>'
        '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:styleId="Own"><w:basedOn w:val="Berschrift2"/></w:style>'
    )
    body = paragraph("A", '<w:pStyle w:val="Own"/>') + paragraph("B", '<w:outlineLvl w:val="0"/>')
    assert text(body, {"styles": styles, "numbering": NUMBERING}) == "## Article 3. A\n\n# B"


def test_extract_reads_strict_documents() -> None:
    extracted = extract(word(paragraph("strict") + table(("a", "b")), {"header": paragraph("top")}, root=STRICT))
    assert extracted.text == "top\n\nstrict\n\na | b\n"


def test_extract_keeps_signs_and_exponents() -> None:
    signs = "<w:r><w:t>a</w:t><w:noBreakHyphen/><w:t>b</w:t><w:tab/><w:t>c</w:t><w:br/><w:t>d</w:t></w:r>"
    assert text(paragraph(signs)) == "a-b\tc\nd"
    assert text(paragraph(run("10") + run("6", '<w:vertAlign w:val="superscript"/>'))) == "10^6"


def test_extract_reads_the_figures_of_a_chart() -> None:
    chart = (
        "<c:chart><c:title><a:t>Catch</a:t></c:title><c:ser><c:tx><c:v>2023</c:v></c:tx>"
        '<c:cat><c:pt idx="0"><c:v>Upper</c:v></c:pt><c:pt idx="1"><c:v>Lower</c:v></c:pt></c:cat>'
        '<c:val><c:pt idx="0"><c:v>12</c:v></c:pt><c:pt idx="1"><c:v>733</c:v></c:pt></c:val></c:ser></c:chart>'
    )
    body = paragraph('<w:r><w:drawing><c:chart r:id="r0"/></w:drawing></w:r>')
    assert text(body, {"chart": chart}) == "Catch\nCategory | 2023\nUpper | 12\nLower | 733"


@pytest.mark.parametrize(
    ("number", "kind", "spelled"),
    [(4, "decimal", "4"), (4, "decimalZero", "04"), (28, "lowerLetter", "bb"), (3, "upperLetter", "C"),
     (1994, "upperRoman", "MCMXCIV"), (4, "lowerRoman", "iv"), (0, "lowerRoman", "0"), (5, "none", ""),
     (6, "odd", "6")],
)  # fmt: skip
def test_spell_writes_numbers_as_word_does(number: int, kind: str, spelled: str) -> None:
    assert spell(number, kind) == spelled
