"""What the page shows of ``RUN/explain/``: the explanation and its pictures, checked, as data URIs."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cifarlab import files
from cifarlab.errors import UserError
from cifarlab.explain.activations import share_of_zeros
from cifarlab.explain.explanation import FILE_NAME, FOLDER, Explanation, read_explanation
from cifarlab.run import WEIGHTS

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Inside:
    """An explanation, and its pictures by the names of their files."""

    explanation: Explanation
    pictures: Mapping[str, str]
    """Data URIs."""

    @property
    def all_zeros(self) -> float:
        """The share of zeros over all activation functions."""
        return share_of_zeros(list(self.explanation.zeros))


def read_inside(run: Path) -> tuple[Inside | None, tuple[str, ...]]:
    """The explanation in a run folder; None where there is none to show, with a note if it is damaged."""
    try:
        explanation = read_explanation(run)
        if explanation is None:
            return None, ()
        if explanation.weights_sha256 != files.sha256_of(run / WEIGHTS):
            return None, (
                "The explanation in this folder is of other weights and not shown; "
                "run cifarlab explain again.",
            )
        pictures = {name: _data_uri(run / FOLDER, name) for name in _names(explanation)}
    except UserError as error:
        return None, (f"The explanation is damaged and not shown ({error}); run cifarlab explain again.",)
    return Inside(explanation, pictures), ()


def _names(explanation: Explanation) -> Iterator[str]:
    """The files of all pictures."""
    for picture in explanation.pictures:
        yield picture.file
        for panel in (
            *picture.grad_cam,
            *picture.masks,
            picture.integrated_gradients,
            picture.occlusion,
            *([] if picture.for_truth is None else [picture.for_truth]),
        ):
            yield panel.file
        for neighbor in picture.neighbors:
            yield neighbor.file


def _data_uri(folder: Path, name: str) -> str:
    if not FILE_NAME.fullmatch(name):
        raise UserError(f"{name!r} is no file of an explanation")
    with files.one_line_errors(f"read {folder / name}"):
        content = (folder / name).read_bytes()
    if not content.startswith(_SIGNATURE):
        raise UserError(f"{name} is not a PNG file")
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
