"""Folders and archives of small pictures, and the one entry that a cache holds of them."""

import io
import random
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

HALVED = [f"{half}/{kind}/{n}.png" for half in ("train", "test") for kind in ("cat", "dog") for n in range(3)]
FLAT = [f"{kind}/{n:02}.png" for kind in ("cat", "dog") for n in range(12)]
MADE_FILES = {"manifest.json", "train.safetensors", "test.safetensors"}


def picture(seed: int = 0) -> bytes:
    pixels = np.random.RandomState(seed).randint(0, 256, (32, 32, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_pictures(root: Path, names: Iterable[str]) -> Path:
    for seed, name in enumerate(sorted(names)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture(seed))
    return root


def pack(path: Path, members: Iterable[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def pack_pictures(path: Path, names: Iterable[str], mode: str = "w") -> Path:
    """An archive of the pictures that ``write_pictures`` writes, in an order that is not sorted."""
    members = [(name, picture(seed)) for seed, name in enumerate(sorted(names))]
    random.Random(0).shuffle(members)
    return pack(path, members, mode)


Member = tuple[zipfile.ZipInfo | str, bytes]


def zipped(path: Path, members: Iterable[Member], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def zip_pictures(path: Path, names: Iterable[str], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip archive of the pictures that ``write_pictures`` writes, in an order that is not sorted."""
    members: list[Member] = [(name, picture(seed)) for seed, name in enumerate(sorted(names))]
    random.Random(0).shuffle(members)
    return zipped(path, members, method)


def entry(cache: Path) -> Path:
    """The only entry of the cache."""
    (folder,) = (path for path in (cache / "pictures").iterdir() if path.is_dir())
    return folder


def class_counts(labels: Tensor, classes: int) -> list[int]:
    """Images per class: ``classes`` integers for int64 labels ``[N]``."""
    counts: list[int] = torch.bincount(labels, minlength=classes).tolist()
    return counts
