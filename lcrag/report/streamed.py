"""An answer that is written while it comes: what has been written cannot be taken back, only followed."""

from __future__ import annotations

from lcrag.report.terminal import printable
from lcrag.types import Event


class Streamed:
    """What was written so far of the answer that comes; both methods return what to write now."""

    def __init__(self) -> None:
        self.text = ""

    def event(self, event: Event) -> str:
        """The next piece of the answer; a gap when another answer follows."""
        if event.kind == "escalate" and self.text:
            self.text = ""
            return "\n\n"
        if event.kind != "token":
            return ""
        self.text += event.data["text"]
        return printable(event.data["text"])

    def rest(self, whole: str) -> str:
        """What is left of the whole answer; all of it, after a gap, if it was corrected since."""
        gap = "" if whole.startswith(self.text) else "\n\n"
        written, self.text = ("", whole) if gap else (self.text, whole)
        return gap + printable(whole[len(written) :].rstrip())
