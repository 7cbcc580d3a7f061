"""One suite over every network that the reports name: ``cifarlab.models.CATALOG``."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.config import from_json, to_json
from cifarlab.errors import UserError
from cifarlab.models import CATALOG, Model
from cifarlab.models.cost import count_parameters
from cifarlab.models.modes import inference_mode
from cifarlab.runtime import reseed

SIZE = 32
PARAMETERS: dict[str, tuple[int, int]] = {
    "plain-cnn": (307_498, 0),
    "plain-cnn-regularized": (308_394, 896),
}
"""Trainable parameters and BatchNorm statistics with 10 classes, as published where a report says it."""
OVERFIT_STEPS = 80

every_network = pytest.mark.parametrize("name", CATALOG)


def built(name: str, classes: int = 10, seed: int = 0) -> nn.Module:
    reseed(seed, "zoo")
    return CATALOG[name][1].build(classes, SIZE)


def images_of(count: int, seed: int = 0) -> Tensor:
    randomness = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, SIZE, SIZE, generator=randomness) * 2 - 1


def state_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def assert_equal_states(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


@every_network
@pytest.mark.parametrize("classes", [2, 10, 12, 100])
def test_one_finite_logit_per_class(name: str, classes: int) -> None:
    network = built(name, classes)
    for count in (2, 5):
        logits = network(images_of(count))
        assert logits.shape == (count, classes)
        assert logits.dtype is torch.float32
        assert torch.isfinite(logits).all()
    with inference_mode(network):
        assert network(images_of(1)).shape == (1, classes)


@every_network
def test_every_parameter_gets_a_gradient(name: str) -> None:
    network = built(name)
    F.cross_entropy(network(images_of(16)), torch.arange(16) % 10).backward()
    without = [
        key
        for key, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0 or not parameter.grad.isfinite().all()
    ]
    assert without == []


@every_network
def test_evaluation_leaves_the_network_as_it_was(name: str) -> None:
    network = built(name).train()
    first = next(network.children())
    first.eval()
    modes = [module.training for module in network.modules()]
    before = state_of(network)
    with inference_mode(network):
        assert not any(module.training for module in network.modules())
        logits = network(images_of(4))
        again = network(images_of(4))
    assert not logits.requires_grad
    assert torch.equal(logits, again)
    assert_equal_states(before, state_of(network))
    assert [module.training for module in network.modules()] == modes


@every_network
def test_modes_come_back_after_an_error(name: str) -> None:
    network = built(name).train()
    with pytest.raises(KeyError), inference_mode(network):
        raise KeyError
    assert all(module.training for module in network.modules())
    assert torch.is_grad_enabled()


@every_network
def test_in_evaluation_an_image_s_logits_do_not_depend_on_its_batch(name: str) -> None:
    network, images = built(name), images_of(6)
    with inference_mode(network):
        together = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    assert (together - alone).abs().max() < 1e-4


@every_network
def test_the_config_comes_back_from_json(name: str) -> None:
    config = CATALOG[name][1]
    document = json.loads(json.dumps(to_json(config)))
    assert repr(from_json(Model, document)) == repr(config)


@every_network
def test_one_seed_gives_the_same_weights_twice(name: str) -> None:
    assert_equal_states(state_of(built(name, seed=3)), state_of(built(name, seed=3)))
    first, other = state_of(built(name, seed=3)), state_of(built(name, seed=4))
    assert any(not torch.equal(first[key], other[key]) for key in first)


@every_network
def test_parameters_are_counted_as_published(name: str) -> None:
    assert name in PARAMETERS, "write the new network's parameter counts into PARAMETERS, checked by hand"
    count = count_parameters(built(name))
    assert (count.trainable, count.statistics) == PARAMETERS[name]
    assert count.total == sum(PARAMETERS[name])


@every_network
def test_one_batch_can_be_learned_by_heart(name: str) -> None:
    network, images, labels = built(name), images_of(16), torch.arange(16) % 10
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    for _ in range(OVERFIT_STEPS):
        network.train()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        with inference_mode(network):
            if (network(images).argmax(1) == labels).all():
                return
    pytest.fail(f"not learned in {OVERFIT_STEPS} steps")


@every_network
def test_memory_layout_changes_nothing(name: str) -> None:
    network, images = built(name), images_of(4)
    with inference_mode(network):
        plain = network(images)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        other = network(images.to(memory_format=torch.channels_last))
    assert (plain - other).abs().max() < 1e-4


@every_network
def test_bf16_is_finite_and_near(name: str) -> None:
    network, images = built(name), images_of(4)
    with inference_mode(network):
        exact = network(images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = network(images)
    assert rough.dtype is torch.bfloat16
    assert torch.isfinite(rough).all()
    assert (exact - rough.float()).abs().max() < 0.05 * (1 + exact.abs().max())


@every_network
@pytest.mark.parametrize("size", [-8, 0, 1, 7, 8, 31, 33, 48])
def test_an_image_size_works_or_is_refused_in_one_line(name: str, size: int) -> None:
    try:
        network = CATALOG[name][1].build(10, size)
    except UserError as error:
        assert f"{size} pixels" in str(error)
        assert str(error).isprintable()
        assert size != SIZE
        return
    assert size >= 1
    assert network(torch.zeros(2, 3, size, size)).shape == (2, 10)


@pytest.mark.soak
@every_network
@pytest.mark.filterwarnings("default")  # the compiler's own warnings are not ours
def test_compiling_changes_nothing(name: str) -> None:
    network, images = built(name), images_of(4)
    compiled: Any = torch.compile(network)
    with inference_mode(network):
        assert (network(images) - compiled(images)).abs().max() < 1e-4
    network.train()
    reseed(1)
    plain = network(images)
    assert compiled(images).shape == plain.shape
