"""Small office files, written part by part."""

from __future__ import annotations

import io
import struct
import zipfile

TRANSITIONAL = "http://schemas.openxmlformats.org"
SPACES = "urn:oasis:names:tc:opendocument:xmlns"
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


def workbook(sheets: dict[str, str]) -> bytes:
    """An Excel file. ``sheets``: name → rows as XML."""
    space = f"{TRANSITIONAL}/spreadsheetml/2006/main"
    relations = f"{TRANSITIONAL}/officeDocument/2006/relationships"
    package = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
    listed = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(sheets, 1))
    targets = "".join(
        f'<Relationship Id="r{n}" Type="{relations}/worksheet" Target="worksheets/s{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    return archive(
        {
            "_rels/.rels": package.format(
                f'<Relationship Id="r" Type="{relations}/officeDocument" Target="xl/workbook.xml"/>'
            ),
            "xl/workbook.xml": f'<workbook xmlns="{space}" xmlns:r="{relations}"><sheets>{listed}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": package.format(targets),
            **{
                f"xl/worksheets/s{n}.xml": f'<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'
                for n, rows in enumerate(sheets.values(), 1)
            },
        }
    )


def sheet_row(number: int, *cells: str | float | None) -> str:
    written = "".join(
        f'<c r="{chr(65 + column)}{number}" t="inlineStr"><is><t>{cell}</t></is></c>'
        if isinstance(cell, str)
        else f'<c r="{chr(65 + column)}{number}"><v>{cell}</v></c>'
        for column, cell in enumerate(cells)
        if cell is not None
    )
    return f'<row r="{number}">{written}</row>'


def opendocument(
    content: str, *, automatic: str = "", styles: str = "", manifest: str = "", sheet: bool = False
) -> bytes:
    """An OpenDocument file. ``content``: the XML inside the body."""
    kinds = ("office", "text", "table", "draw", "presentation", "style", "xlink", "dc", "master", "svg")
    names = " ".join(f'xmlns:{kind}="{SPACES}:{kind}:1.0"' for kind in kinds)
    return archive(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{'spreadsheet' if sheet else 'text'}",
            "META-INF/manifest.xml": f"<manifest>{manifest}</manifest>",
            "content.xml": f"<office:document-content {names}>"
            f"<office:automatic-styles>{automatic}</office:automatic-styles><office:body>{content}</office:body></office:document-content>",
            "styles.xml": f"<office:document-styles {names}>{styles}</office:document-styles>",
        }
    )


def compound(files: dict[str, bytes]) -> bytes:
    """An OLE compound file. ``files``: path ("folder/stream") → bytes, each filled up with zeros to 4,096."""
    entries: list[tuple[str, str, bytes | None]] = [("", "Root Entry", None)]
    for path, content in files.items():
        folder, _, name = path.rpartition("/")
        for depth in range(1, len(folder.split("/")) + 1 if folder else 1):
            above, _, own = "/".join(folder.split("/")[:depth]).rpartition("/")
            if (above, own, None) not in entries:
                entries.append((above, own, None))
        entries.append((folder, name, content.ljust(4096, b"\0")))
    paths = [""] + [f"{folder}/{name}".strip("/") for folder, name, _ in entries[1:]]
    sectors: list[bytes] = []
    table: list[int] = []

    def store(content: bytes) -> int:
        first = len(sectors)
        pieces = [content[at : at + 512].ljust(512, b"\0") for at in range(0, len(content), 512)]
        sectors.extend(pieces)
        table.extend([*range(first + 1, first + len(pieces)), -2])
        return first

    starts = [-2 if content is None else store(content) for _, _, content in entries]
    directory = b""
    for number, (folder, name, content) in enumerate(entries):
        inside = [n for n in range(1, len(entries)) if entries[n][0] == paths[number] and content is None]
        siblings = [n for n in range(1, len(entries)) if entries[n][0] == folder and n > number and number]
        kind = 5 if not number else 1 if content is None else 2
        directory += struct.pack(
            "<64sHBBiii16sIQQiII", name.encode("utf-16-le"), 2 * len(name) + 2, kind, 1, -1,
            siblings[0] if siblings else -1, inside[0] if inside else -1, b"", 0, 0, 0, starts[number],
            len(content or b""), 0,
        )  # fmt: skip
    first_of_directory = store(directory)
    count = next(n for n in range(1, 100) if (len(sectors) + n) <= 128 * n)
    first_of_table = len(sectors)
    table += [-3] * count
    fat = struct.pack(f"<{len(table)}i", *table).ljust(512 * count, b"\xff")
    listed = [*range(first_of_table, first_of_table + count), *[-1] * (109 - count)]
    header = struct.pack(
        "<8s16sHHHHH6sIIiIIiIiI109i", bytes.fromhex("d0cf11e0a1b11ae1"), b"", 62, 3, 0xFFFE, 9, 6, b"", 0, count,
        first_of_directory, 0, 4096, -2, 0, -2, 0, *listed,
    )  # fmt: skip
    return header + b"".join(sectors) + fat


def old_workbook(cells: list[tuple[int, int, str | float]]) -> bytes:
    """An Excel 97 file with one sheet, "Old". ``cells``: (row from 0, column, value)."""

    def record(kind: int, content: bytes) -> bytes:
        return struct.pack("<HH", kind, len(content)) + content

    begin, end = struct.pack("<HHHHII", 0x0600, 0, 0, 0, 0, 6), record(0x0A, b"")
    rows = b"".join(
        record(0x0204, struct.pack("<HHHHB", row, column, 0, len(cell), 0) + cell.encode())
        if isinstance(cell, str)
        else record(0x0203, struct.pack("<HHHd", row, column, 0, cell))
        for row, column, cell in cells
    )
    globals_ = record(0x0809, begin[:2] + b"\x05\0" + begin[4:])
    place = len(globals_) + 4 + 8 + 3 + len(end)
    bound = record(0x85, struct.pack("<IHBB", place, 0, 3, 0) + b"Old")
    sheet = record(0x0809, begin[:2] + b"\x10\0" + begin[4:]) + rows + end
    return compound({"Workbook": globals_ + bound + end + sheet})
