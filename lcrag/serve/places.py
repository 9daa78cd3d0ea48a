"""Where each of several servers on one machine computes: GPUs or processor cores of its own."""

from __future__ import annotations

import os
from typing import Final

from lcrag.backends.machine import GPUS
from lcrag.errors import InputError

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"


def on_gpus(replicas: int, each: int) -> list[dict[str, str]]:
    """The environment of each replica, which sees ``each`` GPUs and no others; a single one sees all.

    Raises InputError when there are fewer.
    """
    if replicas == 1:
        return [{}]
    visible = os.environ.get(VISIBLE)
    gpus = visible.split(",") if visible else [str(number) for number in range(len(list(GPUS.glob("*"))))]
    if len(gpus) < replicas * each:
        raise InputError(
            f"{replicas} replicas of {each} need {replicas * each} GPUs, and {len(gpus)} can be seen",
            hint=f"--replicas {max(1, len(gpus) // each)}, or name the GPUs: export {VISIBLE}=0,1,…",
        )
    return [{VISIBLE: ",".join(gpus[number * each : (number + 1) * each])} for number in range(replicas)]


def on_cores(replicas: int, each: int) -> list[dict[str, str]]:
    """The same for vLLM's CPU build, whose processes would otherwise all be bound to the same cores."""
    if replicas == 1:
        return [{}]
    threads = max(1, (os.cpu_count() or 1) // (replicas * each))
    return [{"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(threads)}] * replicas
