"""Questions about how the documents are built, not about what they say: their chapters, files and rows.

Rules of English on the whole question, so that "Which chapters mention Ann?" is not taken for "List the chapters".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Wanted = Literal["headings", "files", "rows"]

_PARTS: Final = r"chapters?|sections?|headings?|parts|appendi(?:x|ces)|articles|clauses|topics"
_ALL: Final = r"(?:all )?(?:of )?(?:the )?(?:names? of |titles? of )?(?:the )?"
_WHERE: Final = (
    r"(?: (?:are there|there are|are|exist))?(?: (?:in|of|from|does|do|has|have) (?P<where>.+?))?"
    r"(?: (?:has|have|contain|hold|there|in all|in total))*"
)
_FILES: Final = r"(?:files?|documents?|texts|papers)"
_MENTION: Final = r"(?:mentions?|contains?|names?|uses?|includes?|cites?|refers? to|talks? about|says?)"
_ASKED: Final = (
    ("headings", rf"(?:list|name|show|give me|enumerate|what are|which are) {_ALL}(?P<part>{_PARTS}){_WHERE}"),
    ("headings", rf"(?:how many|what|which) (?P<part>{_PARTS}){_WHERE}"),
    ("headings", rf"(?:show |give me |what is )?(?:the )?(?P<part>table of contents|outline){_WHERE}"),
    ("files", rf"(?:which|what|list (?:all )?(?:the )?|how many) {_FILES}(?: that| which)? {_MENTION} (?P<what>.+)"),
    (
        "files",
        rf"(?:in )?(?:which|what) {_FILES} (?:is|are|do|does) (?P<what>.+?) (?:mentioned|named|found|appear|occur)",
    ),
    ("files", rf"(?:list|name|show|what are|which are) {_ALL}{_FILES}"),
    ("files", rf"how many {_FILES} are there"),
    ("rows", rf"how many (?:rows|records|entries|lines)(?: of data)?{_WHERE}"),
)
_COMPILED: Final = tuple((wanted, re.compile(pattern, re.IGNORECASE)) for wanted, pattern in _ASKED)
_NO_PLACE: Final = re.compile(
    r"(?:(?:there|in|of|the|this|these|it|all|total|altogether|book|text|document|documents|corpus|file|files|folder"
    r"|table|sheet|spreadsheet|data)\b\W*)*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class StructureQuestion:
    """``counts``: only how many. ``part``: the kind of heading, "chapter". ``what``: what files should mention, or "".

    ``where``: words that name the document which is meant, or "".
    """

    wanted: Wanted
    counts: bool
    part: str = ""
    what: str = ""
    where: str = ""


def asks_for_structure(question: str) -> StructureQuestion | None:
    """What of their structure the question asks for; None where it asks for what they say."""
    plain = " ".join(question.split()).strip(" ?.!:")
    for wanted, pattern in _COMPILED:
        match = pattern.fullmatch(plain)
        if match is None:
            continue
        groups = match.groupdict()
        where = (groups.get("where") or "").strip()
        return StructureQuestion(
            wanted,  # type: ignore[arg-type]
            plain.lower().startswith("how many"),
            _singular((groups.get("part") or "").lower()),
            (groups.get("what") or "").strip(" \"'“”‘’"),
            "" if _NO_PLACE.fullmatch(where) else where,
        )
    return None


def _singular(part: str) -> str:
    return "appendix" if part == "appendices" else part.removesuffix("s")
