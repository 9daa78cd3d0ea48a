"""Small PDF files, object by object."""

from __future__ import annotations

import io

PAGE = (
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {} 0 R /Annots [{}] "
    "/Resources << /Font << /F 3 0 R >> /XObject << /I 4 0 R >> >> >>"
)


def written(objects: list[str]) -> bytes:
    """A file of these objects, numbered from 1; the first is the catalogue."""
    out = io.BytesIO(b"%PDF-1.4\n")
    out.seek(0, io.SEEK_END)
    places = []
    for number, content in enumerate(objects, 1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1"))
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.write("".join(f"{place:010} 00000 n \n" for place in places).encode())
    out.write(f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def drawn(*contents: str, annotations: list[str] | None = None) -> bytes:
    """A page for each content stream, with the font /F and the image /I; ``annotations`` are on the first page."""
    notes = annotations or []
    first = 5
    kids = " ".join(f"{first + 2 * number} 0 R" for number in range(len(contents)))
    listed = " ".join(f"{first + 2 * len(contents) + number} 0 R" for number in range(len(notes)))
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [{listed}] >> >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        "<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1 >>"
        "\nstream\nx\nendstream",
    ]
    for number, content in enumerate(contents):
        objects.append(PAGE.format(first + 1 + 2 * number, "" if number else listed))
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    return written([*objects, *notes])


def line(text: str, x: float = 20, y: float = 700) -> str:
    return f"BT /F 12 Tf {x} {y} Td ({text}) Tj ET\n"


def lines(*rows: tuple[str, ...], columns: tuple[float, ...] = (20,)) -> str:
    """Rows of text from the top down; the parts of a row begin at ``columns``, in points."""
    return "".join(
        line(part, x, 700 - 16 * number)
        for number, row in enumerate(rows)
        for part, x in zip(row, columns, strict=False)
        if part
    )


def pdf(*pages: str) -> bytes:
    """A PDF with these texts as its pages."""
    return drawn(*map(line, pages))
