"""What all rows of the comparison share: waiting for the device, spreads, and what the machine can do."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

Spread = dict[str, float]


def now(device: torch.device) -> float:
    """Seconds on a clock that is read when ``device`` has done all that it was asked to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def spread(values: Sequence[float]) -> Spread:
    """Minimum, median and maximum."""
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
    }


def ratios(ours: Sequence[float], others: Sequence[float]) -> Spread:
    """The spread of one rate over another, round by round."""
    return spread([mine / other for mine, other in zip(ours, others, strict=True)])


def matrix_rate(device: torch.device, precision: str, rounds: int = 7) -> float:
    """GFLOP/s of ``device`` in large matrix products, ``fp32`` as torch computes it or ``bf16``; the best."""
    size = 8192 if device.type == "cuda" else 2048
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    left @ right  # the first product also prepares the library
    seconds = []
    for _ in range(rounds):
        began = now(device)
        left @ right
        seconds.append(now(device) - began)
    return 2 * size**3 / min(seconds) / 1e9


def peak_memory(recipe_name: str, pictures: str, scratch: Path) -> float:
    """GiB at most of a process that opens the pictures from its cache and trains one short epoch on a CPU."""
    command = [sys.executable, "-m", "cifarlab", "train", recipe_name, "--data", pictures, "--device", "cpu"]
    command += ["--recipe.epochs", "1", "--recipe.train-images", "640"]
    peak = 0
    for turn in ("fill-the-cache", "measured"):
        process = subprocess.Popen([*command, "--out", str(scratch / turn)], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)  # of this process alone, unlike RUSAGE_CHILDREN
        if status:
            raise RuntimeError(f"{' '.join(command)} failed")
        peak = usage.ru_maxrss
    return peak / 2**20
