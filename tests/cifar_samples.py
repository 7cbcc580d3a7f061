"""Archives in the formats of the official ones, with few images of one color each.

The pickles are written as Python 2 wrote the official ones, opcode by opcode; ``names_as_python2`` gives the
official files of class names bit for bit.
"""

import dataclasses
import gzip
import hashlib
import io
import struct
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cifarlab.data.cifar.names import CIFAR10, CIFAR100_COARSE, CIFAR100_FINE
from cifarlab.data.cifar.official import ARCHIVES, OfficialArchive

BY_FOLDER = {archive.folder: archive for archive in ARCHIVES}
"""The four official archives by the folder that each unpacks to."""
FINE_TO_COARSE = {1: 1, 54: 2, 0: 4, 32: 1, 62: 2, 99: 13}
"""Some fine labels and their coarse ones: aquarium_fish, orchid, apple, flatfish, poppy, worm."""


def pixels(count: int, seed: int) -> NDArray[np.uint8]:
    """``[count, 3072]``: three planes of one value each, so that they compress well."""
    colors = np.random.RandomState(seed).randint(0, 256, (count, 3)).astype(np.uint8)
    return np.repeat(colors, 1024, axis=1)


def labels(count: int, seed: int, data_set: str) -> list[tuple[int, ...]]:
    """For each image its label, or its coarse and its fine one."""
    if data_set == "cifar10":
        return [((3 * seed + place) % 10,) for place in range(count)]
    known = list(FINE_TO_COARSE.items())
    return [known[(seed + place) % len(known)][::-1] for place in range(count)]


def files(archive: OfficialArchive, images_per_file: int = 1) -> dict[str, bytes]:
    """Name and content of every file; both kinds of archive of a data set have the same images."""
    made = {}
    for seed, file in enumerate(archive.files):
        if file.half == "names":
            made[file.name] = names_file(file.name)
            continue
        of_each = labels(images_per_file, seed, archive.data_set)
        if archive.kind == "binary":
            made[file.name] = binary(of_each, pixels(images_per_file, seed))
        else:
            made[file.name] = batch_as_python2(of_each, pixels(images_per_file, seed))
    return made


def binary(of_each: Sequence[tuple[int, ...]], images: NDArray[np.uint8]) -> bytes:
    return b"".join(bytes(own) + image.tobytes() for own, image in zip(of_each, images, strict=True))


def names_file(name: str) -> bytes:
    texts = {
        "batches.meta.txt": CIFAR10,
        "fine_label_names.txt": CIFAR100_FINE,
        "coarse_label_names.txt": CIFAR100_COARSE,
    }
    return ("\n".join(texts[name]) + "\n\n").encode() if name in texts else names_as_python2(name)


def packed(
    members: Mapping[str, bytes] | Iterable[tuple[str, bytes]], folder: str, mode: str = "gz", level: int = 1
) -> bytes:
    """A tar archive of a folder with these files, as the official ones are: ``mode`` gz, or "" for plain."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        entry = tarfile.TarInfo(folder)
        entry.type = tarfile.DIRTYPE
        tar.addfile(entry)
        for name, content in members.items() if isinstance(members, Mapping) else members:
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), level, mtime=0) if mode == "gz" else buffer.getvalue()


def archive_bytes(archive: OfficialArchive, images_per_file: int = 1, mode: str = "gz") -> bytes:
    """A whole archive, its batches out of order and a read-me between them, as in the official ones."""
    made = list(files(archive, images_per_file).items())
    shuffled = [*made[3:], ("readme.html", b"<html></html>"), *made[:3]]
    return packed(shuffled, archive.folder, mode)


def official(archives: Sequence[OfficialArchive], images_per_file: int = 1) -> tuple[OfficialArchive, ...]:
    """The archives with the sizes and sums that ``archive_bytes`` and ``files`` have."""
    return tuple(_with_own_sums(archive, images_per_file) for archive in archives)


def _with_own_sums(archive: OfficialArchive, images_per_file: int) -> OfficialArchive:
    whole, parts = archive_bytes(archive, images_per_file), files(archive, images_per_file)
    own = tuple(
        dataclasses.replace(
            file,
            size=None if file.size is None else len(parts[file.name]),
            md5=None if file.md5 is None else md5(parts[file.name]),
        )
        for file in archive.files
    )
    return dataclasses.replace(archive, size=len(whole), md5=md5(whole), files=own)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def write_folder(path: Path, archive: OfficialArchive, images_per_file: int = 1) -> Path:
    path.mkdir(parents=True)
    for name, content in files(archive, images_per_file).items():
        (path / name).write_bytes(content)
    return path


class Python2Pickle:
    """Writes protocol 2 as Python 2's cPickle did: texts as bytes, and memo entries counted from 1."""

    def __init__(self) -> None:
        self._stored = 0

    def dump(self, value: Any) -> bytes:
        return b"\x80\x02" + self._write(value) + b"."

    def _write(self, value: Any) -> bytes:
        match value:
            case dict():
                start = b"}" + self._put() + b"("
                return start + b"".join(self._write(k) + self._write(v) for k, v in value.items()) + b"u"
            case list():
                start = b"]" + self._put()
                return start + b"".join(self._part(value[i : i + 1000]) for i in range(0, len(value), 1000))
            case str():
                length = len(value.encode("latin1"))
                head = b"U" + bytes([length]) if length < 256 else b"T" + struct.pack("<i", length)
                return head + value.encode("latin1") + self._put()
            case int():
                return integer(value)
            case np.ndarray():
                return self._array(value)
        raise TypeError(type(value))

    def _part(self, items: list[Any]) -> bytes:
        written = b"".join(map(self._write, items))
        return written + b"a" if len(items) == 1 else b"(" + written + b"e"

    def _array(self, array: NDArray[np.uint8]) -> bytes:
        content = array.tobytes()
        shape = b"".join(map(integer, array.shape)) + b"\x86"
        made = b"cnumpy.core.multiarray\n_reconstruct\n" + self._put() + b"cnumpy\nndarray\n" + self._put()
        made += b"K\x00\x85U\x01b\x87R" + self._put() + b"(K\x01" + shape + b"cnumpy\ndtype\n" + self._put()
        made += b"U\x02u1K\x00K\x01\x87R" + self._put()
        made += b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        return made + b"\x89T" + struct.pack("<i", len(content)) + content + b"tb"

    def _put(self) -> bytes:
        self._stored += 1
        return b"q" + bytes([self._stored]) if self._stored < 256 else b"r" + struct.pack("<i", self._stored)


def integer(value: int) -> bytes:
    if 0 <= value < 2**8:
        return b"K" + bytes([value])
    return b"M" + struct.pack("<H", value) if 0 <= value < 2**16 else b"J" + struct.pack("<i", value)


def batch_values(of_each: Sequence[tuple[int, ...]], images: NDArray[np.uint8]) -> dict[str, Any]:
    """What the dictionary of a batch holds, in the official order."""
    names = {"filenames": [f"leptodactylus_s_{number:06}.png" for number in range(len(images))]}
    if len(of_each[0]) == 1:
        own = {"batch_label": "training batch 1 of 5", "labels": [label for (label,) in of_each]}
        return {**own, "data": images, **names}
    coarse, fine = ([each[place] for each in of_each] for place in range(2))
    own = {"batch_label": "training batch 1 of 1", "fine_labels": fine, "coarse_labels": coarse}
    return {**names, **own, "data": images}


def batch_as_python2(of_each: Sequence[tuple[int, ...]], images: NDArray[np.uint8]) -> bytes:
    return Python2Pickle().dump(batch_values(of_each, images))


def names_as_python2(name: str) -> bytes:
    """``batches.meta`` or ``meta``."""
    if name == "batches.meta":
        return Python2Pickle().dump(
            {"num_cases_per_batch": 10_000, "label_names": list(CIFAR10), "num_vis": 3_072}
        )
    return Python2Pickle().dump(
        {"fine_label_names": list(CIFAR100_FINE), "coarse_label_names": list(CIFAR100_COARSE)}
    )
