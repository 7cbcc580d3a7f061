"""The data set of a race as the peers' scripts cache it."""

import contextlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from cifarlab.data.split import Source, Split
from cifarlab.errors import UserError
from cifarlab.files import make_folder, one_line_errors, write_atomic

IMAGE_SIZE = 32


@contextlib.contextmanager
def peer_files(source: Source, folder: Path) -> Iterator[Path]:
    """Inside, ``folder`` has ``train.pt`` and ``test.pt``, the same images as ours; after, it is gone.

    Each holds ``images`` (uint8 ``[N, 32, 32, 3]``), ``labels`` (int64 ``[N]``) and ``classes``. A folder
    that a kill has left is written anew.

    Raises:
        UserError: the images have another size, or the files cannot be written.
    """
    size = source.description.image_size
    if size != IMAGE_SIZE:
        raise UserError(f"a peer's script takes 32 × 32 pixels; these data have {size} × {size}")
    make_folder(folder)
    try:
        write_atomic(folder / "train.pt", _content(source.read_train()))
        write_atomic(folder / "test.pt", _content(source.read_test()))
        yield folder
    finally:
        with one_line_errors(f"delete {folder}"):
            shutil.rmtree(folder)


def _content(split: Split) -> bytes:
    images = split.images.permute(0, 2, 3, 1).contiguous()
    buffer = io.BytesIO()
    torch.save({"images": images, "labels": split.labels, "classes": list(split.class_names)}, buffer)
    return buffer.getvalue()
