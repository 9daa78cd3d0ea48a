"""Summaries of a certain length, and one made of many: level by level, as many at a time as a prompt holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from lcrag.evidence.provenance import restore_markers
from lcrag.pipelines._run import Run
from lcrag.planning.scale import count_notes, count_sent
from lcrag.text.passages import groups
from lcrag.text.prompts import says_nothing
from lcrag.text.sentences import ENDED, sentences
from lcrag.types import Completion, Event, Passage, Role, Task

LOWER: Final = 0.65
"""Words of a summary that is merged with others, for one of what is made of them (as in BooookScore)."""
LEAST_WORDS: Final = 60
"""Words of such a summary at least: three sentences. Not measured."""
TOKENS: Final = 2
"""The most tokens for each word that is asked for: 1.3 that English has, the markers, and some more words than were
asked for."""
RETRIES: Final = 2
SHORTER: Final = 0.9
"""Words that are asked for again where a reply was cut, for each word before (as in BooookScore)."""
CONTEXT: Final = 0.2
"""The share of a summary's tokens that the next one of its level sees of it, when chained (as in BooookScore)."""


def lower(words: int) -> int:
    """Words of the summaries of which one of so many words is made."""
    return min(words, max(LEAST_WORDS, round(LOWER * words)))


def most_tokens(words: int) -> int:
    """The most tokens of a summary of so many words."""
    return TOKENS * words + 16


def write(run: Run, tasks: Sequence[Task], read: Sequence[Passage], words: int) -> list[str]:
    """The texts of the tasks under their right markers, "" for nothing, as one batch.

    What is cut at its limit is asked for again with fewer words, at most twice, then cut at a sentence.
    """
    asked = list(tasks)
    completions = run.ask(asked, most_tokens(words))
    for _ in range(RETRIES):
        cut = [place for place, done in enumerate(completions) if done.finish == "length"]
        if not cut:
            break
        for place in cut:
            asked[place] = replace(asked[place], words=max(1, round(SHORTER * asked[place].words)))
        for place, done in zip(cut, run.ask([asked[place] for place in cut], most_tokens(words)), strict=True):
            completions[place] = done
    return [
        "" if says_nothing(text := whole(done)) else restore_markers(text, task.passages, task.notes, read)
        for task, done in zip(tasks, completions, strict=True)
    ]


def whole(completion: Completion) -> str:
    """The text without a last sentence that was cut, if there is another."""
    text = completion.text
    if completion.finish != "length":
        return text
    spans = sentences(text)
    return text[: spans[-1][0]].rstrip() if len(spans) > 1 and not ENDED.search(text) else text


def merge_summaries(
    run: Run,
    summaries: Sequence[str],
    read: Sequence[Passage],
    room: int,
    words: int,
    chained: bool,
    last: Role = "merge",
) -> str:
    """One summary of so many words of those of ``read``, neighbours first; "" for none.

    ``room``: tokens of summaries in one prompt. ``last``: what is asked of the last prompt.
    """
    left = list(summaries)
    while len(left) > 1:
        batches = list(groups(left, count_notes(left, run.backend), room))
        if all(len(batch) == 1 for batch in batches):  # longer than asked for: still two at a time
            batches = [left[place : place + 2] for place in range(0, len(left), 2)]
        is_last = len(batches) == 1
        length, role = (words, last) if is_last else (lower(words), "merge")
        tasks = [Task(role, run.question, (), tuple(batch), words=length) for batch in batches if len(batch) > 1]
        texts = iter(_in_turn(run, tasks, read, length) if chained else write(run, tasks, read, length))
        run.emit(Event("worker", {"index": len(tasks), "of": len(tasks), "status": "merged"}))
        left = [text for batch in batches if (text := batch[0] if len(batch) == 1 else next(texts))]
    return left[0] if left else ""


def _in_turn(run: Run, tasks: Sequence[Task], read: Sequence[Passage], words: int) -> list[str]:
    """The texts of the tasks, each written with the end of the one before it among its notes."""
    texts: list[str] = []
    for task in tasks:
        before = _end(texts[-1], run) if texts else ""
        seen = replace(task, notes=(before, *task.notes)) if before else task
        texts += write(run, [seen], read, words)
    return texts


def _end(text: str, run: Run) -> str:
    """The last sentences of a text that have at most a CONTEXT of its tokens."""
    [tokens] = count_sent([text], run.backend)
    spans = sentences(text)
    kept = len(spans)
    while kept and count_sent([text[spans[kept - 1][0] :]], run.backend)[0] <= CONTEXT * tokens:
        kept -= 1
    return text[spans[kept][0] :].strip() if kept < len(spans) else ""
