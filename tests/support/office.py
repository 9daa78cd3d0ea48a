"""Small office files, written part by part."""

from __future__ import annotations

import io
import zipfile

TRANSITIONAL = "http://schemas.openxmlformats.org"
STRICT = "http://purl.oclc.org/ooxml"


def archive(parts: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as written:
        for name, content in parts.items():
            written.writestr(name, content)
    return out.getvalue()


def word(body: str, parts: dict[str, str] | None = None, *, root: str = TRANSITIONAL) -> bytes:
    """A Word document. ``parts``: kind ("footnotes", "header", "header 2") → the XML inside that part's root."""
    main = f"{root}/wordprocessingml/2006/main" if root == TRANSITIONAL else f"{root}/wordprocessingml/main"
    relations = f"{root}/officeDocument/2006/relationships"
    names = f'xmlns:w="{main}" xmlns:v="urn:v" xmlns:c="urn:c" xmlns:r="{relations}" xmlns:mc="urn:mc" xmlns:a="urn:a"'
    given = parts or {}
    files = {f"word/{kind.replace(' ', '')}.xml": f"<w:x {names}>{xml}</w:x>" for kind, xml in given.items()}
    listed = "".join(
        f'<Relationship Id="r{number}" Type="{relations}/{kind.split()[0]}" Target="{kind.replace(" ", "")}.xml"/>'
        for number, kind in enumerate(given)
    )
    package = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
    return archive(
        {
            "_rels/.rels": package.format(
                f'<Relationship Id="r" Type="{relations}/officeDocument" Target="word/document.xml"/>'
            ),
            "word/_rels/document.xml.rels": package.format(listed),
            "word/document.xml": f"<w:document {names}><w:body>{body}</w:body></w:document>",
            **files,
        }
    )


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(content: str, properties: str = "") -> str:
    """``content``: plain text, or runs."""
    inside = content if content.startswith("<") else run(content)
    return f"<w:p><w:pPr>{properties}</w:pPr>{inside}</w:p>"


def table(*rows: tuple[str, ...]) -> str:
    """A table without properties. A cell is plain text, or blocks."""
    cells = ("".join(f"<w:tc>{c if c.startswith('<') else paragraph(c)}</w:tc>" for c in row) for row in rows)
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"
