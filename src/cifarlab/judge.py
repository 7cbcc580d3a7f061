"""Evaluate a finished run again: on its own images or others, in the right mode or as published."""

from pathlib import Path
from typing import Any, Literal

from cifarlab import run
from cifarlab.data.batches import DeviceSplit, whole
from cifarlab.data.sources import open_source
from cifarlab.data.split import Source
from cifarlab.errors import UserError, printable
from cifarlab.evaluate import logits_in_mode, verdict
from cifarlab.job import divide
from cifarlab.recipe import EvaluationMode, Mode, judging_under
from cifarlab.runtime import device_named

Part = Literal["test", "validation", "train"]


def judge(
    folder: Path,
    *,
    data: str | None = None,
    part: Part = "test",
    mode: Literal["evaluation", "as-published"] = "evaluation",
    device: str = "auto",
) -> dict[str, Any]:
    """Accuracy, interval, per-class table, confusion matrix and calibration of the run in ``folder``.

    Args:
        data: a data set with the same classes; None for the run's own, which must not have changed.
        part: images of the test set, or the run's own validation or training part, not augmented.
        mode: ``as-published`` is the mode of the recipe's protocol A.

    Raises:
        UserError: no such run, the data are gone or changed, or the recipe has no such mode.
    """
    result, description = run.read_result(folder), run.read_description(folder)
    trained, network = run.load_network(folder)
    place = device_named(device)
    data_argument = data or result.get("data_argument")
    if not data_argument:
        raise UserError(f"{printable(folder)} does not say what opens its data; name them with --data")
    source = open_source(data_argument, description.data.preparation)
    _check_data(source, description, folder, own=data is None or part != "test")
    images = _images(source, description, part, place)
    logits = logits_in_mode(
        _mode(description, mode),
        network.to(place),
        images,
        trained.normalize,
        part=part,
        seed=description.seed,
        precision=description.recipe.precision,
    )
    labels = images.labels[images.indices].cpu()
    return {
        "run": str(folder),
        "data": source.description.name,
        "part": part,
        "mode": mode,
        "class_names": list(trained.class_names),
        **verdict(logits, labels, trained.class_names),
    }


def _images(source: Source, description: run.RunDescription, part: Part, device: Any) -> DeviceSplit:
    if part == "test":
        return whole(source.read_test(), device)
    training, validation = divide(
        source, description, judging_under(description.recipe, description.protocols), device
    )
    return training if part == "train" else validation


def _mode(description: run.RunDescription, mode: str) -> Mode:
    if mode == "evaluation":
        return EvaluationMode()
    return judging_under(description.recipe, "A").mode


def _check_data(source: Source, description: run.RunDescription, folder: Path, *, own: bool) -> None:
    """Refuse data of other classes or sizes and, where the run's ``own`` are asked for, changed ones."""
    found, wanted = source.description, description.data
    for field in ("class_names", "image_size"):
        if getattr(found, field) != getattr(wanted, field):
            raise UserError(
                f"{printable(found.name)} has other {field.replace('_', ' ')} than {printable(folder)}: "
                f"{printable(getattr(found, field))}, not {printable(getattr(wanted, field))}"
            )
    same = (found.train_sha256, found.test_sha256) == (wanted.train_sha256, wanted.test_sha256)
    if own and not same:
        raise UserError(
            f"{printable(found.name)} is not what {printable(folder)} was trained on, or has changed since; "
            "name the right data with --data"
        )
