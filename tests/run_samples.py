"""The tiny run on the digits that the tests of a run's folder look at."""

from pathlib import Path

from cifarlab.augment import RandomCrop
from cifarlab.data.split import Source
from cifarlab.models import PlainCnn
from cifarlab.optim import Adam
from cifarlab.recipe import Recipe
from cifarlab.schedules import MultiStep
from cifarlab.train import train

RECIPE = Recipe(
    model=PlainCnn(widths=(4, 4, 8), batch_norm=True, dropout=(0.0, 0.1, 0.1)),
    augment=(RandomCrop(padding=2),),
    optimizer=Adam(lr=0.01),
    schedule=MultiStep(milestones=(1,), gamma=1000.0),
    epochs=2,
    batch_size=5,
    train_images=100,
)
"""The second epoch ruins what the first has learned, so that the best weights are not the last."""


def train_tiny(source: Source, folder: Path) -> Path:
    """A finished run in ``folder``."""
    train(RECIPE, source, folder, recipe_name="tiny", seed=3, device="cpu", protocols="B,C")
    return folder
