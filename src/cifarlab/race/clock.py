"""What the race's clock reads."""

import time

import torch

from cifarlab.runtime import wait_for

AT_WORK_SECONDS = 0.5
"""Of large products before a run; a GPU's clock has risen by then."""


def put_to_work(device: torch.device) -> None:
    """Let a GPU compute for a moment: one that has idled is slow at first, and no run should begin so."""
    if device.type != "cuda":
        return
    matrix = torch.zeros(4096, 4096, dtype=torch.bfloat16, device=device)
    until = time.perf_counter() + AT_WORK_SECONDS
    while now(device) < until:
        matrix @ matrix


def now(device: torch.device) -> float:
    """Seconds on a clock that is read when ``device`` has done all that it was asked to do."""
    wait_for(device)
    return time.perf_counter()
