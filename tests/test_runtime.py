"""Seeds that are the same everywhere, and devices by name."""

import platform
import random
import resource
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cifarlab.errors import UserError
from cifarlab.runtime import (
    Precision,
    autocast,
    derived_seed,
    device_named,
    effective_precision,
    generator,
    hardware,
    own_randomness,
    reseed,
    usable_cores,
    versions,
    wait_for,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("seed", "keys", "expected"),
    [
        (0, (), 2_631_537_505_891_389_924),
        (0, ("order", 0), 2_094_333_682_667_709_378),
        (0, ("order", 1), 2_002_067_703_672_271_585),
        (1, ("order", 0), 299_572_666_420_262_285),
        (12345, ("step", 3, 141), 6_000_605_480_957_724_461),
        (2**32 - 1, ("augment", 124, 2), 7_117_114_449_858_431_874),
    ],
)
def test_derived_seeds_are_golden_values(seed: int, keys: tuple[int | str, ...], expected: int) -> None:
    """If one changes, no run can be repeated: raise NUMERICS_VERSION."""
    assert derived_seed(seed, *keys) == expected


def test_derived_seeds_differ_and_fit_torch() -> None:
    keys = [
        (s, name, e, p)
        for s in range(5)
        for name in ("step", "augment")
        for e in range(20)
        for p in range(20)
    ]
    seeds = {derived_seed(*key) for key in keys}
    assert len(seeds) == len(keys)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) > 2**62
    assert derived_seed(0, 1, 23) != derived_seed(0, 12, 3)
    assert derived_seed(0, 1) != derived_seed(0, "1")


def test_generators_neither_read_nor_change_global_randomness() -> None:
    drawn = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        drawn.append(torch.rand(5, generator=generator(3, "order", 0)))
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*drawn)
    assert not torch.equal(drawn[0], torch.rand(5, generator=generator(3, "order", 1)))


def test_reseeding_sets_the_global_generator() -> None:
    reseed(3, "step", 1, 2)
    first = torch.rand(5)
    torch.rand(7)
    reseed(3, "step", 1, 2)
    assert torch.equal(torch.rand(5), first)
    reseed(3, "step", 1, 3)
    assert not torch.equal(torch.rand(5), first)


def test_what_a_run_draws_is_not_missed_by_its_caller() -> None:
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    with own_randomness(CPU):
        reseed(1)
        torch.rand(5)
    assert torch.equal(torch.rand(3), expected)


def test_seeds_leave_python_and_numpy_alone() -> None:
    states: tuple[Any, Any] = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    reseed(1)
    generator(1)
    assert states == (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[index]


def test_the_cpu_is_always_there() -> None:
    assert device_named("cpu") == CPU


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_takes_the_best(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device_named("auto") == torch.device(expected)


@pytest.mark.parametrize("name", ["", "gpu", "cuda:99", "CPU!", "vulkan", "hpu", "meta", "evil\x1b\nname"])
def test_a_device_that_is_not_here_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(UserError) as caught:
        device_named(name)
    assert repr(name) in str(caught.value)
    assert "--device cpu" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("precision", "device", "expected"),
    [
        ("auto", CPU, "fp32"),
        ("auto", CUDA, "bf16"),
        ("auto", torch.device("mps"), "fp32"),
        ("fp32", CUDA, "fp32"),
        ("bf16", CPU, "bf16"),
    ],
)
def test_precision_depends_on_the_device_where_it_is_left_open(
    precision: Precision, device: torch.device, expected: str
) -> None:
    assert effective_precision(precision, device) == expected


def test_autocast_computes_in_the_precision_asked_for() -> None:
    layer, images = nn.Linear(4, 2), torch.ones(1, 4)
    for precision, expected in (("auto", torch.float32), ("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with autocast(CPU, precision):  # type: ignore[arg-type]
            assert layer(images).dtype is expected
    assert layer(images).dtype is torch.float32


def test_the_usable_cores_are_known_where_the_system_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 5, 7})
    assert usable_cores() == 3
    monkeypatch.delattr("os.sched_getaffinity")  # macOS
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert usable_cores() == 6


def test_the_record_names_versions_and_machine() -> None:
    found = versions()
    assert {"cifarlab", "python", "torch", "numpy", "pillow", "scikit-learn", "scipy", "safetensors"} == set(
        found
    )
    assert found["torch"] == torch.__version__
    facts = hardware(CPU)
    assert {"processor", "cores", "threads", "memory", "system"} == set(facts)
    assert all(isinstance(value, str) and value for value in facts.values())
    assert facts["threads"] == str(torch.get_num_threads())


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_freed_memory_is_kept_for_the_next_step() -> None:
    """Steps that take and free 64 MiB touch no fresh page; without the call some heaps do at every step."""
    code = (
        "import resource, torch\n"
        "from cifarlab.runtime import keep_freed_memory\n"
        "keep_freed_memory()\n"
        "def step(): [torch.ones(2**21) for _ in range(8)]\n"
        "for _ in range(5): step()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(20): step()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    pages_of_all_steps = 20 * 8 * 2**23 // resource.getpagesize()
    assert int(found) < 0.05 * pages_of_all_steps


def test_one_waits_for_the_device_alone_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: waited.append(str(device)))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waited.append("mps"))
    for name in ("cpu", "cuda:1", "mps"):
        wait_for(torch.device(name))
    assert waited == ["cuda:1", "mps"]
