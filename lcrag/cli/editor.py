"""A question written in the user's editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from lcrag.errors import InputError
from lcrag.ingest.text import decode

TEMPLATE: Final = """
# Write your question above. Lines that begin with # are left out; an empty question is not asked.
"""


def question_from_editor() -> str:
    """What is written in ``$VISUAL``, else ``$EDITOR``, else vi.

    Raises InputError when there is no such editor, when it fails, and when nothing was written.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="lcrag-") as folder:
        file = Path(folder) / "question.md"
        file.write_text(TEMPLATE, encoding="utf-8")
        try:
            code = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode
            written = decode(file.read_bytes())
        except (OSError, ValueError) as error:  # no such program; a quote in $EDITOR that is not closed
            raise InputError(f"the editor {editor} does not start: {error}", hint="export EDITOR=nano") from error
    if code:
        raise InputError(f"the editor {editor} ended with code {code}: nothing is asked", hint="export EDITOR=nano")
    question = "\n".join(line for line in written.splitlines() if not line.startswith("#")).strip()
    if not question:
        raise InputError("the question is empty", hint="write it above the lines that begin with #")
    return question
