"""One suite over every network: those that the reports name, and narrow ones of every structure.

What a network costs is checked on the ``meta`` device, which knows shapes but computes nothing. Behavior is
checked on the narrow networks, and by ``make soak`` on the full-size ones, too.
"""

import json
from typing import Any, get_args

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
from models.narrow import NARROW

SIZE = 32
PARAMETERS: dict[str, tuple[int, int]] = {
    "tiny-attention": (389_258, 7_552),
    "tiny-attention-wide": (6_040_586, 30_208),
    "tiny-attention-wide-7m": (7_159_306, 33_280),
    "lenet-5": (62_006, 0),
    "slim-attention": (6_810_954, 17_408),
    "slim-attention-paper": (11_480_074, 26_304),
    "plain-cnn": (307_498, 0),
    "plain-cnn-regularized": (308_394, 896),
    "shake-shake-26-2x32d": (2_923_146, 7_616),
    "shake-shake-26-2x64d": (11_653_962, 15_232),
    "shake-shake-26-2x96d": (26_192_906, 22_848),
    "plain-20": (269_722, 1_376),
    "plain-56": (853_018, 4_064),
    "resnet10": (4_903_242, 5_760),
    "resnet16": (4_909_642, 6_528),
    "resnet24": (4_935_242, 7_552),
    "resnet48": (4_994_378, 10_624),
    "resnet18": (11_173_962, 9_600),
    "resnet18-cbam": (11_261_146, 9_600),
    "resnet18-cbam-aspp": (15_388_890, 9_600),
    "resnet18-cbam-spp": (11_656_154, 11_392),
    "fast-cnn": (1_089_442, 1_664),
}
"""Trainable parameters and BatchNorm statistics with 10 classes, as published where a report says it."""
TRAINABLE_WITH_12_CLASSES = {
    "resnet18": 11_174_988,
    "resnet18-cbam": 11_262_172,
    "resnet18-cbam-aspp": 15_389_404,
    "resnet18-cbam-spp": 11_657_180,
}
"""Report 004's networks on its own 12 classes."""
CONFIGS: dict[str, Model] = {**{name: model for name, (_, model) in CATALOG.items()}, **NARROW}
OVERFIT_STEPS = 160

every_named_network = pytest.mark.parametrize("name", CATALOG)
every_network = pytest.mark.parametrize(
    "name", [*NARROW, *(pytest.param(name, marks=pytest.mark.soak) for name in CATALOG)]
)


def built(name: str, classes: int = 10, seed: int = 0) -> nn.Module:
    reseed(seed, "zoo")
    return CONFIGS[name].build(classes, SIZE)


def settled(name: str) -> nn.Module:
    """With BatchNorm's statistics of real activations; without, a deep network hardly sees its input."""
    network = built(name)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the average of all batches, here of the one
    with torch.no_grad():
        network.train()(images_of(16, seed=1))
    return network


def shape_only(name: str, classes: int) -> nn.Module:
    with torch.device("meta"):
        return CONFIGS[name].build(classes, SIZE)


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
        if parameter.requires_grad
        and (parameter.grad is None or not 0 < parameter.grad.abs().sum() < float("inf"))
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
    network, images = settled(name), images_of(6)
    with inference_mode(network):
        together = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    # 56 plain layers make rounding errors large; where the batch mattered, both would be of one size.
    assert (together - alone).abs().max() < 0.05 * together.std(0).max()


@every_network
def test_the_config_comes_back_from_json(name: str) -> None:
    config = CONFIGS[name]
    document = json.loads(json.dumps(to_json(config)))
    assert repr(from_json(Model, document)) == repr(config)


@every_network
def test_one_seed_gives_the_same_weights_twice(name: str) -> None:
    assert_equal_states(state_of(built(name, seed=3)), state_of(built(name, seed=3)))
    first, other = state_of(built(name, seed=3)), state_of(built(name, seed=4))
    assert any(not torch.equal(first[key], other[key]) for key in first)


@every_named_network
def test_parameters_are_counted_as_published(name: str) -> None:
    assert name in PARAMETERS, "write the new network's parameter counts into PARAMETERS, checked by hand"
    count = count_parameters(shape_only(name, 10))
    assert (count.trainable, count.statistics) == PARAMETERS[name]
    assert count.total == sum(PARAMETERS[name])


@pytest.mark.parametrize("name", TRAINABLE_WITH_12_CLASSES)
def test_parameters_are_counted_as_published_for_12_classes(name: str) -> None:
    assert count_parameters(shape_only(name, 12)).trainable == TRAINABLE_WITH_12_CLASSES[name]


@every_named_network
def test_a_class_costs_one_row_and_one_bias_of_the_last_layer(name: str) -> None:
    trainable, statistics = PARAMETERS[name]
    for classes in (2, 12, 100):
        network: Any = shape_only(name, classes)
        assert isinstance(network.classifier, nn.Linear)
        assert network.classifier.out_features == classes
        count = count_parameters(network)
        assert count.trainable - trainable == (network.classifier.in_features + 1) * (classes - 10)
        assert count.statistics == statistics


def test_every_family_has_a_narrow_network() -> None:
    assert {type(config) for config in NARROW.values()} == set(get_args(Model))
    assert not set(NARROW) & set(CATALOG)


@every_named_network
def test_a_full_size_network_gives_finite_logits_in_both_modes(name: str) -> None:
    network = built(name)
    with inference_mode(network):
        fresh = network(images_of(2))
    assert fresh.shape == (2, 10)
    assert torch.isfinite(fresh).all()
    with torch.no_grad():
        trained = network(images_of(2))
    assert torch.isfinite(trained).all()


@every_network
def test_one_batch_can_be_learned_by_heart(name: str) -> None:
    network, images, labels = built(name), images_of(8), torch.arange(8)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.005 if name in NARROW else 0.001)
    for step in range(OVERFIT_STEPS):
        network.train()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % 8 == 7:
            with inference_mode(network):
                if (network(images).argmax(1) == labels).all():
                    return
    pytest.fail(f"not learned in {OVERFIT_STEPS} steps")


@every_network
def test_memory_layout_changes_nothing(name: str) -> None:
    network, images = settled(name), images_of(4)
    with inference_mode(network):
        plain = network(images)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        other = network(images.to(memory_format=torch.channels_last))
    assert (plain - other).abs().max() < 1e-4


@every_network
def test_bf16_is_finite_and_near(name: str) -> None:
    network, images = settled(name), images_of(4)
    with inference_mode(network):
        exact = network(images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = network(images)
    assert rough.dtype is torch.bfloat16
    assert torch.isfinite(rough).all()
    assert (exact - rough.float()).std() < 0.4 * exact.std()


@every_network
@pytest.mark.parametrize("size", [-8, 0, 1, 7, 8, 31, 33, 48])
def test_an_image_size_works_or_is_refused_in_one_line(name: str, size: int) -> None:
    try:
        network = CONFIGS[name].build(10, size)
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
    network, images = settled(name), images_of(4)
    compiled: Any = torch.compile(network)
    with inference_mode(network):
        assert (network(images) - compiled(images)).abs().max() < 1e-4
    network.train()
    reseed(1)
    plain = network(images)
    assert compiled(images).shape == plain.shape
