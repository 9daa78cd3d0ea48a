"""Errors as a program on the other side of HTTP gets them: a status, and a body in the shape that its API has."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from lcrag.errors import (
    BackendFailed,
    InputError,
    LcragError,
    NoReadableDocument,
    NoRoute,
    NoSuchPath,
    NotAvailable,
)
from lcrag.report.objects import dumps, error_object
from lcrag.web.pool import OverTime, TooBusy

_log = logging.getLogger("lcrag")

STATUSES: Final[tuple[tuple[type[LcragError], int], ...]] = (
    (TooBusy, 429),
    (OverTime, 504),
    (NoSuchPath, 404),
    (NoReadableDocument, 503),
    (InputError, 400),
    (NotAvailable, 503),
    (NoRoute, 422),
    (BackendFailed, 502),
)
"""The first kind that an error is decides."""
FAULT: Final = 70
"""The exit code of a fault in lcrag itself."""


@dataclass(frozen=True, slots=True)
class Failure:
    """``code``: lcrag's exit code of the same error; ``reason``: OpenAI's name of it, where it has one."""

    status: int
    code: int
    kind: str
    message: str
    hint: str = ""
    retry_after: int | None = None
    reason: str | None = None

    def body(self, path: str) -> dict[str, Any]:
        """OpenAI's shape under /v1, elsewhere ``lcrag.error/1``."""
        return {"error": self.openai()} if path.startswith("/v1/") else self.lcrag()

    def lcrag(self) -> dict[str, Any]:
        return error_object(self.code, self.kind, self.message, self.hint)

    def openai(self) -> dict[str, Any]:
        """As OpenAI's clients read it. The hint is part of the message: they show nothing else."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        message = f"{self.message}: {self.hint}" if self.hint else self.message
        return {"message": message, "type": kind, "param": None, "code": self.reason or self.kind}

    def response(self, path: str) -> Response:
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return Json(self.body(path), self.status, headers)


def refusal(status: int, message: str, hint: str = "", reason: str | None = None) -> Failure:
    """The request is at fault."""
    return Failure(status, InputError.exit_code, "InputError", message, hint, reason=reason)


def failure_of(error: BaseException) -> Failure:
    """An error as a failure. One that lcrag did not raise on purpose is logged and reported without its text."""
    if not isinstance(error, LcragError):
        _log.error("a fault in lcrag", exc_info=error)
        return Failure(500, FAULT, type(error).__name__, "this is a fault in lcrag; its log says more")
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
    retry_after = error.retry_after if isinstance(error, TooBusy) else None
    return Failure(status, error.exit_code, error.kind, str(error), error.hint, retry_after)


class Json(JSONResponse):
    """JSON as lcrag writes it everywhere: whatever documents hold, it is valid UTF-8."""

    def render(self, content: Any) -> bytes:
        return dumps(content).encode()
