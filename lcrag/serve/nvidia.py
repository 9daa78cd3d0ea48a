"""What NVIDIA's own tool says of the GPUs, without torch."""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

TIMEOUT: Final = 10.0
"""Seconds for nvidia-smi, which takes one or two where its daemon is not running."""


def nvidia_smi(fields: str, *formats: str) -> list[str]:
    """A line for each GPU with its ``fields``, with commas between them; none without the tool or without a GPU.

    Raises OSError or subprocess.TimeoutExpired for a tool that does not answer.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, f"--query-gpu={fields}", f"--format={','.join(('csv', 'noheader', *formats))}"]
    reply = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    return [line.strip() for line in reply.stdout.splitlines() if line.strip()] if reply.returncode == 0 else []
