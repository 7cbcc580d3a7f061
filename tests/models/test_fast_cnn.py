"""Our own small network: whitening, the identity at the beginning, sizes."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Split, source_of
from cifarlab.errors import UserError
from cifarlab.models import FastCnn
from cifarlab.models.data_dependent import fit_to_data
from cifarlab.models.fast_cnn import FastCnnNetwork, whitening_filters
from cifarlab.optim import Sgd
from cifarlab.recipe import Recipe
from cifarlab.run import load_network
from cifarlab.train import train


def correlated_images(count: int = 500, size: int = 16) -> Tensor:
    """Noise smoothed over space and mixed over channels, as photographs are."""
    noise = torch.randn(count, 3, size + 4, size + 4, generator=torch.Generator().manual_seed(0))
    smooth = F.avg_pool2d(noise, 5, stride=1) * 3
    mixing = torch.tensor([[1.0, 0.8, 0.6], [0.0, 0.5, 0.4], [0.0, 0.0, 0.3]])
    return torch.einsum("nchw,dc->ndhw", smooth, mixing)


def test_whitened_patches_are_uncorrelated_and_of_variance_1() -> None:
    images = correlated_images()
    answers = F.conv2d(images, whitening_filters(images.split(64))).transpose(0, 1).flatten(1).double()
    second_moments = answers @ answers.T / answers.shape[1]
    off_diagonal = second_moments - torch.diag(second_moments.diagonal())
    assert off_diagonal.abs().max() < 0.01
    # What varies much becomes 1; what hardly varies is not blown up, since the eigenvalues are raised.
    assert second_moments.diagonal()[:3] == pytest.approx([1, 1, 1], abs=0.01)
    assert second_moments.diagonal().max() < 1.01


def test_fitting_sets_both_signs_and_nothing_else() -> None:
    network = FastCnn().build(10, 16)
    assert isinstance(network, FastCnnNetwork)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = correlated_images()
    fit_to_data(network, lambda: iter(images.split(64)))
    filters = network.whitening.weight
    torch.testing.assert_close(filters[:12], -filters[12:])
    torch.testing.assert_close(
        filters[:12].abs(), whitening_filters(images.split(64)).abs(), rtol=1e-3, atol=1e-4
    )
    changed = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["whitening.weight"]
    assert not filters.requires_grad


def test_only_the_first_images_are_looked_at() -> None:
    """5,000 are plenty; a larger set costs no more memory."""
    reads = 0

    def read() -> Any:
        nonlocal reads
        for _ in range(100):
            reads += 1
            yield torch.randn(1000, 3, 9, 9)

    fit_to_data(FastCnn().build(2, 9), read)
    assert reads == 5


def test_convolutions_begin_as_the_identity() -> None:
    network = FastCnn().build(10, 32)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)][1:]
    assert [layer.out_channels for layer in layers] == [32, 32, 128, 128, 256, 256]
    for layer in layers:
        images = torch.randn(2, layer.in_channels, 5, 5)
        torch.testing.assert_close(layer(images)[:, : layer.in_channels], images[:, : layer.out_channels])


def test_factors_stay_1_if_they_are_not_to_be_learned() -> None:
    network = FastCnn((4, 4, 4), learned_factors=False).build(3, 12).train()
    network(correlated_images(5)).square().sum().backward()
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == 6
    for norm in norms:
        assert norm.weight.grad is None and bool((norm.weight == 1).all())
        assert norm.bias.grad is not None


def test_logits_are_scaled() -> None:
    torch.manual_seed(0)
    network = FastCnn().build(4, 16).eval()
    images = correlated_images(3)
    plain = FastCnn(logit_scale=1.0).build(4, 16).eval()
    plain.load_state_dict(network.state_dict())
    torch.testing.assert_close(network(images) * 9, plain(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [-1, 0, 8])
def test_a_size_too_small_is_refused(size: int) -> None:
    with pytest.raises(UserError, match=f"from 9 pixels, not {size} pixels"):
        FastCnn().build(10, size)


@pytest.mark.parametrize(
    "values", [{"widths": (0, 1, 1)}, {"logit_scale": 0.0}, {"logit_scale": math.inf}], ids=str
)
def test_values_that_make_no_sense_are_refused(values: Any) -> None:
    with pytest.raises(UserError, match="FastCnn: "):
        FastCnn(**values)


def test_a_set_sorted_by_class_is_seen_as_a_whole(tmp_path: Path) -> None:
    """Folders list one class after the other; filters of the first classes alone would not fit the rest."""
    pixels = torch.cat([torch.full((3000, 3, 9, 9), 100), torch.full((3000, 3, 9, 9), 160)])
    noise = torch.randint(-40, 40, pixels.shape, generator=torch.Generator().manual_seed(0))
    contrast = torch.cat([torch.full((3000,), 0.05), torch.full((3000,), 1.0)])[:, None, None, None]
    images = (pixels + noise * contrast).to(torch.uint8)
    split = Split(images, (torch.arange(6000) >= 3000).long(), ("flat", "rough"))
    source = source_of("sorted", split, split.select(torch.tensor([0, 5999])), "given", Preparation(size=9))
    still = Sgd(lr=0.0)
    recipe = Recipe(FastCnn((4, 4, 4)), optimizer=still, epochs=1, batch_size=1000)
    train(recipe, source, tmp_path / "run")
    trained, network = load_network(tmp_path / "run")
    with torch.no_grad():
        answers = network.get_submodule("whitening")(trained.normalize.apply(images[3000:]))
    bias = network.get_parameter("whitening.bias").detach()[:, None, None]
    assert (answers - bias).square().mean((0, 2, 3)).sqrt().max() < 2
