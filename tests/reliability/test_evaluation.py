"""An evaluation counts every image once, whatever the batches, and leaves no trace."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cifarlab import evaluate, metrics
from cifarlab import train as loop
from cifarlab.augment import Normalize
from cifarlab.data.batches import DeviceSplit, whole
from cifarlab.evaluate import logits_in_mode, logits_of
from cifarlab.models import PlainCnn
from cifarlab.models.cost import forward_flops
from cifarlab.models.modes import inference_mode
from cifarlab.recipe import EvaluationMode, TrainingMode
from cifarlab.train import train
from models.narrow import NARROW
from support import outcome, small_recipe, synthetic_source, synthetic_split

CPU = torch.device("cpu")
IMAGES = 301
EVERY_KIND = ("plain-cnn-regularized", "resnet-cbam-aspp", "tiny-attention", "slim-attention", "shake-shake")
BATCH_SIZES = (1, 2, 7, 128, IMAGES, 1000)


def _network() -> nn.Module:
    """Weights and running statistics that are not those of the beginning; some modules in training mode."""
    torch.manual_seed(11)
    network = PlainCnn(widths=(4, 8, 8), batch_norm=True, dropout=(0.2, 0.2, 0.2)).build(3, 8)
    for _ in range(3):
        network(torch.randn(20, 3, 8, 8))
    for number, module in enumerate(network.modules()):
        module.training = number % 3 == 0
    return network


def _data(order: Tensor | None = None) -> DeviceSplit:
    split = synthetic_split(IMAGES, 3)
    return whole(split if order is None else split.select(order), CPU)


def _correct(data: DeviceSplit, batch_size: int) -> int:
    logits = logits_of(_network(), data, Normalize(), batch_size=batch_size)
    assert logits.shape == (IMAGES, 3) and logits.dtype == torch.float32
    return metrics.correct_count(logits, data.labels)


def test_the_count_is_the_same_for_any_batch_size_and_order() -> None:
    orders = [
        None,
        torch.arange(IMAGES).flip(0),
        torch.randperm(IMAGES, generator=torch.Generator().manual_seed(4)),
    ]
    counts = {_correct(_data(order), size) for order in orders for size in BATCH_SIZES}
    assert len(counts) == 1
    assert 0 < counts.pop() < IMAGES


@given(st.integers(1, IMAGES + 5))
@settings(max_examples=15, deadline=None)
def test_rows_are_in_the_order_of_the_data(batch_size: int) -> None:
    data, network = _data(), _network()
    part = DeviceSplit(data.images, data.labels, torch.arange(IMAGES - 1, -1, -3))
    all_rows = logits_of(network, data, Normalize())
    assert torch.allclose(
        logits_of(network, part, Normalize(), batch_size=batch_size), all_rows[part.indices], atol=1e-5
    )


def test_a_count_in_training_mode_depends_on_the_batch_size() -> None:
    """Control: in the mode of report 003 the batches matter, so the tests above can fail."""
    mode = [TrainingMode(size, size) for size in (2, 4, 7, 128)]
    counts = [
        metrics.correct_count(
            logits_in_mode(each, _network(), _data(), Normalize(), part="test", seed=0), _data().labels
        )
        for each in mode
    ]
    assert len(set(counts)) > 1


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("name", EVERY_KIND)
@pytest.mark.parametrize("mode", [EvaluationMode(7), TrainingMode(4, 7)], ids=["evaluation", "as published"])
def test_an_evaluation_leaves_no_trace(name: str, mode: EvaluationMode | TrainingMode) -> None:
    network = NARROW[f"narrow {name}"].build(3, 16)
    wide = whole(synthetic_split(IMAGES, 3, size=16), CPU)
    for number, module in enumerate(network.modules()):
        module.training = number % 2 == 0
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    before, flags = _state(network), [module.training for module in network.modules()]
    logits_in_mode(mode, network, wide, Normalize(), part="test", seed=0)
    forward_flops(network, 16)
    assert [module.training for module in network.modules()] == flags
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(
        p.requires_grad and p.grad is not None and bool((p.grad == 1).all()) for p in network.parameters()
    )
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("mode", [EvaluationMode(7), TrainingMode(4, 7)], ids=["evaluation", "as published"])
def test_modes_are_restored_when_an_evaluation_is_stopped(mode: EvaluationMode | TrainingMode) -> None:
    network = _network()
    flags = [module.training for module in network.modules()]

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        logits_in_mode(mode, network, _data(), Normalize(), part="test", seed=0, check_stop=stop)
    assert [module.training for module in network.modules()] == flags
    assert torch.is_grad_enabled()


def test_no_module_is_in_training_mode_inside() -> None:
    network = _network()
    with inference_mode(network):
        assert not any(module.training for module in network.modules())
        assert not torch.is_grad_enabled()


def test_every_module_is_in_training_mode_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def look(module: nn.Module, arguments: object) -> None:
        seen.extend(each.training for each in module.modules())

    network = _network()
    network.register_forward_pre_hook(look)
    logits_in_mode(TrainingMode(100, 100), network, _data(), Normalize(), part="test", seed=0)
    assert seen and all(seen)


@pytest.mark.parametrize(("part", "batches"), [("validation", 3), ("test", 76), ("train", 76)])
def test_batch_sizes_as_published(part: str, batches: int) -> None:
    """128 for the validation set, 4 for the others."""
    asked: list[None] = []
    logits_in_mode(
        TrainingMode(),
        _network(),
        _data(),
        Normalize(),
        part=part,
        seed=0,
        check_stop=lambda: asked.append(None),
    )
    assert len(asked) == batches


def test_rows_as_published_are_in_the_order_of_the_data() -> None:
    """The batches are shuffled; where neither dropout nor BatchNorm sees them, the logits are the same."""
    torch.manual_seed(2)
    network = PlainCnn(widths=(4, 8, 8)).build(3, 8)
    found = logits_in_mode(TrainingMode(4, 7), network, _data(), Normalize(), part="test", seed=0)
    expected = logits_of(network, _data(), Normalize())
    assert torch.allclose(found, expected, atol=1e-5)
    assert not torch.allclose(found, expected.flip(0), atol=1e-5)


def test_evaluating_more_often_changes_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose validation set is evaluated three times an epoch ends with the same bits."""
    source = synthetic_source()
    train(small_recipe(), source, tmp_path / "once")
    monkeypatch.setattr(
        loop,
        "logits_in_mode",
        lambda *arguments, **options: [evaluate.logits_in_mode(*arguments, **options) for _ in range(3)][-1],
    )
    train(small_recipe(), source, tmp_path / "thrice")
    assert outcome(tmp_path / "thrice") == outcome(tmp_path / "once")
