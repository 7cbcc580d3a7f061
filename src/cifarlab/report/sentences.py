"""What the numbers mean, in whole sentences: which epoch was kept and by what, and what is uncertain."""

from cifarlab.report import words
from cifarlab.report.run_folder import RunFiles

# What may choose the epoch, as `select_by` names it.
SELECTION = {
    "val_accuracy": "the highest validation accuracy",
    "val_balanced_accuracy": "the highest balanced validation accuracy (each class counts alike)",
    "val_loss": "the lowest validation loss",
    "test_accuracy": "the highest test accuracy",
    "test_loss": "the lowest test loss",
    "last": "a rule set beforehand: always the last epoch",
}


def uncertainty(run: RunFiles) -> str:
    """What the interval covers and what it leaves out."""
    result = run.result
    images = words.count(result.test_images)
    low, high = map(words.percent, result.interval)
    return (
        f"With 95% confidence the accuracy of these very weights on pictures like the {images} test images "
        f"lies between {low} and {high} (Wilson interval). That covers the luck of which images are in the "
        f"test set, and nothing else: this is one training run{_with_seed(run)}, and how far another seed "
        "would land is not in the interval."
        + (" Nor is what choosing the epoch on these same images gained." if chosen_on_test(run) else "")
    )


def selection(run: RunFiles) -> str:
    """Which epoch's weights were judged, what chose them, and when the test set was looked at."""
    result = run.result
    kept = f"The weights of epoch {result.best_epoch}" if result.best_epoch else "The weights judged here"
    of_all = f" of {result.last_epoch}" if result.best_epoch and result.last_epoch else ""
    rule = SELECTION.get(result.select_by, result.select_by or "a rule that was not recorded")
    where = ""
    if result.select_by.startswith("val") and result.val_images:
        where = f" on {words.count(result.val_images)} images held out of the training set"
    chosen = f"{kept}{of_all} were chosen by {rule}{where}."
    if _is_as_published(run):
        return f"{chosen} Training set, choice and evaluation follow the published report."
    if _is_also_best_on_test(run):
        return (
            f"{chosen} The test set had no part in that choice; because protocol B was asked for as well, it "
            "was also measured after every epoch, for the comparison below only."
        )
    return f"{chosen} The test set was opened once, after that choice, to measure the number above."


def as_published_warning(run: RunFiles) -> str | None:
    """The banner of protocol A, whose number must not be read beside those of protocol C."""
    if not _is_as_published(run):
        return None
    message = (
        "This number was obtained the way the original report obtained its own, so that the two can be "
        "compared. Do not put it beside numbers of protocol C, where the test set is opened once."
    )
    if chosen_on_test(run):
        message += " The epoch was chosen on the test set itself, so the accuracy is optimistic."
    return message


def mode_warning(run: RunFiles) -> str | None:
    """What it means that the network was not switched to evaluation, where a report did so."""
    if not run.result.evaluation_mode.startswith("TrainingMode"):
        return None
    return (
        "The network was judged in training mode: dropout stays on, and batch normalization uses the "
        "statistics of the very batch that it judges, so the number depends on the size of the batches "
        f"({run.result.evaluation_mode})."
    )


def optimism(run: RunFiles) -> str | None:
    """Protocol B beside C: what choosing the epoch on the test set would have gained."""
    best, result = run.result.best_on_test, run.result
    if best is None or best.test_accuracy is None:
        return None
    without = result.test_accuracy_without_views  # epochs are judged without views
    gain = words.points(best.test_accuracy - (result.test_accuracy if without is None else without))
    both = "" if without is None else " (both without test-time views)"
    return (
        f"Had the epoch been chosen on the test set itself (protocol B), the report would say "
        f"{words.percent(best.test_accuracy)} (epoch {best.epoch}). The difference{both}, {gain}, is the "
        "optimism of choosing on the test set; it is shown to be known, not to be claimed."
    )


def calibration_reading(run: RunFiles) -> str | None:
    """How to read the reliability diagram, with this run's expected calibration error."""
    calibration = run.result.calibration
    if calibration is None:
        return None
    filled = [
        item for item in calibration.bins if item.count and None not in (item.accuracy, item.confidence)
    ]
    surplus = sum(item.count * ((item.confidence or 0) - (item.accuracy or 0)) for item in filled)
    images = sum(item.count for item in filled)
    if abs(surplus) < 0.005 * images:
        balance = "On the whole the network claims about as much as it delivers."
    else:
        leaning = "more" if surplus > 0 else "less"
        balance = f"On the whole the network claims {leaning} than it delivers."
    return (
        "A point on the diagonal is a group of images on which the network is right exactly as often as its "
        "confidence says; below the diagonal it is too sure of itself, above it too modest. The expected "
        f"calibration error (ECE) is the mean distance to the diagonal, weighted by the images in each bin: "
        f"{words.percent(calibration.error)} here. {balance} "
        "Points that stand for few images (lower panel) scatter by chance."
    )


def chosen_on_test(run: RunFiles) -> bool:
    """Whether the test images themselves chose the epoch, so that the accuracy on them flatters."""
    return run.result.select_by.startswith("test")


def _with_seed(run: RunFiles) -> str:
    return f" (seed {run.seed})" if run.seed is not None else ""


def _is_as_published(run: RunFiles) -> bool:
    return "A" in run.protocols.split(",")


def _is_also_best_on_test(run: RunFiles) -> bool:
    return "B" in run.protocols.split(",")
