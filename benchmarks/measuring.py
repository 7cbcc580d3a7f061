"""What rows of a comparison share: spreads, ratios round by round, and the peak of a training's memory."""

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

Spread = dict[str, float]


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
