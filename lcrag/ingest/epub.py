"""E-books: the chapters in the order of the spine, each through the HTML extractor. (EbookLib is AGPL.)"""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from lcrag.errors import InputError
from lcrag.ingest.archive import open_archive
from lcrag.ingest.extracted import Extracted, squeeze
from lcrag.ingest.html import from_markup
from lcrag.ingest.text import decode

CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
OPF = "{http://www.idpf.org/2007/opf}"
TITLE = "{http://purl.org/dc/elements/1.1/}title"


def extract(data: bytes) -> Extracted:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    with open_archive(data) as book:
        container = etree.fromstring(book.read("META-INF/container.xml"), parser)
        root = container.find(f".//{CONTAINER}rootfile")
        if root is None:
            raise InputError("its container names no book")
        package = etree.fromstring(book.read(root.get("full-path")), parser)
        folder = posixpath.dirname(root.get("full-path"))
        hrefs = {item.get("id"): unquote(item.get("href")) for item in package.iter(f"{OPF}item")}
        names = set(book.namelist())
        chapters = []
        for entry in package.iter(f"{OPF}itemref"):
            name = posixpath.normpath(posixpath.join(folder, hrefs.get(entry.get("idref"), "")))
            if name in names:
                chapters.append(from_markup(decode(book.read(name))).text.strip())
        text = "\n\n".join(chapter for chapter in chapters if chapter)
        return Extracted(f"{text}\n" if text else "", squeeze(package.findtext(f".//{TITLE}") or ""))
