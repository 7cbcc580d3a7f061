"""The runs of a study before they are made, and what names each of them.

A run's identity is all that decides its numbers and nothing else: recipe, data, seed, protocol, first weights
and the version of the numerics; not the recipe's name, not the folder, not who asked for it.
"""

from dataclasses import dataclass

from cifarlab import run
from cifarlab.config import fingerprint
from cifarlab.data.split import DataDescription
from cifarlab.recipe import Protocols, Recipe
from cifarlab.runtime import NUMERICS_VERSION


@dataclass(frozen=True)
class PlannedRun:
    """One run of a study. Equal values are the same run, however often it is asked for."""

    recipe_name: str
    recipe: Recipe
    data: str
    """What ``open_source`` takes."""
    seed: int = 0
    protocols: Protocols = "C"
    after: "PlannedRun | None" = None
    """The run whose final weights are this one's first ones."""

    @property
    def title(self) -> str:
        """For messages and progress."""
        return f"{self.recipe_name}, seed {self.seed}, protocol {self.protocols}"


@dataclass(frozen=True)
class Identity:
    """All that decides the numbers of a run."""

    recipe: Recipe
    train_sha256: str
    test_sha256: str
    seed: int
    protocols: Protocols
    first_weights: str
    """SHA-256 of another run's weights and what was done with them; empty where they follow from the seed."""
    numerics: int

    @property
    def key(self) -> str:
        """64 hexadecimal digits."""
        return fingerprint(self)


def identity(planned: PlannedRun, data: DataDescription, weights_sha256: str | None) -> Identity:
    """What ``planned`` will be on ``data``; ``weights_sha256`` is that of the final weights of ``after``."""
    first = "" if weights_sha256 is None else f"{weights_sha256} kept all"
    return Identity(
        recipe=planned.recipe,
        train_sha256=data.train_sha256,
        test_sha256=data.test_sha256,
        seed=planned.seed,
        protocols=planned.protocols,
        first_weights=first,
        numerics=NUMERICS_VERSION,
    )


def identity_of(made: run.RunDescription) -> Identity:
    """That of a run that exists."""
    first = made.initial_weights
    return Identity(
        recipe=made.recipe,
        train_sha256=made.data.train_sha256,
        test_sha256=made.data.test_sha256,
        seed=made.seed,
        protocols=made.protocols,
        first_weights="" if first is None else f"{first.sha256} {first.head} {first.trained}",
        numerics=made.numerics,
    )


def folder_name(planned: PlannedRun, key: str) -> str:
    """The name of the run's folder: to be read by people, and different for different runs."""
    return f"{planned.recipe_name}-seed{planned.seed}-{key[:10]}"
