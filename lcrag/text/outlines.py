"""The outline of a report: its sections, as a model plans them, or as the headings of the documents have them.

An outline of headings invents nothing: a section is called what the documents call it, else by the name that most
of its passages have, else by its file. Where the question lists several subjects, each is a section.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from lcrag.text.names import names_in
from lcrag.text.places import is_table
from lcrag.text.questions import without_cue
from lcrag.text.words import MONTHS, stems
from lcrag.types import Passage, Shape

SECTIONS: Final = "sections"
LONGEST_TITLE: Final = 100
"""Characters."""
_MARKS: Final = re.compile(r"\[[\d,; ]*\]|[#*_`<>\[\]]")
"""What would be a citation or a format in a title."""
_NUMBERED: Final = re.compile(r"^\d+(?:\.\d+)*[.)]?\s+(?=\D)")
_DATED: Final = re.compile(rf"^(?:\w+day,?\s)?(?:\d{{1,2}}\s)?(?:{'|'.join(MONTHS)})\b[\s\d,]*$|^[\d\s./-]+$", re.I)
"""A heading of minutes or of a diary, which names no subject."""
_LESS: Final = 0.5
"""What a heading is worth for each heading before it of the same document: a report of one document's headings alone
would repeat that document. Assumed, not measured."""
_BEFORE: Final = re.compile(r"^(?:(?:in|of|on|about|regarding)\b[\s,.:]*)+", re.I)
"""What is left before a subject when the words that ask for a report are taken away."""
_LISTED: Final = re.compile(r"\s*,\s*(?:and\s+|or\s+)?|\s+and\s+(?:also\s+|on\s+|about\s+)?", re.I)
"""What stands between the subjects of a list."""
LONGEST_SUBJECT: Final = 5
"""Words of a subject in a list: what is longer is a clause."""


@dataclass(frozen=True, slots=True)
class Section:
    """``query``: what is searched for to write it. ``words``: about how many it should have."""

    title: str
    query: str
    words: int


def outline_shape(sections: int) -> Shape:
    """The JSON schema of an outline of at most so many sections, and at least half of them."""
    section = {
        "type": "object",
        "properties": {"title": {"type": "string"}, "query": {"type": "string"}, "words": {"type": "integer"}},
        "required": ["title", "query", "words"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            SECTIONS: {"type": "array", "items": section, "minItems": (sections + 1) // 2, "maxItems": sections}
        },
        "required": [SECTIONS],
        "additionalProperties": False,
    }


def most_sections(shape: Shape | None) -> int:
    """How many sections an ``outline_shape`` allows."""
    assert isinstance(shape, Mapping)
    listed: Any = shape["properties"]
    return int(listed[SECTIONS]["maxItems"])


def write_outline(sections: Sequence[Section]) -> str:
    """The sections as JSON of ``outline_shape``."""
    listed = [{"title": one.title, "query": one.query, "words": one.words} for one in sections]
    return json.dumps({SECTIONS: listed}, ensure_ascii=False)


def parse_outline(reply: str, most: int, words: int) -> list[Section]:
    """The sections of a reply, also of one that was cut, each title once; together they have ``words`` words."""
    found: dict[str, Section] = {}
    for value in _objects(reply):
        title = _title(value.get("title"))
        query = value.get("query")
        asked = value.get("words")
        if stems(title):
            looked_up = " ".join(query.split()) if isinstance(query, str) and stems(query) else title
            share = asked if isinstance(asked, int) and 0 < asked <= words else 0
            found.setdefault(title.casefold(), Section(title, looked_up, share))
    sections = list(found.values())[:most]
    usual = words // max(1, len(sections))
    shares = [section.words or usual for section in sections]
    return [
        Section(section.title, section.query, max(1, round(words * share / sum(shares))))
        for section, share in zip(sections, shares, strict=True)
    ]


def outline_of(
    question: str, passages: Sequence[Passage], most: int, words: int, near: Sequence[float] = ()
) -> list[Section]:
    """At most so many sections: one a subject where the question lists several, else one a heading, the nearest to the
    question first; [] where no passage has a word of it.

    ``near``: how near each passage is to the question in what it means; else by words alone.
    """
    topic = _BEFORE.sub("", " ".join(without_cue(question).split()).strip(" .:?!"))
    asked = set(stems(topic))
    passages = prose_of(passages)
    held = [asked.intersection(stems(f"{one.context} {one.text}")) for one in passages]
    if not any(held):
        return []
    subjects, known = subjects_of(topic), set().union(*held)
    if 1 < len(subjects) <= most and not any(known.isdisjoint(stems(subject)) for subject in subjects):
        return _by_subject(subjects, words // len(subjects))
    often = Counter(word for words_held in held for word in words_held)
    rare = {word: math.log(1 + len(passages) / often[word]) for word in often}
    under: dict[tuple[str, str], list[Passage]] = {}
    worth: dict[tuple[str, str], float] = {}
    for passage, words_held, nearness in zip(passages, held, near or [0.0] * len(passages), strict=True):
        place = passage.document_id, _heading(passage)
        under.setdefault(place, []).append(passage)
        share = sum(map(rare.__getitem__, words_held)) / sum(rare.values())
        worth[place] = max(worth.get(place, 0.0), share + nearness)
    titles: dict[str, None] = {}
    taken: Counter[str] = Counter()
    while under and len(titles) < most:
        place = max(under, key=lambda one: worth[one] * _LESS ** taken[one[0]])
        title = place[1] or _named(under[place], titles, asked)
        del under[place]
        if title.casefold() not in map(str.casefold, titles):
            titles[title] = None
            taken[place[0]] += 1
    share = words // max(1, len(titles))
    return [Section(title, f"{title}: {topic}" if topic.strip() else title, share) for title in titles]


def _by_subject(subjects: Sequence[str], words: int) -> list[Section]:
    """A section for each; what the last one says for all, "the history and finances of the harbour", goes to each."""
    *others, last = subjects
    shared = re.search(r"\s(?:of|in|at)\s.+$", last)
    end = shared[0] if shared else ""
    queries = [*(subject if " of " in subject else subject + end for subject in others), last]
    titles = [subject[0].upper() + subject[1:] for subject in subjects]
    return [Section(title, query, words) for title, query in zip(titles, queries, strict=True)]


def subjects_of(topic: str) -> list[str]:
    """The subjects that a list names, "the ferry, the tide mill and Ida Quillan"; [] where it is no list of short ones.

    Two without a comma between them are a list when each has its own article or name: not "the rise and fall".
    """
    parts = [part.strip(" .:?!") for part in _LISTED.split(topic)]
    if len(parts) < 2 or not all(part and len(part.split()) <= LONGEST_SUBJECT and stems(part) for part in parts):
        return []
    if any(re.match(r"(?:how|what|who|whom|whose|why|when|where|which|whether)\b", part, re.I) for part in parts):
        return []
    if "," not in topic and not all(re.match(r"(?:the|a|an|our|its|their)\s|[A-Z]", part) for part in parts):
        return []
    return list(dict.fromkeys(parts))


def is_date(text: str) -> bool:
    """Whether a heading or a sentence is a date alone."""
    return _DATED.search(text.strip(" .:")) is not None


def prose_of(passages: Sequence[Passage]) -> list[Passage]:
    """The passages that are of no table, if there are any: rows make no text that is read one after the other."""
    return [passage for passage in passages if not is_table(passage.source)] or list(passages)


def _objects(reply: str) -> Iterator[dict[str, Any]]:
    """The objects of a reply: those of its list of sections, or all that can be read one by one."""
    position = 0
    while (brace := reply.find("{", position)) >= 0:
        try:
            value, position = json.JSONDecoder().raw_decode(reply, brace)
        except (ValueError, RecursionError):
            position = brace + 1
            continue
        listed = value.get(SECTIONS)
        yield from (one for one in listed if isinstance(one, dict)) if isinstance(listed, list) else (value,)


def _title(text: object) -> str:
    title = " ".join(_MARKS.sub(" ", text).split()).strip(" .:") if isinstance(text, str) else ""
    return title[:LONGEST_TITLE].rstrip()


def _heading(passage: Passage) -> str:
    """The last heading above a passage, or at its beginning, that is more than a date; "" for none."""
    if is_table(passage.source):
        return ""
    above = passage.context.split(" > ")
    if first := re.match(r"\s*#{1,6}\s+(.+)", passage.text):
        above.append(first[1])
    titles = [_NUMBERED.sub("", _title(heading)) for heading in above]
    return next((title for title in reversed(titles) if not is_date(title)), titles[-1])


def _named(passages: Sequence[Passage], titles: Mapping[str, None], asked: set[str]) -> str:
    """The name that most of these passages have, at least two, and that is not asked for; else their file's."""
    names = Counter(name for passage in passages for name in names_in(passage.text) if not is_table(passage.source))
    known = {title.casefold() for title in titles}
    for name, count in names.most_common():
        if count > 1 and name.casefold() not in known and not asked.issuperset(stems(name)):
            return _title(name)
    stem = PurePath(passages[0].source).stem
    return _title(re.sub(r"[-_.]+", " ", stem).capitalize()) or "Documents"
