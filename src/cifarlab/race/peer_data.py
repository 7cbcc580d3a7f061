"""The data set of a race as the peers' scripts cache it."""

import contextlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from cifarlab.data.split import DataDescription, Source, Split
from cifarlab.errors import UserError
from cifarlab.files import make_folder, one_line_errors, write_atomic
from cifarlab.race.peers.referee import CLASSES, SIDE


def check_for_peers(data: DataDescription) -> None:
    """Raise a UserError where the images are none that the peers' scripts take."""
    size, classes = data.image_size, len(data.class_names)
    if size != SIDE:
        raise UserError(f"a peer's script takes {SIDE} × {SIDE} pixels; these data have {size} × {size}")
    if classes > CLASSES:
        raise UserError(f"a peer's script takes {CLASSES} classes; these data have {classes}")


@contextlib.contextmanager
def peer_files(source: Source, folder: Path) -> Iterator[Path]:
    """Inside, ``folder`` has ``train.pt`` and ``test.pt``, the same images as ours; after, it is gone.

    Call ``check_for_peers`` before. Each holds ``images`` (uint8 ``[N, 32, 32, 3]``), ``labels`` (int64
    ``[N]``) and ``classes``. A folder that a kill has left is written anew.

    Raises:
        UserError: the files cannot be written.
    """
    make_folder(folder)
    try:
        write_atomic(folder / "train.pt", _content(source.read_train()))
        write_atomic(folder / "test.pt", _content(source.read_test()))
        yield folder
    finally:
        remove_peer_files(folder)


def remove_peer_files(folder: Path) -> None:
    """Delete the folder of a peer's files, if it is there: a kill leaves it behind."""
    with one_line_errors(f"delete {folder}"), contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _content(split: Split) -> bytes:
    images = split.images.permute(0, 2, 3, 1).contiguous()
    buffer = io.BytesIO()
    torch.save({"images": images, "labels": split.labels, "classes": list(split.class_names)}, buffer)
    return buffer.getvalue()
