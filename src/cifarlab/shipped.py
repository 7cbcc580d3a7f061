"""The trained networks that come with the package: ordinary run folders, without pictures and test logits."""

from pathlib import Path

from cifarlab.errors import UserError
from cifarlab.files import one_line_errors
from cifarlab.run import list_runs

DEFAULT = "fast-cnn"
"""The weights that a verb takes where no run is named."""
_FOLDER = Path(__file__).parent / "weights"


def shipped_runs() -> dict[str, Path]:
    """The run folders inside the installed package, by name."""
    return {folder.name: folder for folder in list_runs(_FOLDER)}


def run_or_shipped(given: Path) -> Path:
    """``given``, or the shipped run of that name where there is no such folder here."""
    with one_line_errors(f"look at {given}"):
        is_here = given.exists()
    return given if is_here else shipped_runs().get(str(given), given)


def default_run() -> Path:
    """The run folder of the weights that are used where no run is named.

    Raises:
        UserError: this copy of the package came without weights.
    """
    runs = shipped_runs()
    if DEFAULT not in runs:
        raise UserError(
            f"this copy of cifarlab came without its trained {DEFAULT}; name a run of your own "
            "(cifarlab train demo makes one)"
        )
    return runs[DEFAULT]
