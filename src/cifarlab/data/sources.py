"""A data set by what the user calls it: a name, or the path of a folder or an archive."""

from pathlib import Path

from cifarlab.data.digits import open_digits
from cifarlab.data.folder import no_such_path, open_pictures
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Source
from cifarlab.errors import UserError
from cifarlab.files import one_line_errors

NAMES: tuple[tuple[str, str], ...] = (
    ("digits", "1,797 handwritten digits in 10 classes; they come with scikit-learn"),
)
"""The data sets that have a name, and what each is."""

_NOT_BY_NAME = ("cifar10", "cifar100")


def open_source(name: str, preparation: Preparation | None = None) -> Source:
    """The data set called ``name``: one of ``NAMES``, else a path. ``./digits`` is a path.

    Args:
        preparation: how pictures of the user's own are brought to one size; None for the usual way.

    Raises:
        UserError: there is no such data set, or it cannot be used; the message says what to do.
    """
    if not name:
        raise UserError("name a data set: digits, or the path of a folder or archive of pictures")
    if name == "digits":
        return _as_it_is(open_digits(), preparation)
    path = Path(name)
    with one_line_errors(f"read {name}"):
        exists = path.exists()
    if exists:
        return open_pictures(path, preparation or Preparation())
    if name.lower().replace("-", "") in _NOT_BY_NAME:
        raise UserError(
            f"{name} is not offered by name yet; give the path of a folder or tar archive of its pictures "
            "with one sub-folder per class"
        )
    raise no_such_path(path, names=[known for known, _ in NAMES])


def _as_it_is(source: Source, preparation: Preparation | None) -> Source:
    """A source whose images have their size; to ask for another one is refused."""
    size = source.description.image_size
    if preparation is not None and preparation.size != size:
        raise UserError(
            f"{source.description.name} has {size} × {size} pixels; another --image-size is for pictures of "
            "your own"
        )
    return source
