"""Everything that lcrag raises on purpose. Each class owns its exit code; the CLI only phrases.

    LcragError
    ├── InputError            2  wrong usage or input
    │   ├── NoSuchPath
    │   ├── NoReadableDocument
    │   ├── UnreadableFile
    │   ├── BadQuestions
    │   └── BadConfig
    ├── NotAvailable          3  not installed, or not running
    │   ├── NotInstalled
    │   ├── NotRunning
    │   └── IndexUnavailable
    │       ├── Busy
    │       └── Damaged
    ├── NoRoute               4  nothing fits
    │   ├── DoesNotFit
    │   └── OverBudget
    └── BackendFailed         5  after retries

``hint`` is the line to type, or what to change; "" when there is nothing to advise.
"""

from __future__ import annotations

from typing import Any, ClassVar


class LcragError(Exception):
    """``kind`` (the class's name) and ``exit_code`` are what scripts see."""

    exit_code: ClassVar[int] = 5

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """As any exception, but without a call of the class, which may want more than the message."""
        return _empty, (type(self), *self.args), vars(self)

    @property
    def kind(self) -> str:
        return type(self).__name__


def _empty(kind: type[LcragError], *args: object) -> LcragError:
    return kind.__new__(kind, *args)


class InputError(LcragError):
    """Wrong usage or input."""

    exit_code = 2


class NoSuchPath(InputError):
    """A path that is not there."""


class NoReadableDocument(InputError):
    """The paths hold nothing that lcrag can read."""


class UnreadableFile(InputError):
    """One file that cannot be read; the others can. The message is the reason, without the file's name."""


class BadQuestions(InputError):
    """A question file that cannot be read as one."""


class BadConfig(InputError):
    """A configuration file or option with a value that makes no sense."""


class NotAvailable(LcragError):
    """Something this call needs is not here."""

    exit_code = 3


class NotInstalled(NotAvailable):
    """A package or a model is missing."""


class NotRunning(NotAvailable):
    """A server is not reachable."""


class IndexUnavailable(NotAvailable):
    """The index cannot be opened, read or written: locked for too long, damaged, no space, no permission."""


class Busy(IndexUnavailable):
    """Another process has been writing the index for longer than we wait."""


class Damaged(IndexUnavailable):
    """The index is not a database, or its pages contradict each other. It holds nothing that cannot be built again."""


class NoRoute(LcragError):
    """No pipeline fits the window or the budgets."""

    exit_code = 4


class DoesNotFit(NoRoute):
    """A prompt of ``tokens`` tokens for a window of ``window``."""

    def __init__(self, message: str, *, tokens: int, window: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.tokens = tokens
        self.window = window


class OverBudget(NoRoute):
    """Every route costs more, or promises less, than the policy allows."""


class BackendFailed(LcragError):
    """The backend failed after retries.

    ``is_lost``: the server, and not what was asked of it, is at fault, so that another one may answer.
    """

    exit_code = 5

    def __init__(self, message: str, *, hint: str = "", is_lost: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.is_lost = is_lost
