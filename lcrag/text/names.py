"""Names in a text, and whether a text introduces what a name stands for: what another search should look for.

By capital letters, so neither German nouns nor scripts without capitals are told apart from names.
"""

from __future__ import annotations

import re
from typing import Final

from lcrag.text.sentences import sentences
from lcrag.text.words import STOP_WORDS, stems

_CAPITAL: Final = "A-Z" + "".join(filter(str.isupper, map(chr, range(0xC0, 0x530))))  # Latin, Greek, Cyrillic
_WORD: Final = rf"[{_CAPITAL}][\w'’.-]*"
_BETWEEN: Final = r"of the|of|the|de|del|der|di|du|la|le|al|von|van|&"
_NAME: Final = re.compile(rf"(?<![\w'’]){_WORD}(?:[ \n](?:(?:{_BETWEEN}) )?(?:{_WORD}|\d+\b))*")
_OPENING: Final = r"(?:\A|\n|[.!?][\"'”’)]*\s)[^\w\n]{0,6}(?:(?:the|an?)\s+)?"
_OWNER: Final = re.compile("['’]s$")


def names_in(text: str) -> list[str]:
    """Names of things, people and places in a text, each once, in their order: "Mayor of Tern", "End of Days".

    A single word at the start of a sentence counts only if it is a name elsewhere in it.
    """
    found: dict[str, None] = {}
    for start, end in sentences(text):
        sentence = text[start:end]
        for match in _NAME.finditer(sentence):
            name = _OWNER.sub("", " ".join(match[0].split()).strip(" .'’-"))
            words = name.split()
            while words and words[0].lower() in STOP_WORDS:
                words = words[1:]
            is_first = len(words) == 1 and not sentence[: match.start()].strip("\"'“‘*# ")
            if not is_first and len("".join(words)) > 2 and stems(" ".join(words)):
                found.setdefault(" ".join(words))
    return list(found)


def introduces(text: str, name: str) -> bool:
    """Whether a sentence, or a title, begins with the name. Not a line of a dialogue, where a speaker has it."""
    words = r"\s+".join(map(re.escape, name.split()))
    return bool(words) and re.search(rf"{_OPENING}{words}(?![\w'’:-])", text, re.IGNORECASE) is not None
