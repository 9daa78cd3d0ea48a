"""Who says what, where sentences are turns of a dialogue or of minutes.

To a question about one speaker, another speaker's sentence about themselves looks right: it has all the words but the
name at the head of its turn. Of 150 questions of locomo, the best sentence is another speaker's for .40 of those
without an answer and for .04 of the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

TURN: Final = re.compile(r"\W*([A-Z][\w.'’ -]{0,30}?):\s")


def is_dialogue(sentences: Sequence[str]) -> bool:
    """Whether an eighth of the sentences begin a turn: in meetings and talks .26 to .81 do, in other texts .03."""
    return 8 * sum(TURN.match(sentence) is not None for sentence in sentences) >= max(1, len(sentences))


def another_speaks(question: str, sentences: Sequence[str], owners: Sequence[str], place: int) -> bool:
    """Whether the question names a speaker, but ``sentences[place]`` is in a turn of somebody else that has not
    mentioned that speaker by then.

    "What did Ben bake?" is about Ben, so "Ann: I baked a cake." is another's. ``owners``: the passage that each
    sentence belongs to; a turn ends with its passage.
    """
    speakers = {match[1].lower() for match in map(TURN.match, sentences) if match}
    folded = question.casefold()  # checked first: lines of "Key: value" look like thousands of speakers
    named = [speaker for speaker in speakers if speaker.casefold() in folded and _mentions(question, speaker)]
    first = place
    while first and not TURN.match(sentences[first]) and owners[first - 1] == owners[place]:
        first -= 1
    return (
        bool(named)
        and TURN.match(sentences[first]) is not None
        and not any(_mentions(" ".join(sentences[first : place + 1]), speaker) for speaker in named)
    )


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE) is not None
