"""What a page shows is read, what it hides is not, and no page takes long."""

from __future__ import annotations

import time

import pytest
from support.office import archive

from lcrag.errors import InputError
from lcrag.ingest import epub
from lcrag.ingest.extracted import Extracted
from lcrag.ingest.html import extract, from_markup
from lcrag.text.places import line_of
from lcrag.types import Document


def text(markup: str) -> str:
    return from_markup(markup).text.removesuffix("\n")


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("10<sup>6</sup>, 2<sup>-3</sup>, x<sup>n</sup>, (a)<sup>2+</sup>", "10^6, 2^-3, x^n, (a)^2+"),
        ("1<sup>st</sup>, 3<sup>e</sup>, n<sup>o</sup>, X<sup>TM</sup>", "1st, 3e, no, XTM"),
        ("end.<sup>3</sup> a<sup><a href='#'>2</a></sup> c<sup>[4]</sup> b[<sup>5</sup>]", "end.[3] a[2] c[4] b[5]"),
        ("H<sub>2</sub>O", "H2O"),
    ],
)  # fmt: skip
def test_from_markup_writes_exponents(markup: str, shown: str) -> None:
    assert text(f"<p>{markup}</p>") == shown


@pytest.mark.parametrize(
    "hidden",
    ["hidden", 'style="color: red; DISPLAY : none"', "style='visibility:hidden'", 'aria-hidden="true"', 'hidden=""'],
)
def test_from_markup_leaves_out_what_is_hidden(hidden: str) -> None:
    assert text(f"<p>one</p><div {hidden}><p>old</p></div><p>a <span {hidden}>b</span>c</p>") == "one\n\na c"


@pytest.mark.parametrize("shown", ["hidden=until-found", 'style="display:block"', 'aria-hidden="false"', "data-hidden"])
def test_from_markup_reads_what_is_shown(shown: str) -> None:
    assert text(f"<body style='display:none'><p {shown}>new</p>") == "new"


def test_from_markup_reads_buttons() -> None:
    faq = "<h2><button>How long?</button></h2><div>A year.</div><button>Where?</button><div>Here.</div>"
    assert text(faq) == "## How long?\n\nA year.\n\nWhere?\n\nHere."
    assert text("<p>Press<button>OK</button>now.</p>") == "Press OK now."


@pytest.mark.parametrize(
    ("rows", "table"),
    [
        ("<tr><td>A<td><td>C</tr><tr><td><td>2<td>3</tr><tr><td><td></tr><tr><td>x<td></tr>", "A |  | C\n | 2 | 3\nx"),
        ("<tr><td rowspan=2>r<td>1</tr><tr><td>2</tr><tr><td>s<td>3</tr>", "r | 1\n | 2\ns | 3"),
        ("<tr><td colspan=2>w<td>5</tr><tr><td colspan=x rowspan=0>a<td>b</tr>", "w |  | 5\na | b"),
        ("<tr><td><p>a</p></td><td><div>b<br>c</div></td></tr>", "a | b c"),
        ("<tr><td>menu<p>one<p>two</td><td><h2>Head</h2><p>text</td></tr>", "menu\n\none\n\ntwo\n\n## Head\n\ntext"),
        ("<tr><td>o</td><td><table><tr><td>1</td><td></td><td>2</td></tr></table></td></tr>", "o\n\n1 |  | 2"),
    ],
)  # fmt: skip
def test_from_markup_keeps_cells_in_their_place(rows: str, table: str) -> None:
    assert text(f"<table>{rows}</table>") == table


def test_from_markup_keeps_lines_in_code() -> None:
    assert text("<pre><code>a = 1\n  <b>b</b> = 2</code></pre>x\ny") == "a = 1\n  b = 2\n\nx y"


@pytest.mark.parametrize(
    "markup", ["<div>" * 10_000 + "deep" + "</div>" * 10_000 + "<p>after", "<font>old <b>" * 6_000 + "deep <p>after"]
)
def test_from_markup_reads_to_any_depth(markup: str) -> None:
    shown = text(markup)
    assert "deep" in shown
    assert shown.endswith("after")
    assert shown.count("old") == markup.count("old")


def test_from_markup_is_quick_with_many_attributes() -> None:
    start = time.process_time()
    assert text("<p " + " ".join(f"a{n}=1" for n in range(700_000)) + ">words</p>\nmore") == "words\n\nmore"
    assert time.process_time() - start < 5


def test_from_markup_counts_lines_beyond_those_of_the_parser() -> None:
    markup = "".join(f"<p\nclass=x>word {number} &amp;</p><!-- \n -->\n" for number in range(40_000))
    extracted = from_markup(markup)
    parsed = Document("", "a.html", extracted.text, (), extracted.lines)
    for number in (100, 21_844, 21_846, 39_999):
        line = line_of(parsed, parsed.text.index(f"word {number} "))
        assert line is not None
        assert f"word {number} " in markup.split("\n")[line - 1]


def test_extract_uses_the_encoding_of_an_xml_declaration() -> None:
    assert extract("<?xml version='1.0' encoding='windows-1251'?><p>Егор".encode("cp1251")).text == "Егор\n"


def book(spine: list[str], chapters: dict[str, bytes], encryption: str | None = None) -> Extracted:
    items = "".join(f'<item id="{name}" href="{name}"/>' for name in chapters)
    listed = "".join(f'<itemref idref="{name}"/>' for name in spine)
    parts: dict[str, str | bytes] = {
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="book.opf"/></rootfiles></container>',
        "book.opf": f"<package><title>T</title><manifest>{items}</manifest><spine>{listed}</spine></package>",
        **chapters,
    }
    if encryption is not None:
        parts["META-INF/encryption.xml"] = f"<encryption>{encryption}</encryption>"
    return epub.extract(archive(parts))


def test_extract_reads_each_chapter_of_a_book_once_in_its_encoding() -> None:
    chapters = {
        "a.xhtml": "<?xml version='1.0' encoding='windows-1251'?><p>Егор".encode("cp1251"),
        "b.xhtml": "<meta charset='iso-8859-2'><p>Łódź".encode("iso-8859-2"),
    }
    assert book(["b.xhtml", *["a.xhtml"] * 3000, "b.xhtml"], chapters).text == "Łódź\n\nЕгор\n"


ENCRYPTED = (
    '<EncryptedData><EncryptionMethod Algorithm="{}"/><CipherData><CipherReference URI="{}"/></CipherData>'
    "</EncryptedData>"
)


@pytest.mark.parametrize("encryption", ["<EncryptedData/>", ENCRYPTED.format("aes", "a.xhtml")])
def test_extract_refuses_an_encrypted_book(encryption: str) -> None:
    with pytest.raises(InputError, match="DRM"):
        book(["a.xhtml"], {"a.xhtml": b"\x8f\x01"}, encryption)


@pytest.mark.parametrize(
    "encryption",
    ["", ENCRYPTED.format("http://www.idpf.org/2008/embedding", "f.otf"), ENCRYPTED.format("aes", "i.png")],
)
def test_extract_reads_a_book_with_obfuscated_fonts(encryption: str) -> None:
    assert book(["a.xhtml"], {"a.xhtml": b"<p>read"}, encryption).text == "read\n"


def test_extract_refuses_a_chapter_that_unpacks_without_bound() -> None:
    with pytest.raises(InputError, match="times its size"):
        book(["a.xhtml"], {"a.xhtml": b"<p>word</p>" * 2_000_000})
