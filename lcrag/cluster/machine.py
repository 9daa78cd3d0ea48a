"""What must be the same on all machines of a cluster, so that the results are."""

from __future__ import annotations

import os

import lcrag
from lcrag.text.tokens import tokenizer_name


def state(path: str | None) -> dict[str, str]:
    """Of this machine: its lcrag, how it counts tokens, and the size in bytes of the file ``path``, if one is named."""
    found = {"lcrag": lcrag.__version__, "token counts": tokenizer_name()}
    if path is not None:
        try:
            found["size of file"] = f"{path}: {os.stat(path).st_size}"
        except OSError as error:
            found["size of file"] = f"{path}: {error.strerror}"
    return found
