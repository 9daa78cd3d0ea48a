"""What one command line left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        (value,) = self.lines
        return value

    @property
    def lines(self) -> list[dict[str, Any]]:
        assert not self.out or self.out.endswith("\n")
        return [json.loads(line) for line in self.out.splitlines()]


Lcrag = Callable[..., Result]
