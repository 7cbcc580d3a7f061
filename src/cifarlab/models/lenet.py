"""LeNet-5, the network that report 000 compares its own with."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from cifarlab.errors import UserError

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU}
POOLINGS: dict[str, type[nn.AvgPool2d | nn.MaxPool2d]] = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


class LeNetNetwork(nn.Module):
    """Two 5×5 convolutions, each with a 2×2 pool behind it, and three dense layers.

    Args:
        activation: makes the activation behind every layer but the last.
        pooling: makes a pool from its window.
        classes: outputs.
        image_size: height and width of the input, a multiple of 4 from 16.
    """

    def __init__(
        self,
        activation: type[nn.Module],
        pooling: type[nn.AvgPool2d | nn.MaxPool2d],
        classes: int,
        image_size: int,
    ) -> None:
        super().__init__()
        side = (image_size - 12) // 4
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, kernel_size=5),
            activation(),
            pooling(2),
            nn.Conv2d(6, 16, kernel_size=5),
            activation(),
            pooling(2),
            nn.Flatten(),
            nn.Linear(16 * side**2, 120),
            activation(),
            nn.Linear(120, 84),
            activation(),
        )
        self.classifier = nn.Linear(84, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Normalized float images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(self.features(images))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class LeNet:
    """LeNet-5 (LeCun 1998, "Gradient-Based Learning Applied to Document Recognition"): 62,006 parameters.

    For color images of 32×32 pixels and 10 classes:

    =============  ==========  ==========
    layer          output      parameters
    =============  ==========  ==========
    5×5, 3→6       28×28×6     456
    pool 2         14×14×6     0
    5×5, 6→16      10×10×16    2,416
    pool 2         5×5×16      0
    dense 400→120  120         48,120
    dense 120→84   84          10,164
    dense 84→10    10          850
    =============  ==========  ==========

    Report 000 names it and gives no layer list. The defaults, tanh and average pools, are the paper's, in
    today's usual simplification: pools without weights, all 6 maps connected to all 16, a dense layer with
    softmax in place of the radial basis functions.
    """

    activation: Literal["tanh", "relu"] = "tanh"
    pooling: Literal["average", "max"] = "average"

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise UserError(f"LeNet: activation must be tanh or relu, found {self.activation}")
        if self.pooling not in POOLINGS:
            raise UserError(f"LeNet: pooling must be average or max, found {self.pooling}")

    def build(self, classes: int, image_size: int) -> nn.Module:
        """The network for ``classes`` outputs and square images of ``image_size`` pixels."""
        if image_size < 16 or image_size % 4:
            raise UserError(
                f"LeNet takes images whose size is a multiple of 4, from 16, not {image_size} pixels"
            )
        return LeNetNetwork(ACTIVATIONS[self.activation], POOLINGS[self.pooling], classes, image_size)
