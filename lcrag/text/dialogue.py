"""Who says what, where sentences are turns of a dialogue or of minutes.

A question about one speaker finds what another said of themselves: all of its words are there but the name at the head
of the turn. Of 150 questions of locomo the best sentence is another's for .40 of those without an answer and for .04 of
the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

TURN: Final = re.compile(r"\W*([A-Z][\w.'’ -]{0,30}?):\s")


def another_speaks(question: str, sentences: Sequence[str], owners: Sequence[str], place: int) -> bool:
    """Whether the question names somebody who speaks in these sentences, while the turn to which the one at ``place``
    belongs is another's and up to there names nobody of them. ``owners``: the passage of each sentence.
    """
    speakers = {found[1].lower() for found in map(TURN.match, sentences) if found}
    asked = (
        question.casefold()
    )  # what is not in it at all needs no pattern: "Key: value" makes speakers by the thousand
    named = [speaker for speaker in speakers if speaker.casefold() in asked and _stands_in(speaker, question)]
    first = place
    while first and not TURN.match(sentences[first]) and owners[first - 1] == owners[place]:
        first -= 1
    return (
        bool(named)
        and TURN.match(sentences[first]) is not None
        and not any(_stands_in(speaker, " ".join(sentences[first : place + 1])) for speaker in named)
    )


def _stands_in(name: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE) is not None
