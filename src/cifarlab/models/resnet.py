"""Residual networks of any depth and width, and the plain networks they are held against."""

from dataclasses import dataclass
from typing import get_args

from torch import Tensor, nn

from cifarlab.errors import UserError, nearest
from cifarlab.models.blocks import (
    Activation,
    Order,
    Shortcut,
    activation_layer,
    basic_block,
    pre_activation,
)
from cifarlab.models.cbam import Cbam
from cifarlab.models.pyramid_pooling import GlobalAverage, Head


class ResidualNetwork(nn.Module):
    """Stem, layers of blocks, what closes the last block, head, dropout, and one linear layer.

    Args:
        stem: images to the first map.
        layers: one after the other, each a sequence of blocks.
        closing: the activation that the last block leaves to whatever follows it; empty in most orders.
        head: the last map to a vector of ``features``.
        features: length of that vector.
        dropout: probability before the linear layer.
        classes: outputs.
    """

    def __init__(
        self,
        stem: nn.Module,
        layers: list[nn.Module],
        closing: nn.Module,
        head: nn.Module,
        features: int,
        dropout: float,
        classes: int,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.layers = nn.Sequential(*layers)
        self.closing = closing
        self.head = head
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Normalized float images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        features = self.closing(self.layers(self.stem(images)))
        return self.classifier(self.dropout(self.head(features)))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class ResNet:
    """He et al. 2015 (1512.03385) with basic blocks: report 002's four networks, report 004's ResNet18.

    A 3×3 convolution to the first layer's channels without bias, BN, activation; then the layers, the first
    at stride 1, each later one beginning with stride 2. Any image from 1 pixel fits.

    In every order the activation behind the first convolution also serves as the pre-activation of the
    first block, and an order with pre-activation has one more behind the last block, before the head
    (He et al. 2016, appendix). So the five orders have equally many parameters.

    Weights start as torch starts them, as in the code that report 004 shows; report 002 says nothing of
    initialization. He et al. draw them from another distribution (1502.01852).

    The plain networks (He et al. 2015, section 4.2, whose degradation report 002 quotes) are 6n + 2 layers
    at 16, 32 and 64 channels without shortcuts. The residual networks next to them differ from the paper's:
    their shortcuts are projections where the size changes, the paper's (option A) have no parameters.
    """

    blocks: tuple[int, ...] = (2, 2, 2, 2)
    """Blocks of each layer, two convolutions each."""
    channels: tuple[int, ...] = (64, 128, 256, 512)
    """Channels of each layer."""
    order: Order = "original"
    """Of BN, activation and addition in a block: see ``cifarlab.models.blocks.basic_block``."""
    activation: Activation = "relu"
    shortcut: Shortcut = "projection"
    """``projection``: an identity, or a 1×1 convolution and BN where the shape changes. ``none``: plain."""
    dropout: float = 0.0
    """Probability before the linear layer."""
    attention: Cbam | None = None
    """In every block, before the addition."""
    head: Head = GlobalAverage()

    def __post_init__(self) -> None:
        for name, kind in (("order", Order), ("activation", Activation), ("shortcut", Shortcut)):
            value, known = getattr(self, name), get_args(kind)
            if value not in known:
                raise UserError(f"ResNet: {name} cannot be {value!r}; {nearest(str(value), known)}")
        if len(self.blocks) != len(self.channels):
            raise UserError(
                f"ResNet: blocks and channels need one number per layer each, found {self.blocks} and "
                f"{self.channels}"
            )
        for name, numbers in (("blocks", self.blocks), ("channels", self.channels)):
            if not numbers or min(numbers) < 1:
                raise UserError(f"ResNet: {name} must be one or more numbers from 1, found {numbers}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"ResNet: dropout must lie in 0 … 1, below 1, found {self.dropout}")

    def build(self, classes: int, image_size: int) -> nn.Module:
        """The network for ``classes`` outputs and square images of ``image_size`` pixels.

        Raises:
            UserError: no image has this size, or the attention does not fit the channels.
        """
        if image_size < 1:
            raise UserError(f"ResNet takes images from 1 pixel, not {image_size} pixels")
        first, last = self.channels[0], self.channels[-1]
        stem = nn.Sequential(
            nn.Conv2d(3, first, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(first),
            activation_layer(self.activation),
        )
        return ResidualNetwork(
            stem=stem,
            layers=self._layers(),
            closing=pre_activation(self.order, last, self.activation),
            head=self.head.build(last),
            features=self.head.features(last),
            dropout=self.dropout,
            classes=classes,
        )

    def _layers(self) -> list[nn.Module]:
        layers: list[nn.Module] = []
        inputs = self.channels[0]
        opening = nn.Sequential()  # the stem has already activated what the first block takes
        for blocks, outputs in zip(self.blocks, self.channels, strict=True):
            layer = nn.Sequential()
            for index in range(blocks):
                layer.append(
                    basic_block(
                        inputs,
                        outputs,
                        stride=2 if layers and index == 0 else 1,
                        order=self.order,
                        activation=self.activation,
                        shortcut=self.shortcut,
                        pre_activation=opening,
                        attention=self.attention.build(outputs) if self.attention else None,
                    )
                )
                inputs = outputs
                opening = pre_activation(self.order, inputs, self.activation)
            layers.append(layer)
        return layers
