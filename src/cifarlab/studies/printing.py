"""How a study's quantities are written for people: percent, counts, seconds, points."""

from pathlib import PurePath

from cifarlab.studies.table import Estimate, Provenance, Published, Quantity

MISSING = "–"
NAMES: dict[Quantity, str] = {
    "test_accuracy": "test accuracy",
    "val_accuracy": "validation accuracy",
    "train_accuracy": "training accuracy",
    "best_test_accuracy": "best test accuracy",
    "val_loss": "validation loss",
    "best_epoch": "best epoch",
    "parameters": "parameters",
    "trainable_parameters": "trainable parameters",
    "statistics": "BatchNorm statistics",
    "training_seconds": "training time",
    "seconds_per_epoch": "time per epoch",
    "train_inference_seconds": "inference, training set",
    "test_inference_seconds": "inference, test set",
    "difference": "difference",
    "ratio": "ratio",
}
"""Every quantity in words."""

ORIGINS: dict[Provenance, str] = {
    "published": "",
    "public code": "public code",
    "computed": "computed by us",
    "ours": "ours",
}
"""What a number that the report does not state is marked with."""

COUNTS: tuple[Quantity, ...] = ("parameters", "trainable_parameters", "statistics", "best_epoch")
SECONDS: tuple[Quantity, ...] = (
    "training_seconds",
    "seconds_per_epoch",
    "train_inference_seconds",
    "test_inference_seconds",
)


def entry_name(quantity: Quantity, protocol: str) -> str:
    """A quantity and how its epoch was chosen: ``test accuracy, protocol A``."""
    if (quantity, protocol) == ("difference", "B"):
        return "optimism: protocol B − C"
    after = {"": "", "last": ", last epoch"}.get(protocol, f", protocol {protocol}")
    return f"{NAMES[quantity]}{after}"


def number_text(quantity: Quantity, value: float) -> str:
    """``value`` without its unit, as precise as the quantity is worth."""
    if quantity.endswith("accuracy"):
        return f"{100 * value:.2f}"
    if quantity == "ratio":
        return f"{100 * value:.1f}".replace("-", "\N{MINUS SIGN}")
    if quantity == "difference":
        return f"{100 * value:+.2f}".replace("-", "\N{MINUS SIGN}")
    if quantity in COUNTS:
        return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"
    if quantity in SECONDS:
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:.4g}"


def unit_text(quantity: Quantity) -> str:
    """What stands behind the number, with the space before it where there is one."""
    if quantity.endswith("accuracy") or quantity == "ratio":
        return "%"
    if quantity == "difference":
        return " points"
    return " s" if quantity in SECONDS else ""


def value_text(quantity: Quantity, value: float) -> str:
    """0.9201 of an accuracy → ``92.01%``; 396810 parameters → ``396,810``."""
    return f"{number_text(quantity, value)}{unit_text(quantity)}"


def interval_text(quantity: Quantity, bounds: tuple[float, float] | None) -> str:
    """(0.915, 0.925) of an accuracy → ``91.50–92.50%``; a dash where there is no interval.

    What no accuracy can be is cut off: few runs give intervals that reach below 0 or above 100%.
    """
    if bounds is None:
        return MISSING
    if quantity.endswith("accuracy"):
        bounds = (max(0.0, bounds[0]), min(1.0, bounds[1]))
    elif quantity == "ratio":  # a share that is saved is below 0 where ours takes more
        bounds = (bounds[0], min(1.0, bounds[1]))
    dash = " to " if quantity == "difference" else "–"  # between signs a dash would read as a minus
    return f"{number_text(quantity, bounds[0])}{dash}{value_text(quantity, bounds[1])}"


def estimate_text(quantity: Quantity, ours: Estimate | None) -> str:
    """Mean ± sample standard deviation: ``92.01 ± 0.14%``; the value alone for one run."""
    if ours is None:
        return MISSING
    if ours.deviation is None:
        return value_text(quantity, ours.mean)
    deviation = number_text(quantity, ours.deviation).removeprefix("+")
    return f"{number_text(quantity, ours.mean)} ± {deviation}{unit_text(quantity)}"


def origin_text(published: Published | None) -> str:
    """Who says a number, where it is not the report itself: ``computed by us``; else empty."""
    return "" if published is None else ORIGINS[published.provenance]


def data_text(data: str) -> str:
    """A data set as the reader knows it: of a path the last part alone."""
    return PurePath(data).name or data
