"""The images that a run was trained and judged on, opened again from what its folder says of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cifarlab import run
from cifarlab.data.batches import DeviceSplit, whole
from cifarlab.data.pictures import Preparation
from cifarlab.data.sources import open_source
from cifarlab.data.split import Source
from cifarlab.errors import UserError, printable
from cifarlab.job import divide
from cifarlab.recipe import judging_under
from cifarlab.run import RunDescription


@dataclass(frozen=True)
class OwnData:
    """The parts of a run's data on one device, none of them augmented."""

    training: DeviceSplit
    validation: DeviceSplit
    """Empty where nothing was held out."""
    test: DeviceSplit


def own_source(folder: Path, open_named: Callable[[str, Preparation], Source] = open_source) -> Source:
    """The data set of the finished run in ``folder``, which must not have changed since.

    Args:
        open_named: opens a data set by name, its pictures prepared as the run's were.

    Raises:
        UserError: no finished run, or its data are gone, changed, or not named.
    """
    name, description = run.read_result(folder).get("data_argument"), run.read_description(folder)
    if not isinstance(name, str) or not name:
        raise UserError(f"{printable(folder)} does not say what opens its data")
    source = open_named(name, description.data.preparation)
    check_data(source, description, folder, own=True)
    return source


def own_data(folder: Path, source: Source, device: torch.device) -> OwnData:
    """The parts of ``source``, the run's own, as the run in ``folder`` divided it."""
    description = run.read_description(folder)
    judging = judging_under(description.recipe, description.protocols)
    training, validation = divide(source, description, judging, device)
    return OwnData(training, validation, whole(source.read_test(), device))


def check_data(source: Source, description: RunDescription, folder: Path, *, own: bool) -> None:
    """Refuse data of other classes or sizes and, where the run's ``own`` are asked for, changed ones.

    Raises:
        UserError: they are refused; it says what differs.
    """
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
