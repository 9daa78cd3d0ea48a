"""Rich Text Format: the words that a reader sees, tables as rows, notes after their paragraph.

Our own because striprtf 0.0.35 drops footnotes, headers and text boxes, reads hidden and deleted text, and writes 10⁶
as 106.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace
from typing import Final

from lcrag.errors import InputError
from lcrag.ingest.extracted import Extracted, raised, squeeze

TOKEN: Final = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([^\\{}\r\n]+)", re.S
)
SIGNS: Final = {
    "line": "\n", "tab": "\t", "emdash": "—", "endash": "–", "emspace": " ", "enspace": " ", "qmspace": " ",
    "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "sect": "\n\n", "page": "\n\n",
    "cell": " | ", "nestcell": " | ", "~": "\xa0", "_": "-", "\n": "\n", "\r": "\n", "{": "{", "}": "}", "\\": "\\",
}  # fmt: skip
NOT_READ: Final = frozenset(
    """
    fonttbl colortbl stylesheet info pict object objdata sp shprslt nonshppict fldinst filetbl revtbl listtable
    listoverridetable rsidtbl generator themedata xmlnstbl latentstyles datastore template atnid atnauthor atnref
    atndate atntime atnparent ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn bkmkstart bkmkend xe tc txe rxe pgptbl
    nonesttables
    """.split()
)
STARRED: Final = frozenset({"shpinst", "shptxt", "annotation", "footnote", "listtext", "pntext", "shpgrp"})
"""Groups that older readers may skip, but that hold text."""
NOTES: Final = {"footnote": "Footnote: ", "annotation": "Comment: ", "shptxt": ""}
MARGINS: Final = re.compile("(header|footer)[lrf]?")
CHARSETS: Final = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "cp950", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
    254: "cp437", 255: "cp850",
}  # fmt: skip


@dataclass(slots=True)
class _Group:
    """What holds until the end of a group. ``out``: where its text is written; ``name``: of the group that began it."""

    out: list[str]
    name: str = ""
    skipped: bool = False
    starred: bool = False
    hidden: bool = False
    raised: bool = False
    in_table: bool = False
    fallback: int = 1
    encoding: str = "cp1252"


@dataclass(slots=True)
class _Reader:
    margins: dict[str, dict[str, None]] = field(default_factory=lambda: {"header": {}, "footer": {}})
    after: list[str] = field(default_factory=list)
    charsets: dict[str, str] = field(default_factory=dict)
    ansi: str = "cp1252"
    font: str = ""
    title: str = ""
    waiting: bytearray = field(default_factory=bytearray)
    ignored: int = 0

    def read(self, markup: str) -> str:
        main: list[str] = []
        group = _Group(main)
        outer: list[_Group] = []
        at = 0
        while (token := TOKEN.search(markup, at)) is not None:
            at = token.end()
            word, number, code, sign, brace, text = token.groups()
            if code and not self.ignored:
                self.waiting.append(int(code, 16))
                continue
            if code or (self.ignored and text):
                dropped = 1 if code else min(self.ignored, len(text))
                self.ignored -= dropped
                if code or not (text := text[dropped:]):
                    continue
            self._flush(group)
            if brace == "{":
                outer.append(group)
                group = replace(group, name="", starred=False)
            elif brace == "}":
                self._close(group, outer[-1] if outer else group)
                group = outer.pop() if outer else group
            elif text:
                self._write(group, text)
            elif sign == "*":
                group.starred = True
            elif sign:
                self._write(group, SIGNS.get(sign, ""))
            elif word == "bin":
                at += max(0, int(number or 0))
            else:
                self._control(group, word, number, main)
        self._flush(group)
        return "".join([*main, *self.after])

    def _flush(self, group: _Group) -> None:
        if self.waiting:
            text = self.waiting.decode(group.encoding, "replace")
            self.waiting.clear()
            self._write(group, text)

    def _write(self, group: _Group, text: str) -> None:
        if not group.skipped and not group.hidden:
            group.out.append(raised(text) if group.raised else text)
        elif group.name == "title":
            self.title += text

    def _control(self, group: _Group, word: str, number: str | None, main: list[str]) -> None:
        on = number != "0"
        if word in NOTES or MARGINS.fullmatch(word):
            group.name, group.out = word, []
            group.skipped = group.hidden
        elif word in NOT_READ or (group.starred and word not in STARRED):
            group.skipped = True
        elif word == "title" and group.skipped:
            group.name = word
        elif word == "par":
            self._write(group, " " if group.in_table else "\n")
            self._add_notes(group, main)
        elif word in ("row", "nestrow"):
            if group.out and group.out[-1] == " | ":
                group.out.pop()
            self._write(group, "\n")
            self._add_notes(group, main)
        elif word in SIGNS:
            self._write(group, SIGNS[word])
        elif word == "u":
            self._write(group, chr(int(number or 0) % 65536))
            self.ignored = group.fallback
        elif word == "uc":
            group.fallback = int(number or 1)
        elif word in ("v", "deleted"):
            group.hidden = on
        elif word in ("super", "nosupersub", "sub"):
            group.raised = word == "super" and on
        elif word == "plain":
            group.raised = group.hidden = False
        elif word in ("pard", "intbl"):
            group.in_table = word == "intbl"
        else:
            self._choose_encoding(group, word, number or "")

    def _choose_encoding(self, group: _Group, word: str, number: str) -> None:
        if word == "ansicpg":
            self.ansi = group.encoding = _known(f"cp{number}")
        elif word in ("mac", "pc", "pca"):
            self.ansi = group.encoding = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]
        elif word == "f":
            self.font = number
            group.encoding = self.charsets.get(number, self.ansi)
        elif word == "fcharset":
            self.charsets[self.font] = CHARSETS.get(int(number or 0), self.ansi)

    def _close(self, group: _Group, outer: _Group) -> None:
        if group.out is outer.out:
            return
        text = "".join(group.out).strip()
        if margin := MARGINS.fullmatch(group.name):
            self.margins[margin[1]][text] = None
        elif text:
            self.after.append(f"\n\n{NOTES.get(group.name, '')}{text}\n\n")

    def _add_notes(self, group: _Group, main: list[str]) -> None:
        if group.out is main and self.after and not group.in_table:
            main += self.after
            self.after = []


def extract(data: bytes) -> Extracted:
    """Raises InputError for a file that is not RTF."""
    markup = data.decode("latin-1").lstrip("\0\r\n\t ï»¿")
    if not markup.startswith("{\\rtf"):
        raise InputError("it is not RTF")
    reader = _Reader()
    body = reader.read(markup)
    text = "\n\n".join(filter(None, (*reader.margins["header"], body, *reader.margins["footer"])))
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # a pair of escapes is one character
    text = re.sub(r"\n\s*\n+", "\n\n", text).strip()
    return Extracted(f"{text}\n" if text else "", squeeze(reader.title))


def _known(encoding: str) -> str:
    try:
        return codecs.lookup("utf-8" if encoding == "cp65001" else encoding).name
    except LookupError:
        return "cp1252"
