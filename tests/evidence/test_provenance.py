"""Notes keep what they may name, lose what they may not, and get back what was lost."""

from __future__ import annotations

import pytest

from lcrag.evidence.provenance import carried
from lcrag.types import Passage

TEXTS = {
    3: "The light was lit in 1871. Old reports [12] say less.",
    5: "Its first keeper was Anna Holm. The lamp burned oil.",
}
READ = tuple(Passage(marker, "d", "a.md", 0, len(text), text, 9) for marker, text in TEXTS.items())
NOTES = ("The light was lit in 1871. [3]", "Its first keeper was Anna Holm. [5][3]\nThe lamp burned oil. [5]")


@pytest.mark.parametrize(
    ("written", "carried_on"),
    [
        ("The lamp burned oil. [5]", "The lamp burned oil. [5]"),
        ("The lamp burned oil [5]; it was lit in 1871 [3].\n", "The lamp burned oil [5]; it was lit in 1871 [3].\n"),
        ("The lamp burned oil.", "The lamp burned oil. [5]"),
        ("Its first keeper was Anna Holm.", "Its first keeper was Anna Holm. [5][3]"),
        ("The lamp burned oil. It was lit in 1871.", "The lamp burned oil. [5] It was lit in 1871. [3]"),
        ("The lamp burned oil. [99]", "The lamp burned oil. [5]"),
        ("The lamp burned oil. [5][99]", "The lamp burned oil. [5]"),
        ("It was lit in 1872. [7]", "It was lit in 1872."),
        ("Old reports [12] say less. [3]", "Old reports [12] say less. [3]"),
        ("Nothing of the kind.", "Nothing of the kind."),
        ("", ""),
    ],
)  # fmt: skip
def test_from_notes(written: str, carried_on: str) -> None:
    assert carried(written, (), NOTES, READ) == carried_on


def test_from_passages_and_never_by_the_marker_of_one_that_was_not_given() -> None:
    assert carried("The lamp burned oil. [3]", READ[1:], (), READ) == "The lamp burned oil. [5]"
    assert carried("The lamp burned oil.", READ[:1], (), READ) == "The lamp burned oil."
    assert carried("The lamp burned oil.", READ, (), READ) == "The lamp burned oil. [5]"
