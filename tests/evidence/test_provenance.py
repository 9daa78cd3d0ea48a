"""Notes keep the markers they may name, lose the others, and get back those that were lost."""

from __future__ import annotations

import pytest

from lcrag.evidence.provenance import restore_markers
from lcrag.types import Passage

TEXTS = {
    3: "The light was lit in 1871. Old reports [12] say less.",
    5: "Its first keeper was Anna Holm. The lamp burned oil.",
}
READ = tuple(Passage(marker, "d", "a.md", 0, len(text), text, 9) for marker, text in TEXTS.items())
NOTES = ("The light was lit in 1871. [3]", "Its first keeper was Anna Holm. [5][3]\nThe lamp burned oil. [5]")


@pytest.mark.parametrize(
    ("written", "restored"),
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
def test_restore_markers_corrects_those_of_notes(written: str, restored: str) -> None:
    assert restore_markers(written, (), NOTES, READ) == restored


def test_restore_markers_names_only_the_passages_given() -> None:
    assert restore_markers("The lamp burned oil. [3]", READ[1:], (), READ) == "The lamp burned oil. [5]"
    assert restore_markers("The lamp burned oil.", READ[:1], (), READ) == "The lamp burned oil."
    assert restore_markers("The lamp burned oil.", READ, (), READ) == "The lamp burned oil. [5]"
