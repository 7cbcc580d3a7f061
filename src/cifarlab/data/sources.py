"""A data set by what the user calls it: a name, or the path of a folder or an archive."""

from pathlib import Path
from typing import Any, Literal

from cifarlab.data.cifar.sets import open_cifar, open_cifar12, open_cifar_at
from cifarlab.data.digits import open_digits
from cifarlab.data.folder import no_such_path, open_pictures
from cifarlab.data.part import divided_name, part_of
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Source
from cifarlab.errors import UserError, printable
from cifarlab.files import one_line_errors

NAMES: tuple[tuple[str, str], ...] = (
    ("digits", "1,797 handwritten digits in 10 classes; they come with scikit-learn"),
    ("cifar10", "60,000 pictures in 10 classes; cifarlab data fetch cifar10"),
    ("cifar100", "60,000 pictures in 100 classes; cifarlab data fetch cifar100"),
    ("cifar12", "CIFAR-10 with the fish and flowers of CIFAR-100: 66,000 pictures; fetch both"),
)
"""The data sets that have a name, and what each is."""


def open_source(name: str, preparation: Preparation | None = None) -> Source:
    """The data set called ``name``: one of ``NAMES``, else a path. ``./digits`` is a path.

    A part of it is called ``NAME[TRAIN,TEST]``, see ``data.part``.

    Args:
        preparation: how pictures of the user's own are brought to one size; None for the usual way. Data
            sets that have a size keep it.

    Raises:
        UserError: there is no such data set, or it cannot be used; the message says what to do.
    """
    if not name:
        raise UserError(f"name a data set ({', '.join(_names())}), or the path of a folder or archive")
    if name in _names():
        return _open_named(name)
    path = Path(name)
    with one_line_errors(f"read {name}"):
        exists = path.exists()
    whole, part = divided_name(name)
    if not exists and part is not None:
        return part_of(open_source(whole, preparation), *part)
    if not exists:
        raise _no_such_data(path)
    return open_cifar_at(path) or open_pictures(path, preparation or Preparation())


def lasting_name(name: str) -> str:
    """What opens the same data set from any folder: paths become absolute, names stay; nothing is nothing."""
    if not name:
        return name
    whole, part = (name, None) if Path(name).exists() else divided_name(name)
    if part is not None:
        return f"{lasting_name(whole)}[{part[0]},{part[1]}]"
    return whole if whole in _names() else str(Path(whole).resolve())


def open_prepared(name: str, image_size: int | None, fit: Literal["crop", "stretch"] | None) -> Source:
    """The data set called ``name``, its pictures prepared as the user asked; None for the usual way.

    Raises:
        UserError: also where the data set has a size of its own and another one was asked for.
    """
    given = {"size": image_size, "fit": fit}
    chosen: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    source = open_source(name, Preparation(**chosen))
    size = source.description.image_size
    if image_size not in (None, size):
        raise UserError(f"{name} has {size} × {size} pixels; --image-size is for pictures of your own")
    return source


def _names() -> list[str]:
    return [known for known, _ in NAMES]


def _open_named(name: str) -> Source:
    match name:
        case "digits":
            return open_digits()
        case "cifar12":
            return open_cifar12()
        case _:
            return open_cifar(name)


def _no_such_data(path: Path) -> UserError:
    """The error for what is neither a name nor a path; CIFAR-10 is cifar10 in other clothes."""
    plain = "".join(letter for letter in str(path).lower() if letter.isalnum())
    if plain in _names():
        return UserError(f"there is no data set {printable(path)}; did you mean {plain}?")
    return no_such_path(path, names=_names())
