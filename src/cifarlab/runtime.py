"""The machine under a run: device, precision, seeds, and what to record of it."""

import contextlib
import ctypes
import functools
import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Literal

import torch

import cifarlab
from cifarlab.errors import UserError

NUMERICS_VERSION = 4
"""Raised whenever a change of the code may alter the numbers of a run; part of a run's fingerprint."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""glibc's numbers for mallopt (malloc.h)."""

Precision = Literal["auto", "fp32", "bf16"]


def device_named(name: str) -> torch.device:
    """The device ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; ``auto`` takes CUDA, then MPS, where present.

    Raises:
        UserError: no such device on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda", "mps"):
            raise RuntimeError("cifarlab knows no such device")
        torch.empty(1, device=device)
        return torch.device("cpu") if device.type == "cpu" else device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"the device {name!r} is not available here; use --device cpu, or auto") from error


def wait_for(device: torch.device) -> None:
    """Return when ``device`` has done all that it was asked to do, so that a clock tells its time."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def effective_precision(precision: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """``auto`` means bf16 on CUDA and fp32 elsewhere."""
    if precision == "auto":
        return "bf16" if device.type == "cuda" else "fp32"
    return precision


def autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[None]:
    """The context in which a forward pass runs: bf16 autocast, or nothing at fp32."""
    if effective_precision(precision, device) == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def derived_seed(seed: int, *keys: int | str) -> int:
    """A 63-bit seed that is a function of ``seed`` and ``keys`` alone, the same on every machine.

    All randomness of a run comes from here: ``derived_seed(seed, "step", epoch, step)`` and its like, so
    that a resumed run needs no saved random state.
    """
    digest = hashlib.blake2b(repr((seed, *keys)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *keys: int | str) -> torch.Generator:
    """A CPU generator seeded by ``derived_seed``; global random state is neither read nor changed."""
    return torch.Generator().manual_seed(derived_seed(seed, *keys))


def reseed(seed: int, *keys: int | str) -> None:
    """Set torch's global generators (dropout draws from them) to ``derived_seed``."""
    number = derived_seed(seed, *keys)
    # As torch.manual_seed, but for devices in use: for others it takes down Python's stack each time.
    torch.default_generator.manual_seed(number)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(number)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(number)


def own_randomness(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Inside, torch's global generators may be reseeded; after, they are as the caller left them."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def keep_freed_memory() -> None:
    """Let the C library keep the memory of freed tensors for the next step.

    glibc otherwise gives large blocks back to the system at once, and every step waits for fresh, zeroed
    pages (8 to 17 % of the time of small networks on a CPU). No number changes. Elsewhere it does nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # glibc takes no more
        library.mallopt(_M_TRIM_THRESHOLD, 512 * 2**20)


def versions() -> dict[str, str]:
    """Versions of everything whose change may alter a number."""
    packages = ("torch", "numpy", "pillow", "scikit-learn", "scipy", "safetensors")
    found = {name: _version(name) for name in packages}
    return {"cifarlab": cifarlab.__version__, "python": platform.python_version(), **found}


@functools.cache
def _version(package: str) -> str:
    """Read from its files once in a process."""
    return metadata.version(package)


def hardware(device: torch.device) -> dict[str, str]:
    """The machine in words: processor, cores, threads, memory, operating system, accelerator."""
    facts = {
        "processor": _processor_name(),
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
    }
    if device.type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(device)
        facts["cuda"] = str(torch.version.cuda)
    return facts


def usable_cores() -> int:
    """The processor cores that this process may use; where the system does not say, all of them."""
    if hasattr(os, "sched_getaffinity"):  # Linux alone has it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
