"""E-books: the chapters in the order of the spine, each once, through the HTML extractor. (EbookLib is AGPL.)"""

from __future__ import annotations

import posixpath
from typing import Final
from urllib.parse import unquote
from zipfile import ZipFile

from lcrag.errors import InputError
from lcrag.ingest.archive import open_archive
from lcrag.ingest.extracted import Extracted, squeeze
from lcrag.ingest.html import decode_markup, from_markup
from lcrag.ingest.xml import parse

OBFUSCATED_FONT: Final = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Not encryption of a text: fonts are stored so that they are not simply copied out."""


def extract(data: bytes) -> Extracted:
    """Raises InputError for a book whose chapters are encrypted."""
    with open_archive(data) as book:
        names = set(book.namelist())
        container = parse(book.read("META-INF/container.xml"), recover=True)
        root = next(container.iter("{*}rootfile"), None)
        if root is None:
            raise InputError("its container names no book")
        package = parse(book.read(root.get("full-path")), recover=True)
        folder = posixpath.dirname(root.get("full-path"))
        hrefs = {item.get("id"): unquote(item.get("href", "")) for item in package.iter("{*}item")}
        spine = [
            posixpath.normpath(posixpath.join(folder, hrefs.get(entry.get("idref"), "")))
            for entry in package.iter("{*}itemref")
        ]
        ordered = [name for name in dict.fromkeys(spine) if name in names]
        encrypted = _encrypted(book, names)
        if encrypted is not None and (not encrypted or encrypted & set(ordered)):
            raise InputError("it is encrypted (DRM): lcrag cannot read it")
        chapters = [from_markup(decode_markup(book.read(name))).text.strip() for name in ordered]
    text = "\n\n".join(chapter for chapter in chapters if chapter)
    return Extracted(f"{text}\n" if text else "", squeeze(package.findtext(".//{*}title") or ""))


def _encrypted(book: ZipFile, names: set[str]) -> set[str] | None:
    """The encrypted parts, an empty set if it is not said which, None if there are none."""
    if "META-INF/encryption.xml" not in names:
        return None
    encrypted: set[str] = set()
    entries = 0
    for entry in parse(book.read("META-INF/encryption.xml"), recover=True).iter("{*}EncryptedData"):
        method = entry.find("{*}EncryptionMethod")
        if method is not None and method.get("Algorithm") in OBFUSCATED_FONT:
            continue
        entries += 1
        encrypted.update(unquote(reference.get("URI", "")) for reference in entry.iter("{*}CipherReference"))
    return encrypted if entries else None
