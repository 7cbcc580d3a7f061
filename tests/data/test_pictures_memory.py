"""How much memory is left, from the files in which Linux says so."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from cifarlab.data.memory import memory_left

MEBI = 2**20


def machine(root: Path, files: Mapping[str, str]) -> Path:
    """A root folder with 1,000 MiB available and these files of the control groups."""
    for name, text in {"proc/meminfo": f"MemTotal: 9 kB\nMemAvailable: {1000 * 1024} kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def second(group: str, limit: str, used: int, cached: int) -> dict[str, str]:
    folder = f"sys/fs/cgroup{group}"
    return {
        f"{folder}/memory.max": limit,
        f"{folder}/memory.current": str(used),
        f"{folder}/memory.stat": f"anon 5\ninactive_file {cached}\n",
    }


def first(group: str, limit: int, used: int, cached: int) -> dict[str, str]:
    folder = f"sys/fs/cgroup/memory{group}"
    return {
        f"{folder}/memory.limit_in_bytes": str(limit),
        f"{folder}/memory.usage_in_bytes": str(used),
        f"{folder}/memory.stat": f"inactive_file 1\ntotal_inactive_file {cached}\n",
    }


SECOND, FIRST = {"proc/self/cgroup": "0::/a/b\n"}, {"proc/self/cgroup": "7:cpu:/\n4:memory:/a/b\n0::/\n"}


@pytest.mark.parametrize(
    ("files", "mebibytes"),
    [
        ({}, 1000),
        (SECOND, 1000),
        (SECOND | second("/a/b", "max", 5, 5), 1000),
        (SECOND | second("/a/b", str(600 * MEBI), 250 * MEBI, 50 * MEBI), 400),
        (SECOND | second("/a", str(600 * MEBI), 250 * MEBI, 50 * MEBI), 400),  # a limit of a group above
        (SECOND | second("", str(600 * MEBI), 250 * MEBI, 50 * MEBI), 400),  # as a container sees itself
        (SECOND | second("/a", str(600 * MEBI), 700 * MEBI, 0), 0),
        (FIRST | first("/a/b", 600 * MEBI, 250 * MEBI, 50 * MEBI), 400),
        (FIRST | first("", 600 * MEBI, 250 * MEBI, 50 * MEBI), 400),
        (FIRST | first("/a", 2**63 - 4096, 250 * MEBI, 0), 1000),
        (FIRST | second("/a/b", str(600 * MEBI), 0, 0), 1000),  # another process's group
    ],
)
def test_the_least_of_machine_and_groups_counts(
    tmp_path: Path, files: Mapping[str, str], mebibytes: int
) -> None:
    assert memory_left(machine(tmp_path, files)) == mebibytes * MEBI


def test_without_the_kernel_s_files_all_of_the_machine_s_memory_counts(tmp_path: Path) -> None:
    assert memory_left(tmp_path) == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_of_this_machine_something_is_left() -> None:
    assert 2**26 < memory_left() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
