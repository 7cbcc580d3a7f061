"""The mean image: computed from the training images, kept with the weights, subtracted everywhere."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from cifarlab import run
from cifarlab.augment import MeanImage
from cifarlab.checkpoint import decode
from cifarlab.models import FastCnn
from cifarlab.models.centered import CenteredNetwork
from cifarlab.models.data_dependent import fit_to_data
from cifarlab.train import train
from support import small_recipe, synthetic_source


def reading(images: Tensor, size: int = 7) -> Iterator[Tensor]:
    yield from images.split(size)


def test_the_mean_is_over_all_images_and_is_subtracted() -> None:
    images = torch.rand(50, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    seen: list[Tensor] = []
    inner = nn.Sequential()
    inner.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    network = CenteredNetwork(inner, 8)
    network(images)
    torch.testing.assert_close(seen[-1], images)  # nothing is subtracted before it was fitted
    fit_to_data(network, lambda: reading(images))
    network(images[:4])
    torch.testing.assert_close(seen[-1], images[:4] - images.mean(0))


def test_a_network_behind_it_is_fitted_to_what_it_will_see() -> None:
    """The whitening filters of an off-center set are those of the centered one."""
    images = torch.rand(200, 3, 12, 12, generator=torch.Generator().manual_seed(0)) + 5
    inside = FastCnn().build(2, 12)
    fit_to_data(CenteredNetwork(inside, 12), lambda: reading(images))
    alone = FastCnn().build(2, 12)
    fit_to_data(alone, lambda: reading(images - images.mean(0)))
    torch.testing.assert_close(
        inside.get_parameter("whitening.weight").abs(), alone.get_parameter("whitening.weight").abs(),
        rtol=1e-3, atol=1e-4,
    )  # fmt: skip


def test_a_network_without_such_parts_is_left_alone() -> None:
    network = nn.Linear(3, 3)
    before = network.weight.clone()
    fit_to_data(network, lambda: iter([]))
    assert torch.equal(network.weight, before)


def test_a_run_keeps_the_mean_of_its_training_part_and_predicts_with_it(tmp_path: Path) -> None:
    source = synthetic_source()
    result = train(small_recipe(normalize=MeanImage()), source, tmp_path / "run", seed=2)
    trained, network = run.load_network(tmp_path / "run")
    mean = network.get_buffer("mean_image")
    everything = (source.read_train().images.float() / 255).mean(0)
    assert 0 < (mean - everything).abs().max() < 0.1, "of the training part, without the validation images"
    test = source.read_test()
    with torch.no_grad():
        logits = network(trained.normalize.apply(test.images))
        kept = decode((tmp_path / "run" / run.TEST_LOGITS).read_bytes(), tmp_path)[0]["logits"]
        torch.testing.assert_close(logits, kept, rtol=1e-4, atol=1e-5)
        mean.zero_()
        assert (network(trained.normalize.apply(test.images)) - kept).abs().max() > 1e-3
    assert (logits.argmax(1) == test.labels).double().mean() == result["test_accuracy"]
    assert result["parameters"]["statistics"] == 2 * 2 * (4 + 4 + 8), "the mean image is no parameter"
