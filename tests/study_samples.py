"""Small studies on the digits, which every process can open by name."""

from dataclasses import replace
from pathlib import Path

import pytest

from cifarlab import run
from cifarlab.data.holdout import Fraction
from cifarlab.models import PlainCnn
from cifarlab.optim import Adam
from cifarlab.parameter_statistics import PARAMETERS
from cifarlab.recipe import Judging, Recipe
from cifarlab.studies.items import ITEMS, item_named
from cifarlab.studies.plan import PlannedRun
from cifarlab.studies.progress_display import SilentStudy, StudyState
from support import outcome

RECIPE = Recipe(
    model=PlainCnn(widths=(4, 4, 8), batch_norm=True, dropout=(0.0, 0.1, 0.1)),
    optimizer=Adam(lr=0.01),
    epochs=2,
    batch_size=10,
    train_images=60,
    judging=Judging(Fraction(0.05)),
)
EXPECTED_FILES = {".lock", run.RECIPE, run.METRICS, run.RESULT, run.WEIGHTS, run.TEST_LOGITS, PARAMETERS}


def withhold(patch: pytest.MonkeyPatch, report: str, name: str, reason: str) -> None:
    """Let an item be one that is not offered; all are at present."""
    patch.setitem(ITEMS[report], name, replace(item_named(report, name), not_offered=reason))


def planned(seed: int = 0, *, epochs: int = 2, lr: float = 0.01, name: str = "tiny") -> PlannedRun:
    """One run of about a fifth of a second."""
    return PlannedRun(name, replace(RECIPE, epochs=epochs, optimizer=Adam(lr=lr)), "digits", seed)


def small_study(epochs: int = 2) -> list[PlannedRun]:
    """Two recipes, two seeds, and one that goes on from the first."""
    runs = [planned(seed, epochs=epochs, lr=lr) for lr in (0.01, 0.002) for seed in (0, 1)]
    return [*runs, replace(planned(5, epochs=epochs), after=runs[0])]


class StudyRecorder(SilentStudy):
    """A display that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.states: list[StudyState] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def show(self, state: StudyState) -> None:
        self.states.append(state)


def results_of(runs: Path) -> dict[str, object]:
    """All that two equal studies have in common, by folder; every folder must be whole and tidy."""
    found: dict[str, object] = {}
    for folder in sorted(runs.iterdir()):
        assert {path.name for path in folder.iterdir()} == EXPECTED_FILES
        found[folder.name] = outcome(folder)
    return found


def made_times(runs: Path) -> dict[str, tuple[int, int]]:
    """When each finished run was finished: what is made again would show."""
    endings = ((path, path.stat()) for path in runs.glob(f"*/{run.RESULT}"))
    return {path.parent.name: (stat.st_mtime_ns, stat.st_ino) for path, stat in endings}
