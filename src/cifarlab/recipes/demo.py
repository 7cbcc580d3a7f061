"""The recipe of ``make demo``."""

from cifarlab.augment import RandomCrop, Rotation
from cifarlab.models import PlainCnn
from cifarlab.optim import Adam
from cifarlab.recipe import Recipe
from cifarlab.recipes.named import named
from cifarlab.schedules import MultiStep


def demo() -> Recipe:
    """A narrow plain CNN on scikit-learn's digits; at least 98 % right on the test set in a minute or two."""
    return Recipe(
        model=PlainCnn(widths=(16, 32, 64), batch_norm=True, dropout=(0.0, 0.1, 0.2)),
        augment=(RandomCrop(padding=3), Rotation(degrees=10.0)),
        optimizer=Adam(lr=0.003),
        schedule=MultiStep(milestones=(12, 16), gamma=0.2),
        epochs=20,
        batch_size=64,
    )


RECIPES = {"demo": named(demo, None, "digits")}
