"""Spreadsheets, OpenDocument, RTF and Outlook: all of the text, and places that a reader finds again."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.office import compound, old_workbook, opendocument, sheet_row, workbook

from lcrag.errors import InputError, UnreadableFile
from lcrag.index.split import contexts, split
from lcrag.ingest import discover, odf, outlook, read, rtf
from lcrag.text.places import line_of, part_of
from lcrag.types import Document


def document(tmp_path: Path, name: str, data: bytes) -> Document:
    (tmp_path / name).write_bytes(data)
    [file] = discover([tmp_path]).files
    return read(file)


def place(parsed: Document, words: str) -> str | None:
    return part_of(parsed, parsed.text.index(words))


def test_read_workbook_with_sheets_and_rows(tmp_path: Path) -> None:
    rows = sheet_row(1, "Item", "Cost", "Paid") + sheet_row(3, "Roof", None, 4100.0) + sheet_row(7, "Wall", 2.5, "no")
    parsed = document(tmp_path, "a.xlsx", workbook({"Budget": rows, "None": "", "Staff": sheet_row(2, "#", "Ann")}))
    assert parsed.text == "# Budget\nItem | Cost | Paid\nRoof |  | 4100\nWall | 2.5 | no\n\n# Staff\n# | Ann\n"
    assert [place(parsed, words) for words in ("Budget", "Item", "Roof", "Wall", "# | Ann")] == [
        "sheet Budget", "sheet Budget, row 1", "sheet Budget, row 3", "sheet Budget, row 7", "sheet Staff, row 2",
    ]  # fmt: skip
    assert line_of(parsed, parsed.text.index("Wall")) is None


def test_split_gives_rows_their_sheet_and_columns(tmp_path: Path) -> None:
    rows = sheet_row(1, "Item", "Cost") + "".join(sheet_row(n, f"Beam {n}", float(n)) for n in range(2, 200))
    parsed = document(tmp_path, "a.xlsx", workbook({"Budget": rows}))
    spans = split(parsed)
    assert len(spans) > 3
    assert contexts(parsed, spans)[-1] == "Budget > Item | Cost"


def test_read_old_workbook(tmp_path: Path) -> None:
    parsed = document(tmp_path, "a.xls", old_workbook([(0, 0, "Item"), (0, 1, "Cost"), (4, 0, "Roof"), (4, 1, 4100)]))
    assert parsed.text == "# Old\nItem | Cost\nRoof | 4100\n"
    assert place(parsed, "Roof") == "sheet Old, row 5"


def test_read_opendocument_sheet(tmp_path: Path) -> None:
    def cell(text: str) -> str:
        return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'

    rows = f"<table:table-row>{cell('Item')}{cell('Cost')}</table:table-row>"
    rows += '<table:table-row table:number-rows-repeated="3"><table:table-cell/></table:table-row>'
    rows += f"<table:table-row>{cell('Roof')}{cell('dear')}</table:table-row>"
    content = f'<table:table table:name="Plan">{rows}</table:table>'
    parsed = document(
        tmp_path, "a.ods", opendocument(f"<office:spreadsheet>{content}</office:spreadsheet>", sheet=True)
    )
    assert parsed.text == "# Plan\nItem | Cost\nRoof | dear\n"
    assert place(parsed, "Roof") == "sheet Plan, row 5"


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".ods", ".odt", ".rtf", ".msg", ".mbox"])
@pytest.mark.parametrize(
    "data", [b"not what it says", b"PK\x03\x04broken", bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 600]
)
def test_read_broken_file_raises_unreadable_file(tmp_path: Path, suffix: str, data: bytes) -> None:
    with pytest.raises(UnreadableFile):
        document(tmp_path, f"a{suffix}", data)


def odt(content: str, **parts: str) -> str:
    return odf.extract(opendocument(f"<office:text>{content}</office:text>", **parts)).text.removesuffix("\n")


def test_extract_reads_opendocument_text() -> None:
    content = (
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
        '<text:h text:outline-level="2">Head</text:h>'
        '<text:p>a<text:s text:c="2"/>b<text:tab/>c<text:line-break/>10<text:span text:style-name="T1">6</text:span>'
        '<text:note text:note-class="endnote"><text:note-citation>1</text:note-citation><text:note-body><text:p>the end'
        "</text:p></text:note-body></text:note><office:annotation><dc:creator>Ann</dc:creator><text:p>why?</text:p>"
        "</office:annotation><draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame></text:p>"
        "<text:section><text:list><text:list-item><text:p>one</text:p></text:list-item><text:list-item><text:p>two</text:p>"
        "</text:list-item></text:list></text:section><table:table><table:table-header-rows><table:table-row>"
        "<table:table-cell><text:p>x</text:p></table:table-cell><table:table-cell/><table:table-cell><text:p>z</text:p>"
        "</table:table-cell></table:table-row></table:table-header-rows></table:table>"
    )
    automatic = '<style:style style:name="T1"><style:text-properties style:text-position="super 58%"/></style:style>'
    margins = "<style:header><text:p>top</text:p></style:header><style:footer><text:p>bottom</text:p></style:footer>"
    assert odt(content, automatic=automatic, styles=margins).split("\n\n") == [
        "top", "## Head", "a  b\tc\n10^6", "Endnote: the end", "Comment (Ann): why?", "boxed", "- one\n- two",
        "x |  | z", "bottom",
    ]  # fmt: skip


def test_extract_reads_opendocument_slides() -> None:
    page = (
        '<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>{0}</text:p></draw:text-box>'
        "</draw:frame><draw:g><draw:custom-shape><text:p>shape {0}</text:p></draw:custom-shape></draw:g>"
        "<presentation:notes><draw:frame>"
        "<draw:text-box><text:p>say {0}</text:p></draw:text-box></draw:frame></presentation:notes></draw:page>"
    )
    show = opendocument(f"<office:presentation>{page.format('A')}{page.format('B')}</office:presentation>")
    extracted = odf.extract(show)
    assert extracted.text == "# A\n\nshape A\n\nNotes: say A\n\n# B\n\nshape B\n\nNotes: say B\n\n"
    assert extracted.title == "A"
    assert len(extracted.pages) == 2


def test_extract_refuses_an_encrypted_opendocument() -> None:
    with pytest.raises(InputError, match="encrypted"):
        odt("<text:p>x</text:p>", manifest="<encryption-data/>")


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        (r"\ansicpg1251 \'cf\'f0\'e8", "При"),
        (r"{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset161 B;}}\f0 a\f1\'e1", "aα"),
        (r"caf\u233?\uc2\u8364\'80\'80 \u-10179??\u-8704??", "café€ 😀"),
        (r"a{\v hidden}{\deleted gone}\v more\v0 b", "ab"),
        (r"10{\super 6} 1{\super st} H{\sub 2}O", "10^6 1st H2O"),
        (r"\trowd\intbl a\par b\cell\cell c\cell\row\pard end", "a b |  | c\nend"),
        (r"one{\footnote {\super\chftn } note} two\par three", "one two\n\nFootnote: note\n\nthree"),
        (r"{\header top\par}{\headerf top}{\footer end}body", "top\n\nbody\n\nend"),
        (r"{\shp{\*\shpinst{\sp{\sn a}{\sv b}}{\shptxt box\par}}{\shprslt box}}x\par y", "x\n\nbox\n\ny"),
        (r"{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}{\pict\bin3 }}}}{\*\odd no} \emdash\~q", "link —\xa0q"),
        (r"a\{b\}\\ c", r"a{b}\ c"),
    ],
)
def test_extract_reads_rtf(markup: str, text: str) -> None:
    assert rtf.extract(rf"{{\rtf1\ansi {markup}}}".encode()).text == f"{text}\n"


def test_extract_takes_the_title_of_rtf() -> None:
    extracted = rtf.extract(rb"{\rtf1{\info{\title The \'e9nd}{\author A}}x}")
    assert (extracted.text, extracted.title) == ("x\n", "The énd")


def message(folder: str, **strings: str) -> dict[str, bytes]:
    """The streams of an Outlook message. ``strings``: "p" and the number of a property → text."""
    sent = bytes(32) + b"\x40\0\x39\0" + bytes(4) + (133_500_000_000_000_000).to_bytes(8, "little")
    streams = {f"{folder}__substg1.0_{tag[1:]}001F": text.encode("utf-16-le") for tag, text in strings.items()}
    return {f"{folder}__properties_version1.0": sent, **streams}


def test_extract_reads_outlook_messages() -> None:
    inner = "__attach_version1.0_#00000000/"
    data = compound(
        {
            **message(
                "", p0C1A="Ann", p5D01="a@x.org", p0E04="Ben; Cy", p0037="Boat", p1000="It leaves at nine.\r\nA."
            ),
            **message(f"{inner}__substg1.0_3701000D/", p0C1A="Cy", p0037="Old", p1000="The tender closes."),
            "__attach_version1.0_#00000001/__substg1.0_3707001F": "notes.txt".encode("utf-16-le"),
            "__attach_version1.0_#00000001/__substg1.0_37010102": b"Hobday voted against.".ljust(4096),
            "__attach_version1.0_#00000002/__substg1.0_3707001F": "plan.pdf".encode("utf-16-le"),
        }
    )
    extracted = outlook.extract(data)
    assert extracted.text == (
        "From: Ann <a@x.org>\nTo: Ben; Cy\nDate: 2024-01-17 21:20 UTC\nSubject: Boat\n\nIt leaves at nine.\nA.\n\n"
        "From: Cy\nDate: 2024-01-17 21:20 UTC\nSubject: Old\n\nThe tender closes.\n\n"
        "Attached: notes.txt\nHobday voted against.\n\nAttached: plan.pdf\n"
    )
    assert extracted.title == "Boat"
    assert extracted.unread == "attached and not read: plan.pdf"


def test_extract_reads_the_html_of_an_outlook_message_without_text() -> None:
    streams = message("", p0037="Boat")
    streams["__substg1.0_10130102"] = b"<p>It leaves at <b>nine</b>.</p>"
    assert "It leaves at nine." in outlook.extract(compound(streams)).text
