"""What a study found, as plain values: the content of ``table.json``.

Accuracies are fractions (0 … 1) and differences of them too; only texts and pages show percent and points.
"""

from dataclasses import dataclass
from typing import Literal

from cifarlab.runtime import NUMERICS_VERSION

Provenance = Literal["published", "public code", "computed", "ours"]
Verdict = Literal["reproduced", "higher", "lower", "underpowered", "not identifiable", "not comparable"]
Quantity = Literal[
    "test_accuracy",
    "val_accuracy",
    "train_accuracy",
    "best_test_accuracy",
    "val_loss",
    "best_epoch",
    "parameters",
    "trainable_parameters",
    "statistics",
    "training_seconds",
    "seconds_per_epoch",
    "train_inference_seconds",
    "test_inference_seconds",
    "difference",
    "ratio",
]


@dataclass(frozen=True)
class Published:
    """A number that a report states."""

    quantity: Quantity
    value: float
    """In units of the quantity: fractions, seconds, counts."""
    text: str
    """As it is printed, such as ``92.01 %``."""
    where: str
    """Such as ``report 000, table 1``."""
    provenance: Provenance = "published"
    tolerance: float = 0.0
    """Half a unit of its last printed digit."""
    erratum: str = ""
    """What is wrong with it, and how we read it; empty where nothing is."""


@dataclass(frozen=True)
class Estimate:
    """A quantity measured once per seed."""

    values: tuple[float, ...]
    mean: float
    deviation: float | None = None
    """Sample standard deviation (n − 1); None for one value."""
    interval: tuple[float, float] | None = None
    """The 95 % t interval of the mean; None for one value."""
    prediction: tuple[float, float] | None = None
    """Where one more run would lie with 95 %: mean ± t · deviation · √(1 + 1/n); None for one value."""


@dataclass(frozen=True)
class Entry:
    """One quantity of one row: theirs beside ours."""

    quantity: Quantity
    protocol: Literal["A", "B", "C", "last", ""]
    """How the epoch was chosen and judged; empty for what does not depend on it (parameters, seconds)."""
    ours: Estimate | None
    published: Published | None = None
    verdict: Verdict | None = None
    """None where the report gives no number."""
    reason: str = ""
    """Why this verdict, in words."""


@dataclass(frozen=True)
class Row:
    """One variant of the study."""

    label: str
    recipe: str
    """The recipe's name."""
    entries: tuple[Entry, ...]
    runs: tuple[str, ...] = ()
    """Folders of the runs, one per seed, beside one another in the folder of runs; those under protocols C
    and B where the row has both kinds."""
    published_runs: tuple[str, ...] = ()
    """Folders of the runs under protocol A."""
    failures: tuple[str, ...] = ()
    """Runs that diverged or could not be made, with the reason."""
    parameters: int | None = None
    """Trainable ones and statistics."""
    forward_flops: float | None = None
    """Per image."""
    training_flops: float | None = None
    """Mean over seeds, as for ``training_seconds``."""
    training_seconds: float | None = None
    zero_activations: float | None = None
    """Share of zeros among the outputs of the activation functions, where the item asks for it."""
    on_pareto_front: bool = False
    """No other row has a better accuracy (C) for at most the same training FLOPs."""

    def entry(self, quantity: Quantity, protocol: str) -> Entry | None:
        """The entry of that quantity under that protocol, if there is one."""
        return next((e for e in self.entries if (e.quantity, e.protocol) == (quantity, protocol)), None)


@dataclass(frozen=True)
class Comparison:
    """Two rows on the same test images, over the same seeds."""

    first: str
    second: str
    difference: float
    """Mean accuracy of ``first`` minus that of ``second``."""
    interval: tuple[float, float] | None
    """The 95 % t interval of the difference, paired over seeds; None for one seed, or where every seed gives
    the same difference."""
    p_seeds: float | None
    """Of the paired t test over seeds: would other seeds show it again? None without an interval."""
    p_images: float
    """Of McNemar's exact test on the test images, for the first seed: does it hold beyond these images?"""
    p_seeds_holm: float | None = None
    """Both after Holm's correction across all comparisons of the study."""
    p_images_holm: float = 1.0


@dataclass(frozen=True)
class Claim:
    """A statement of the report that is judged by a difference or ratio between rows."""

    text: str
    where: str
    measured: str
    """What was compared, in words."""
    ours: Estimate | None
    published: Published | None
    """None where the report gives a direction and no number."""
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Machine:
    """Where the runs were made."""

    hardware: str
    versions: str


@dataclass(frozen=True)
class ItemTable:
    """One table or figure of a report, reproduced."""

    report: str
    item: str
    title: str
    question: str
    """What the item asks, in a sentence."""
    scale: Literal["smoke", "short", "full", "own"]
    scale_note: str
    """What was shortened and how; empty at full scale."""
    seeds: tuple[int, ...]
    data: str
    """The data set as it was named."""
    official_data: bool
    """Whether it is the data set of the report itself."""
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...] = ()
    claims: tuple[Claim, ...] = ()
    machines: tuple[Machine, ...] = ()
    assumptions: tuple[str, ...] = ()
    """Choices of ours that were used where the report is silent."""
    errata: tuple[str, ...] = ()
    command: str = ""
    figures: tuple[str, ...] = ()
    """Names of the figures that belong to it, see ``cifarlab.report.lab``."""
    numerics: int = NUMERICS_VERSION
    """Of the arithmetic; a table of another version is to be made again."""
    schema: int = 1
