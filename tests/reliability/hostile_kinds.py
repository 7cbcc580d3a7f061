"""The kinds of CIFAR files that are mutated, and what opens each."""

import functools
import gzip
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cifar_samples import BY_FOLDER, archive_bytes, files, labels, packed, pixels, write_folder
from cifarlab.data.cifar.batch import Batch, class_names
from cifarlab.data.cifar.official import OfficialArchive
from cifarlab.data.cifar.place import Place, recognize, title
from cifarlab.data.cifar.sets import load
from cifarlab.data.folder import open_pictures
from reliability.mutations import Kind, Trial, refused_in_one_line

TEN, PYTHON_TEN = BY_FOLDER["cifar-10-batches-bin"], BY_FOLDER["cifar-10-batches-py"]
HUNDRED, PYTHON_HUNDRED = BY_FOLDER["cifar-100-binary"], BY_FOLDER["cifar-100-python"]
BLOCK = tarfile.BLOCKSIZE
PIXELS_OF_ONE = b"T" + struct.pack("<i", 3_072)
"""What stands before the pixels of one image in a pickle."""


def archive_trials(folder: Path) -> tuple[Kind, ...]:
    """Every kind; ``folder`` is one to write the mutated files into.

    Sums hide most of a mutated file from its reader, so some kinds are put together again after the mutation:
    the outside is honest, and what is inside reaches the code that it is aimed at.
    """
    in_archive = functools.partial(_opens, folder / "archive")
    return (
        Kind("binary tar.gz", _opens_unchanged(folder / "archive", TEN), (archive_bytes(TEN),)),
        Kind("python tar.gz", _opens_unchanged(folder / "archive", PYTHON_TEN), (archive_bytes(PYTHON_TEN),)),
        Kind("binary tar", in_archive, tuple(archive_bytes(each, mode="") for each in (TEN, HUNDRED))),
        Kind(
            "python tar, compressed again",
            in_archive,
            tuple(archive_bytes(each, mode="") for each in (PYTHON_TEN, PYTHON_HUNDRED)),
            _compressed,
        ),
        Kind("tar headers, sums mended", in_archive, (headers(archive_bytes(TEN, mode="")),), with_headers),
        Kind(
            "pickled batch, packed again",
            in_archive,
            (files(PYTHON_TEN)["data_batch_2"],),
            functools.partial(packed_with, PYTHON_TEN, files(PYTHON_TEN), "data_batch_2"),
        ),
        Kind("pickle's opcodes", in_archive, (program(PYTHON_TEN, "data_batch_1"),), _with_pixels()),
        Kind("batch in a binary folder", *_in_folder(folder, HUNDRED, "test.bin")),
        Kind("batch in a python folder", *_in_folder(folder, PYTHON_HUNDRED, "test")),
        Kind("names in a binary folder", *_in_folder(folder, TEN, "batches.meta.txt")),
        Kind("names in a python folder", *_in_folder(folder, PYTHON_HUNDRED, "meta")),
    )


def opened(path: Path) -> tuple[Batch, Batch] | None:
    """What the loader makes of a path; None where it holds pictures.

    Raises:
        UserError: it is refused.
    """
    place = recognize(path)
    if place is None:
        open_pictures(path)
        return None
    title(place)
    halves = load(place)
    for half in halves:
        _check(half, place)
    return halves


def headers(tar: bytes) -> bytes:
    """The header blocks of an archive, one after the other."""
    return b"".join(tar[start : start + BLOCK] for start in _header_starts(tar))


def with_headers(changed: bytes) -> bytes:
    """The archive of ``TEN`` with other headers, whose sums are right again."""
    honest = archive_bytes(TEN, mode="")
    starts = [*_header_starts(honest), len(honest)]
    parts = []
    for place in range(0, len(changed), BLOCK):
        parts.append(mended(changed[place : place + BLOCK].ljust(BLOCK, b"\0")))
        number = place // BLOCK
        if number < len(starts) - 1:
            parts.append(honest[starts[number] + BLOCK : starts[number + 1]])
    return b"".join(parts) + bytes(20 * BLOCK)


def with_member(member: bytes) -> bytes:
    """The archive of ``TEN`` with one more member, in its blocks, behind its first batch."""
    honest = archive_bytes(TEN, mode="")
    place = _header_starts(honest)[2]
    return honest[:place] + member + honest[place:]


def mended(header: bytes) -> bytes:
    """A tar header with the sum that it should have."""
    total = sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
    return header[:148] + f"{total:06o}\0 ".encode() + header[156:]


def packed_with(archive: OfficialArchive, honest: dict[str, bytes], name: str, content: bytes) -> bytes:
    """The archive in which one file has another content."""
    return packed({**honest, name: content}, archive.folder, mode="")


def program(archive: OfficialArchive, name: str) -> bytes:
    """A pickled batch of one image without the image, so that mutations meet opcodes."""
    start, _, end = files(archive)[name].partition(PIXELS_OF_ONE)
    return start + PIXELS_OF_ONE + end[3_072:]


def _with_pixels() -> Callable[[bytes], bytes]:
    honest = files(PYTHON_TEN)

    def wrap(changed: bytes) -> bytes:
        content = changed.replace(PIXELS_OF_ONE, PIXELS_OF_ONE + bytes(3_072), 1)
        return packed_with(PYTHON_TEN, honest, "data_batch_1", content)

    return wrap


def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def _header_starts(tar: bytes) -> list[int]:
    return [start for start in range(0, len(tar), BLOCK) if tar[start + 257 : start + 262] == b"ustar"]


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)  # to write over a file is slow: some systems flush it to the disk first
    path.write_bytes(content)


def _opens(path: Path, content: bytes) -> bool:
    _write(path, content)
    return not refused_in_one_line(lambda: opened(path))


def _opens_unchanged(path: Path, archive: OfficialArchive) -> Trial:
    """Opens a compressed archive, whose sums let nothing pass that changes an image."""

    def trial(content: bytes) -> bool:
        _write(path, content)
        found: list[tuple[Batch, Batch] | None] = []
        if refused_in_one_line(lambda: found.append(opened(path))):
            return False
        assert found[0] is not None
        for half, batch in zip(("train", "test"), found[0], strict=True):
            seeds = [seed for seed, file in enumerate(archive.files) if file.half == half]
            assert np.array_equal(
                batch.images.reshape(-1, 3_072), np.concatenate([pixels(1, s) for s in seeds])
            )
            assert batch.labels.tolist() == [labels(1, seed, archive.data_set)[0][-1] for seed in seeds]
        return True

    return trial


def _in_folder(
    folder: Path, archive: OfficialArchive, name: str
) -> tuple[Callable[[bytes], bool], tuple[bytes]]:
    """What opens a folder in which one file has another content, and that file's honest content."""
    place = folder / f"{archive.folder} {name}"

    def trial(content: bytes) -> bool:
        if not place.exists():
            write_folder(place, archive)
        _write(place / name, content)
        return not refused_in_one_line(lambda: opened(place))

    return trial, (files(archive)[name],)


def _check(batch: Batch, place: Place) -> None:
    count = len(batch.labels)
    assert count > 0
    assert batch.images.shape == (count, 3, 32, 32) and batch.images.dtype == np.uint8
    assert batch.labels.dtype == np.int64
    assert batch.labels.min() >= 0 and batch.labels.max() < len(class_names(place.archive.data_set))
