"""How much memory is left for a data set: of the machine, and of the container that this process is in."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from cifarlab.errors import UserError

PREPARING_COPIES = 3
"""While pictures are prepared they are in memory, and the larger half twice more while it is written."""
LOADING_COPIES = 2
"""While a half is loaded from the cache its file is in memory too."""

_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "KB"))


def refuse_beyond_memory(name: str, pictures: int, size: int, copies: int) -> None:
    """Raise a UserError where pictures do not fit into memory.

    Args:
        name: what the message calls the data set.
        pictures: how many there are, each uint8 ``[3, size, size]``.
        copies: how many of each will be in memory at once.
    """
    needed, left = pictures * 3 * size**2 * copies, memory_left()
    if needed > left:
        raise UserError(
            f"{name}: {pictures:,} pictures of {size} × {size} pixels need {_shown(needed)} of memory, and "
            f"{_shown(left)} are left here; use fewer pictures or a smaller --image-size, or close other "
            "programs"
        )


def processes_here() -> int:
    """How many processes of one run are on this machine, as their launcher says: each loads all images."""
    count = os.environ.get("LOCAL_WORLD_SIZE", "1")
    return int(count) if count.isdecimal() else 1


def memory_left(root: Path = Path("/")) -> int:
    """Bytes that this process can still take: the machine's, and no more than its control groups allow.

    Args:
        root: where ``proc`` and ``sys`` are. Where they are not, all of the machine's memory counts.
    """
    return max(0, min([_left_on_machine(root), *_left_in_groups(root)]))


def _shown(size: int) -> str:
    unit, name = next((each for each in _UNITS if size >= each[0]), _UNITS[-1])
    return f"{size / unit:,.1f} {name}"


def _left_on_machine(root: Path) -> int:
    fields = _fields(root / "proc/meminfo")
    if "MemAvailable:" in fields:
        return fields["MemAvailable:"] * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _left_in_groups(root: Path) -> Iterator[int]:
    """What is left in each control group that this process is in, of both versions of them."""
    for folder, limit, usage, cache in _groups(root):
        with contextlib.suppress(OSError, ValueError):  # "max" is no number: there is no limit
            allowed = int((folder / limit).read_text())
            # The kernel gives up what it only keeps of files.
            taken = int((folder / usage).read_text()) - _fields(folder / "memory.stat").get(cache, 0)
            yield allowed - taken


def _groups(root: Path) -> Iterator[tuple[Path, str, str, str]]:
    """For every group: its folder, and the names of limit, usage and file cache."""
    mounted = root / "sys/fs/cgroup"
    second = ("memory.max", "memory.current", "inactive_file")
    first = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers not in ("", "memory"):
                continue
            top, names = (mounted / "memory", first) if controllers else (mounted, second)
            group = top / path.lstrip("/")
            # A container sees its own group as the top, and its path may not exist there.
            for folder in (group, *group.parents):
                yield folder, *names
                if folder == top:
                    break


def _fields(path: Path) -> dict[str, int]:
    """The first number behind each name in one of the kernel's files; empty where there is no such file."""
    try:
        rows = [line.split() for line in path.read_text().splitlines()]
        return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}
    except OSError:
        return {}
