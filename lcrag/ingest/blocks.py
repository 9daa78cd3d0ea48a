"""What readers of Word and of OpenDocument share: blocks, and what follows them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any


class BlockReader(ABC):
    """Reads the parts of one document. What is put into ``_after``, notes and text boxes, follows the block that it
    belongs to."""

    def __init__(self) -> None:
        self._after: list[str] = []

    @abstractmethod
    def blocks(self, parent: Any) -> Iterator[str]:
        """The paragraphs, lists and tables in an element."""

    def _waiting(self) -> list[str]:
        waiting, self._after = self._after, []
        return waiting

    def _inside(self, parent: Any) -> list[str]:
        """The blocks of a part within a paragraph or a cell."""
        outer, self._after = self._after, []
        blocks = list(self.blocks(parent))
        self._after = outer
        return blocks
