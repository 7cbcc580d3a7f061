"""Prepared pictures in the user's cache folder: checked, not trusted.

An entry is a folder named by what its content depends on: the source's identity, the preparation, Pillow's
version and the format below. It holds ``train.safetensors``, ``test.safetensors`` and, written last,
``manifest.json``. An entry in which anything is off is prepared again from the source, and that is said.
"""

import contextlib
import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import filelock
import PIL
import safetensors
import safetensors.torch
import torch

from cifarlab.config import fingerprint, from_json, to_json
from cifarlab.data.locations import cache_folder
from cifarlab.data.memory import LOADING_COPIES, processes_here, refuse_beyond_memory
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import DataDescription, Source, Split
from cifarlab.errors import UserError, printable
from cifarlab.files import make_folder, one_line_errors, read_json, remove_leftovers, write_atomic, write_json

FORMAT = 2
"""Raised whenever the same source and preparation may give other files."""

Half = Literal["train", "test"]
Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Prepared:
    """Both halves of a data set, fresh from its source."""

    train: Split
    test: Split
    test_set: str
    """Where the test set comes from, in words."""


@dataclass(frozen=True)
class PreparedHalf:
    """What the manifest says of one half."""

    images: int
    split_sha256: str
    file_sha256: str


@dataclass(frozen=True)
class Manifest:
    """What opening a data set needs to know, so that no half has to be read for it."""

    key: str
    """The entry that this manifest belongs to."""
    class_names: tuple[str, ...]
    image_size: int
    test_set: str
    train: PreparedHalf
    test: PreparedHalf


class _UnusableEntry(Exception):
    """The entry cannot be used. The message says why; it is empty where there is no entry yet."""


def open_cached(
    name: str, preparation: Preparation, identify: Callable[[], str], prepare: Callable[[], Prepared]
) -> Source:
    """A source that is read from the cache, where it is put first if need be.

    Args:
        name: the data set's name in its description and in messages.
        preparation: what ``prepare`` does to every picture.
        identify: a string that changes whenever the source does.
        prepare: reads the source.

    Returns:
        A source whose halves stay on the disk until they are asked for.

    Raises:
        UserError: ``prepare`` failed, the cache folder cannot be written, or the disk is full. The halves'
            readers raise it too, where memory is short, or an entry broke later and could not be mended.
    """
    identity = identify()
    key = _key(identity, preparation)
    folder = cache_folder() / "pictures" / key

    def prepare_checked() -> Prepared:
        prepared = prepare()
        if identify() != identity:
            raise UserError(f"{name} changed while it was read; run the command again")
        return prepared

    def read(half: Half) -> Split:
        images = description.train_images if half == "train" else description.test_images
        refuse_beyond_memory(name, images, description.image_size, LOADING_COPIES * processes_here())
        return _load_or_prepare(folder, prepare_checked, lambda: _read_half(folder, half))

    manifest = _load_or_prepare(folder, prepare_checked, lambda: _read_manifest(folder))
    description = DataDescription(
        name=name,
        class_names=manifest.class_names,
        train_images=manifest.train.images,
        test_images=manifest.test.images,
        train_sha256=manifest.train.split_sha256,
        test_sha256=manifest.test.split_sha256,
        image_size=manifest.image_size,
        test_set=manifest.test_set,
        preparation=preparation,
    )
    return Source(description, lambda: read("train"), lambda: read("test"))


def _key(identity: str, preparation: Preparation) -> str:
    # Pillow's version counts because its decoders decide about the pixels of a JPEG.
    parts = [FORMAT, PIL.__version__, identity, fingerprint(preparation)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _load_or_prepare(folder: Path, prepare: Callable[[], Prepared], load: Callable[[], Loaded]) -> Loaded:
    with contextlib.suppress(_UnusableEntry):
        return load()
    with _only_process(folder):
        try:
            return load()  # another process may have prepared it in the meantime
        except _UnusableEntry as reason:
            if str(reason):
                print(
                    f"the cached copy in {folder} is unusable ({reason}); preparing it again", file=sys.stderr
                )
        _publish(folder, prepare())
        try:
            return load()
        except _UnusableEntry as reason:
            raise UserError(
                f"{folder} was damaged right after it was written ({reason}); check the disk, or let "
                "CIFARLAB_CACHE name another folder"
            ) from reason


@contextlib.contextmanager
def _only_process(folder: Path) -> Iterator[None]:
    """Hold the entry's lock, which the system releases if this process dies."""
    lock = filelock.FileLock(folder.with_suffix(".lock"))
    with _named_cache_errors(f"lock {folder}"):
        make_folder(folder.parent)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            print("waiting for another process that prepares the same pictures", file=sys.stderr)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _publish(folder: Path, prepared: Prepared) -> None:
    """Write an entry, its manifest last; where that fails, nothing of it stays."""
    with _named_cache_errors(f"write {folder}"):
        make_folder(folder)
        remove_leftovers(folder)
        try:
            manifest = Manifest(
                key=folder.name,
                class_names=prepared.train.class_names,
                image_size=prepared.train.images.shape[-1],
                test_set=prepared.test_set,
                train=_write_half(folder / "train.safetensors", prepared.train),
                test=_write_half(folder / "test.safetensors", prepared.test),
            )
            sealed = {"manifest": to_json(manifest), "sha256": fingerprint(manifest)}
            write_json(folder / "manifest.json", sealed)
        except UserError:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _write_half(path: Path, split: Split) -> PreparedHalf:
    content = safetensors.torch.save({"images": split.images, "labels": split.labels})
    write_atomic(path, content)
    return PreparedHalf(len(split), split.sha256(), hashlib.sha256(content).hexdigest())


@contextlib.contextmanager
def _named_cache_errors(doing: str) -> Iterator[None]:
    """One line for what fails inside the block, with the variable that names another cache folder."""
    try:
        with one_line_errors(doing):
            yield
    except UserError as error:
        raise UserError(f"{error}; CIFARLAB_CACHE can name another folder for the cache") from error


def _read_manifest(folder: Path) -> Manifest:
    path = folder / "manifest.json"
    with _named_cache_errors(f"read {path}"):
        if not path.exists():
            raise _UnusableEntry
    try:
        document = read_json(path)
        manifest: Manifest = from_json(Manifest, document["manifest"])
        intact = document["sha256"] == fingerprint(manifest) and manifest.key == folder.name
    except (UserError, TypeError, KeyError) as error:
        raise _UnusableEntry("manifest.json is damaged") from error
    if not intact:
        raise _UnusableEntry("manifest.json is damaged or of another entry")
    return manifest


def _read_half(folder: Path, half: Half) -> Split:
    manifest = _read_manifest(folder)
    expected = manifest.train if half == "train" else manifest.test
    path = folder / f"{half}.safetensors"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _UnusableEntry(f"{path.name}: {printable(error.strerror)}") from error
    if hashlib.sha256(content).hexdigest() != expected.file_sha256:
        raise _UnusableEntry(f"{path.name} is damaged")
    try:
        tensors = safetensors.torch.load(content)
        split = Split(tensors["images"], tensors["labels"], manifest.class_names)
    except (safetensors.SafetensorError, KeyError) as error:
        raise _UnusableEntry(f"{path.name} is damaged") from error
    if not _fits(split, expected, manifest.image_size):
        raise _UnusableEntry(f"{path.name} does not hold what manifest.json says")
    return split


def _fits(split: Split, expected: PreparedHalf, image_size: int) -> bool:
    """Whether shapes, types and label range are what the manifest promises."""
    return (
        split.images.shape == (expected.images, 3, image_size, image_size)
        and split.images.dtype == torch.uint8
        and split.labels.shape == (expected.images,)
        and split.labels.dtype == torch.int64
        and int(split.labels.min()) >= 0
        and int(split.labels.max()) < len(split.class_names)
    )
