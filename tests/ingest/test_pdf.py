"""PDF pages as a reader reads them: columns, split words, forms, notes, scans."""

from __future__ import annotations

import pytest
from support.pdf import drawn, line, lines

from lcrag.errors import InputError
from lcrag.ingest.pdf import extract, join_split_words

LEFT = (
    "The northern gate is locked",
    "nine in the evening by the",
    "porter Silas Quint and opened",
    "again at five in the morn-",
    "ing by the same porter.",
)
RIGHT = (
    "The southern gate stays open",
    "all night and is watched by",
    "the guard Ruth Amory from",
    "the small stone lodge that",
    "is beside it.",
)
THIRD = (
    "No dog is to be kept in",
    "either of the two lodges, and",
    "no fire is to be lit there",
    "after the bell has rung",
    "for the night.",
)


def text(*contents: str, annotations: list[str] | None = None) -> str:
    return extract(drawn(*contents, annotations=annotations)).text.rstrip("\n")


def test_extract_reads_columns_one_after_the_other() -> None:
    rows = [
        ("Rules of the house, as agreed by all who live in it", ""),
        *zip(LEFT, RIGHT, strict=True),
        ("This is the end of the rules that all of us have agreed on", ""),
    ]
    shown = text(lines(*rows, columns=(20, 320)))
    assert "opened\nagain at five in the morning by the same porter.\nThe southern gate stays open\nall night" in shown
    assert shown.startswith("Rules of the house")
    assert shown.endswith("have agreed on")


def test_extract_reads_three_columns() -> None:
    shown = text(lines(*zip(LEFT, RIGHT, THIRD, strict=True), columns=(10, 210, 410)))
    places = [shown.index(words) for words in ("northern", "same porter", "southern", "beside it", "No dog", "night.")]
    assert places == sorted(places)


def test_extract_leaves_the_rows_of_a_table() -> None:
    rows = [
        ("Name of the member", "Year of entry"),
        ("Silas Quint the porter", "1931"),
        ("Ruth Amory the guard", "1940"),
        ("Ida Marsh the cook", "1952"),
    ]
    assert "Ruth Amory the guard 1940\n" in text(lines(*rows, columns=(20, 320)))


def test_extract_leaves_columns_that_are_in_order() -> None:
    left, right = (lines(*((words,) for words in column), columns=(x,)) for column, x in ((LEFT, 20), (RIGHT, 320)))
    assert "by the same porter.\nThe southern gate stays open\n" in text(left + "\n" + right)


@pytest.mark.parametrize(
    ("page", "joined"),
    [
        ("the agree\ufffement", "the agreement"),
        ("the agree\ufffe\nment", "the agreement"),
        ("a non\ufffe\nrefundable fee", "a non-refundable fee"),
        ("it is non\ufffesense", "it is nonsense"),
        ("Smith\ufffeJones", "Smith-Jones"),
        ("mother-in\ufffelaw", "mother-in-law"),
        ("twenty\ufffefive", "twenty-five"),
        ("long\ufffeterm and a long-term plan", "long-term and a long-term plan"),
        ("on\ufffeline, online and on-line", "online, online and on-line"),
        ("soft\u00adware", "software"),
        ("to the end\ufffe", "to the end-"),
    ],
)
def test_join_split_words_keeps_the_hyphens_of_compounds(page: str, joined: str) -> None:
    assert join_split_words([page]) == [joined]


def test_join_split_words_looks_at_the_whole_document() -> None:
    assert join_split_words(["a well-lit road", "the well\ufffelit road"]) == ["a well-lit road", "the well-lit road"]


def widget(kind: str, name: str, x: int, y: int, more: str) -> str:
    return (
        f"<< /Type /Annot /Subtype /Widget /FT /{kind} /T ({name}) /Rect [{x} {y} {x + 100} {y + 16}] {more} "
        "/DA (/F 12 Tf 0 g) >>"
    )


def test_extract_reads_what_was_filled_into_a_form() -> None:
    labels = (
        line("Name of vessel:", 20, 700)
        + line("Port:", 280, 700)
        + line("Insured:", 20, 650)
        + line("Laid up:", 20, 600)
    )
    states = "/AP << /N << /Yes 4 0 R /Off 4 0 R >> >>"
    fields = [
        widget("Tx", "f1", 150, 698, "/V (Grey Petrel)"),
        widget("Tx", "f2", 320, 698, "/V (Dunmoor)"),
        widget("Btn", "f3", 150, 648, f"/V /Yes /AS /Yes {states}"),
        widget("Btn", "f4", 150, 598, f"/V /Off /AS /Off {states}"),
        widget("Tx", "crew", 450, 500, "/V (seven)"),
        widget("Ch", "f6", 450, 450, "/TU (Class of licence) /Opt [(A) (C)] /V (C) /Ff 131072"),
        widget("Tx", "empty", 450, 400, ""),
    ]
    assert text(labels, annotations=fields).split("\n")[-5:] == [
        "Name of vessel: Grey Petrel", "Port: Dunmoor", "Insured: yes", "crew: seven", "Class of licence: C",
    ]  # fmt: skip


def test_extract_reads_notes() -> None:
    notes = [
        "<< /Type /Annot /Subtype /Text /Rect [1 1 9 9] /T (Ann) /Contents (too early) >>",
        "<< /Type /Annot /Subtype /FreeText /Rect [1 1 9 9] /Contents (see page 3) >>",
        "<< /Type /Annot /Subtype /Popup /Rect [1 1 9 9] /Contents (twice) >>",
        "<< /Type /Annot /Subtype /Text /Rect [1 1 9 9] /F 2 /Contents (hidden) >>",
    ]
    assert text(line("Words."), annotations=notes) == "Words.\nNote (Ann): too early\nNote: see page 3"


def test_extract_says_that_a_password_is_needed() -> None:
    locked = b"/Root 1 0 R /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O (%s) /U (%s) >> /ID [<00> <00>]"
    data = drawn(line("Words.")).replace(b"/Root 1 0 R", locked % (b"o" * 32, b"u" * 32))
    with pytest.raises(InputError, match="needs a password"):
        extract(data)


def test_extract_names_a_scanned_page() -> None:
    image = "q 500 0 0 500 0 0 cm /I Do Q"
    extracted = extract(drawn(line("Words."), image, ""))
    assert (
        extracted.text.strip()
        == "Words.\n\n[Page 2 is a scanned image, not read: ocrmypdf in.pdf out.pdf adds its text.]"
    )
    assert extracted.unread == "page 2 is a scanned image (ocrmypdf in.pdf out.pdf adds the text)"
    assert text(image) == ""
    pages = extract(drawn(line("Words."), *[image] * 12)).unread
    assert pages.startswith("pages 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more are scanned images (ocrmypdf ")
