"""What a server's refusal of a request says: the field that it does not take, or that the prompt is too long.

Servers differ in what they take beyond the messages. None says so beforehand, so each field is left out when the
server's words name it. The wordings are those of vLLM, SGLang, llama.cpp, llama-cpp-python, Ollama, LM Studio, TGI,
OpenAI, Anthropic and xAI.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_TOO_LONG = re.compile(
    r"context[_ ](?:length|size|window|limit)|maximum (?:model|prompt) length|max_model_len|exceed_context_size"
    r"|n_ctx\b|prompt is too long|input is too long|exceeds? the configured limit|maximum input length"
    r"|`inputs` tokens \+ `max_new_tokens`|range of input length|payload too large|request entity too large",
    re.IGNORECASE,
)
_WINDOW = re.compile(
    r"(?:context[_ ](?:length|size|window|limit)|maximum (?:model|prompt) length|configured limit|n_ctx|must be <=)"
    r"(?:[\s\"':=(]|\bis\b|\bof\b|\bonly\b|\bwindow\b|\btokens\b)*([\d][\d,_]*)"
    r"|> ([\d][\d,_]*) maximum"
    r"|exceed context limit: [\d,_]+ \+ [\d,_]+ > ([\d][\d,_]*)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])(\d[\d,_]*)(?![\w.]*\s*characters)")

MAX_WINDOW: Final = 100_000_000

_UNKNOWN_FIELD = re.compile(
    r"(?:un|not )(?:recogni[sz]ed|known|supported|expected|permitted|allowed)|extra (?:inputs|fields|parameters)"
    r"|invalid (?:param|argument|field|input|request|key|property|option)",
    re.IGNORECASE,
)

SYSTEM: Final = "system"
ANY_OF: Final = ("structured_outputs", "logprobs", "response_format", "stream_options", "seed")
"""What a refusal of fields in general may mean."""
_FIELDS: Final[Mapping[str, re.Pattern[str]]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "structured_outputs": r"structured|guided|grammar|regex",
        "logprobs": r"logprobs",
        "response_format": r"response_?format|json_?schema|structured|guided|grammar",
        "stream_options": r"stream_?options|include_usage",
        "seed": r"\bseed\b",
        "max_tokens": r"\bmax_(?:completion_)?tokens\b",
        "temperature": r"\btemperature\b",
        SYSTEM: r"\bsystem\b[\s_'\"-]*(?:role|messages?|prompts?|instructions?)|role\W{0,4}system|roles? must alternate"
        r"|only \W*user\W* and \W*(?:assistant|model)|developer instruction|\broles?\b.{0,60}\bsystem\b",
        "stream": r"\bstream(?:ing)?\b(?!_)",
    }.items()
}
"""What a request can do without, by the words that name it; the least missed come first. ``SYSTEM``: the role."""


def refused_field(message: str, sent: Mapping[str, Any]) -> str | None:
    """The field of the request ``sent`` that a refusal names; None when it names none.

    A refusal of fields in general ("extra inputs are not permitted") means the first that can be missed.
    """
    optional = [name for name in _FIELDS if (name in sent if name != SYSTEM else _has_system(sent))]
    named = [name for name in optional if _FIELDS[name].search(message)]
    if named or not _UNKNOWN_FIELD.search(message):
        return named[0] if named else None
    return next((name for name in optional if name in ANY_OF), None)


def names_system_role(message: str) -> bool:
    """Whether a fault is that of a template without a system role: llama.cpp reports it as one of its own, 500."""
    return _FIELDS[SYSTEM].search(message) is not None


def is_too_long(message: str) -> bool:
    """Whether a refusal says that the prompt is longer than the window."""
    return _TOO_LONG.search(message) is not None


def window_and_tokens(message: str) -> tuple[int | None, int | None]:
    """The window that a refusal names, and the tokens of the request; None for what it does not say."""
    match = _WINDOW.search(message)
    window = _number(next(group for group in match.groups() if group)) if match else None
    if window is None:
        return None, None
    numbers = [_number(number) for number in _NUMBER.findall(message)]
    return window, max((number for number in numbers if number and number > window), default=None)


def fold_system(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """The messages with the system message put in front of the user's, for a template without a system role."""
    system, user = messages
    return [{"role": "user", "content": f"{system['content']}\n\n{user['content']}"}]


def error_text(body: str) -> str:
    """What an error reply says about itself on one line; its first line if it is not JSON."""
    try:
        return words_of(json.loads(body))
    except (ValueError, RecursionError):
        return body.strip().split("\n")[0]


def words_of(value: Any) -> str:
    """All that an error object says about itself, on one line: message, code, parameter."""
    return " ".join(_words(value, 0)) or "no reason given"


def _words(value: Any, depth: int) -> list[str]:
    """The texts of an error object, without what it repeats of the request (``input`` of FastAPI's)."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and depth < 6:
        return [word for part in value[:20] for word in _words(part, depth + 1)]
    if not isinstance(value, dict) or depth >= 6:
        return []
    numbers = [f"({name}: {value[name]})" for name in ("n_prompt_tokens", "n_ctx") if isinstance(value.get(name), int)]
    parts = [_words(value[name], depth + 1) for name in _SAYING if name in value]
    return [word for words in parts for word in words] + numbers


_SAYING: Final = ("error", "errors", "detail", "message", "msg", "loc", "param", "code", "metadata", "raw")


def _has_system(sent: Mapping[str, Any]) -> bool:
    return any(message["role"] == "system" for message in sent.get("messages", ()))


def _number(text: str) -> int | None:
    digits = text.replace(",", "").replace("_", "")
    return int(digits) if 0 < len(digits) < 12 and 0 < int(digits) <= MAX_WINDOW else None
