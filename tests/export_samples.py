"""Run folders with networks of any kind, as a finished run leaves them, without training."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cifarlab.augment import Normalization, Normalize
from cifarlab.config import to_json
from cifarlab.data.digits import open_digits
from cifarlab.files import write_json
from cifarlab.models import Model
from cifarlab.models.centered import CenteredNetwork
from cifarlab.recipe import Recipe
from cifarlab.run import RECIPE, RESULT, RunDescription, trained_network, write_weights
from cifarlab.views import TestTimeViews

SKEWED = Normalize((0.1, 0.5, 0.7), (0.2, 0.25, 0.4))
"""Channels in a wrong order would show."""


def colored_digits(count: int) -> Tensor:
    """uint8 ``[count, 3, 32, 32]``: digits, each of a color of its own, so that the channels differ."""
    images = open_digits().read_train().images[:count].float()
    colors = torch.rand(count, 3, 1, 1, generator=torch.Generator().manual_seed(1))
    return (images * colors).to(torch.uint8)


def answers(file: Path, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities and logits of an exported graph."""
    import onnxruntime  # an extra: loaded when asked for

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    probabilities, logits = session.run(["probabilities", "logits"], {"images": pixels.numpy()})
    return torch.from_numpy(probabilities), torch.from_numpy(logits)


def _hand_inputs_on(network: nn.Module) -> None:
    """Let every convolution add its input to its answer.

    At random weights a deep network without shortcuts gives all pictures the same logits but for rounding,
    and a comparison of two programs would compare that.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.add_(nn.init.dirac_(torch.empty_like(layer.weight), layer.groups))


def untrained_run(
    folder: Path, model: Model, normalize: Normalization = SKEWED, views: TestTimeViews | None = None
) -> Path:
    """A finished run whose network is far from its initial state: moved statistics, logits that differ."""
    description = RunDescription(
        "sample", Recipe(model, normalize=normalize, views=views), open_digits().description, 0, "C"
    )
    trained = trained_network(description)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        network, inputs = trained.build(), normalize.apply(colored_digits(64))
        _hand_inputs_on(network)
        if isinstance(network, CenteredNetwork):
            network.fit(lambda: iter([inputs]))
        for _ in range(3):
            network.train()(inputs)
        classifier: Any = network.get_submodule("classifier")
        classifier.weight.mul_(1 / network.eval()(inputs).std(0).mean())
        if classifier.bias is not None:
            classifier.bias.sub_(network(inputs).mean(0))  # else all pictures are of one class
    folder.mkdir(parents=True)
    write_json(folder / RECIPE, to_json(description))
    write_weights(folder, network.state_dict(), trained)
    result = {"schema": 2, "status": "finished", "test_accuracy": 0.5, "test_images": 450}
    write_json(folder / RESULT, {**result, "interval": [0.45, 0.55]})
    return folder
