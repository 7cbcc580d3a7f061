"""How a batch and an evaluation are divided: laws that hold for any number of processes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cifarlab.distributed import ALONE, Group
from cifarlab.errors import UserError

SIZES = st.integers(1, 9)


@given(size=SIZES, images=st.integers(1, 40), seed=st.integers(0, 10))
def test_the_weighted_means_of_the_parts_average_to_the_mean_of_the_batch(
    size: int, images: int, seed: int
) -> None:
    losses = torch.rand(images, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    parts = [Group(rank, size).part_of(torch.arange(images)) for rank in range(size)]
    means = [weight * losses[part].mean() for part, weight in parts]
    assert torch.isclose(torch.stack(means).mean(), losses.mean(), rtol=1e-12)
    counted = torch.cat([part for part, weight in parts if weight > 0])
    assert counted.tolist() == list(range(images))
    assert all(len(part) > 0 for part, _ in parts)


@given(size=SIZES, count=st.integers(1, 60))
def test_the_positions_of_all_processes_interleave_to_all_rows(size: int, count: int) -> None:
    positions = [Group(rank, size).positions_of(count) for rank in range(size)]
    assert len({len(each) for each in positions}) == 1
    assert torch.stack(positions, dim=1).flatten()[:count].tolist() == list(range(count))


def test_a_process_alone_computes_everything_and_waits_for_nobody() -> None:
    batch = torch.arange(5)
    assert ALONE.part_of(batch) == (batch, 1.0)
    assert ALONE.keys == ()
    assert ALONE.any(True) is True and ALONE.any(False) is False
    assert ALONE.from_first(lambda: {"a": 1}) == {"a": 1}
    with ALONE.one_after_the_other():
        pass


def test_no_two_processes_draw_the_same_dropout() -> None:
    assert len({Group(rank, size).keys for size in (1, 2, 3) for rank in range(size)}) == 6


@pytest.mark.parametrize("name", ["mps", "cuda:0"])
def test_one_device_is_not_enough_for_several_processes(name: str) -> None:
    with pytest.raises(UserError):
        Group(1, 2, 1).device(name)


def test_shared_statistics_are_refused_where_torch_has_none() -> None:
    group = Group(0, 2, 0, batch_statistics="all")
    with pytest.raises(UserError, match="works on CUDA only"):
        group.with_statistics(torch.nn.BatchNorm2d(2), torch.device("cpu"))
