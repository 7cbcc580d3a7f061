"""``cifarlab data fetch``: the official archives, however slow their host is."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import tyro

from cifarlab.cli.data.archives import DATA_SETS
from cifarlab.cli.parsing import parse
from cifarlab.errors import Stopped, UserError, nearest

if TYPE_CHECKING:
    from cifarlab.data.cifar.official import OfficialArchive


@dataclass(frozen=True)
class Options:
    """Download the official archive of a data set, or go on with a download that broke off.

    It goes to $CIFARLAB_DATA, else to the cache folder. Only a file with the publisher's size and MD5 gets
    the archive's name; an unfinished download is kept beside it as FILE.part. Proxies are taken from
    http_proxy, https_proxy and no_proxy.
    """

    names: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="NAME…")]
    """cifar10, cifar100, or cifar12, which needs both."""
    python: bool = False
    """The archive of pickles that torchvision reads, instead of the binary one."""
    url: Annotated[str | None, tyro.conf.arg(metavar="ADDRESS")] = None
    """The http or https address of a folder that has the same files (default: the publisher's)."""


def main(arguments: list[str]) -> None:
    """Parse, fetch, and say where everything is."""
    options = parse(Options, "data fetch", arguments)
    data_sets = _data_sets(options.names)
    from cifarlab.cli.data.fetch_display import display
    from cifarlab.data.cifar.official import ARCHIVES, HOST
    from cifarlab.data.fetch import fetch
    from cifarlab.data.locations import archives_folder

    kind = "python" if options.python else "binary"
    archives = {each.data_set: each for each in ARCHIVES if each.kind == kind}
    folder = archives_folder().absolute()
    with _stoppable():
        for data_set in data_sets:
            with _said_what_is_kept(archives[data_set], folder), display() as progress:
                fetch(archives[data_set], folder, HOST if options.url is None else options.url, progress)


def _data_sets(names: tuple[str, ...]) -> list[str]:
    """Whose archives are wanted, each once."""
    if not names:
        raise UserError(f"data fetch needs the name of a data set; there are: {', '.join(DATA_SETS)}")
    for name in names:
        if name not in DATA_SETS:
            raise UserError(f"no data set to fetch is called {name!r}; {nearest(name, DATA_SETS)}")
    return list(dict.fromkeys(data_set for name in names for data_set in DATA_SETS[name]))


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does: at once, also while a silent host is waited for.

    Nothing has to be saved first, so it need not wait for a good moment.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextlib.contextmanager
def _said_what_is_kept(archive: "OfficialArchive", folder: Path) -> Iterator[None]:
    from cifarlab.data.fetch import part_of

    try:
        yield
    except KeyboardInterrupt:
        part = part_of(folder / archive.file_name)
        here = part.stat().st_size if part.is_file() else 0
        raise Stopped(
            f"stopped; {here:,} of {archive.size:,} bytes are kept in {part}; the same command goes on"
        ) from None
