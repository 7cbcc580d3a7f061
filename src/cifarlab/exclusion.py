"""A list of test images that are better left out of an accuracy: ``exclude.json``, as an audit writes it."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cifarlab.config import from_json, to_json
from cifarlab.errors import UserError, printable
from cifarlab.files import one_line_errors, read_json, write_json

FILE_NAME = "exclude.json"
SCHEMA_VERSION = 1
_LARGEST_FILE = 64 * 2**20


@dataclass(frozen=True)
class Partner:
    """The image that an excluded one repeats."""

    half: Literal["train", "test"]
    index: int
    name: str


@dataclass(frozen=True)
class ExcludedImage:
    """A test image and why it is left out."""

    index: int
    """In the test set, from 0."""
    name: str
    reason: Literal["exact", "mirrored", "near"]
    """How it repeats ``partner``: equal pixels, mirrored equal pixels, or a near-duplicate."""
    partner: Partner


@dataclass(frozen=True)
class Exclusions:
    """Test images to leave out, and the data that the list was made for."""

    data: str
    """The data set's name, for the reader; the hashes decide."""
    train_sha256: str
    test_sha256: str
    images: tuple[ExcludedImage, ...]
    """By ascending index, none twice."""
    schema: int = SCHEMA_VERSION

    def indices(self, test_images: int) -> list[int]:
        """The images' indices in a test set of ``test_images``, ascending.

        Raises:
            UserError: an index is out of range, or the order is not ascending.
        """
        found = [image.index for image in self.images]
        if any(not 0 <= index < test_images for index in found):
            raise UserError(f"it names an image that a test set of {test_images:,} does not have")
        if any(later <= earlier for earlier, later in itertools.pairwise(found)):
            raise UserError("its images are not in ascending order, or one is there twice")
        return found


def write_exclusions(folder: Path, exclusions: Exclusions) -> None:
    """Write ``exclude.json`` into ``folder``."""
    write_json(folder / FILE_NAME, to_json(exclusions))


def read_exclusions(path: Path) -> tuple[Exclusions, Path]:
    """The list in ``path``, a file or the folder of an audit, and the file that it was read from.

    Raises:
        UserError: there is none, or it is damaged; one line that names the file.
    """
    with one_line_errors(f"read {path}"):
        file = path / FILE_NAME if path.is_dir() else path
        if path.is_dir() and not file.exists():
            raise UserError(f"{printable(path)} has no {FILE_NAME}; finish the audit with data audit")
        if file.stat().st_size > _LARGEST_FILE:
            raise UserError(f"{printable(file)} is no list of excluded images: it is too large for one")
    value = read_json(file)
    schema = value.get("schema") if isinstance(value, dict) else None
    if schema != SCHEMA_VERSION or isinstance(schema, bool):
        raise UserError(
            f"{printable(file)} is no list of excluded images that this cifarlab reads; give the folder or "
            f"the {FILE_NAME} of data audit"
        )
    try:
        exclusions: Exclusions = from_json(Exclusions, value)
    except (UserError, RecursionError) as error:
        raise UserError(f"{printable(file)} is damaged: {str(error)[:160]}") from error
    return exclusions, file


def chosen_indices(path: Path, train_sha256: str, test_sha256: str, test_images: int) -> list[int]:
    """The indices, ascending, that the list at ``path`` excludes from a test set.

    Args:
        train_sha256: of the images that the judged network was trained on.
        test_sha256: of the test set, which has ``test_images`` images.

    Raises:
        UserError: no such list, a damaged one, or one for other data.
    """
    exclusions, file = read_exclusions(path)
    if exclusions.test_sha256 != test_sha256:
        raise UserError(
            f"{printable(file)} was made for another test set ({printable(exclusions.data)[:80]}); "
            "audit this one with data audit"
        )
    if exclusions.train_sha256 != train_sha256:
        raise UserError(
            f"{printable(file)} was made for another training set than the run's "
            f"({printable(exclusions.data)[:80]}); audit the run's data with data audit"
        )
    try:
        return exclusions.indices(test_images)
    except UserError as error:
        raise UserError(f"{printable(file)} is damaged: {error}") from error
