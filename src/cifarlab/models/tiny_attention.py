"""Report 000's Residual Attention Network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from cifarlab.errors import UserError
from cifarlab.models.attention_module import AttentionModule, SoftMask
from cifarlab.models.initial_weights import keras_initial_weights
from cifarlab.models.residual_unit import (
    ResidualUnit,
    basic,
    batch_norm_relu,
    bottleneck,
    preactivation_bottleneck,
)

UnitKind = Literal["pre-activation", "bottleneck", "basic"]
Unit = Callable[[int, int, int], ResidualUnit]
"""Makes a residual unit of (input channels, output channels, stride)."""


def preactivation_unit(channels: int, outputs: int, stride: int) -> ResidualUnit:
    """The report's own unit; its middle has a quarter of the *input* channels."""
    path = preactivation_bottleneck(channels, channels // 4, outputs, stride)
    return ResidualUnit(path, _shortcut(channels, outputs, stride))


def bottleneck_unit(channels: int, outputs: int, stride: int) -> ResidualUnit:
    """The plain bottleneck, as narrow in the middle as the report's own unit."""
    path = bottleneck(channels, channels // 4, outputs, stride)
    return ResidualUnit(path, _shortcut(channels, outputs, stride), nn.ReLU(inplace=True))


def basic_unit(channels: int, outputs: int, stride: int) -> ResidualUnit:
    """The basic block: two 3×3 convolutions at full width."""
    path = basic(channels, outputs, stride)
    return ResidualUnit(path, _shortcut(channels, outputs, stride), nn.ReLU(inplace=True))


UNITS: dict[UnitKind, Unit] = {
    "pre-activation": preactivation_unit,
    "bottleneck": bottleneck_unit,
    "basic": basic_unit,
}


class TinyAttentionNetwork(nn.Module):
    """A 3×3 convolution, a unit and an attention module per stage, last units, one dense layer.

    Args:
        width: channels of the first stage; each later stage and the last units have twice as many.
        depths: steps down in the mask of each stage's attention module.
        last_units: units behind the last stage that keep the channels; the one that doubles them comes first.
        unit: makes the residual units.
        dropout: probability in front of the dense layer.
        classes: outputs.
    """

    def __init__(
        self, width: int, depths: Sequence[int], last_units: int, unit: Unit, dropout: float, classes: int
    ) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, width, kernel_size=3, padding=1, bias=False), batch_norm_relu(width)]
        channels = width
        for stage, depth in enumerate(depths):
            outputs = width * 2**stage
            layers += [unit(channels, outputs, 1 if stage == 0 else 2), _attention(outputs, depth, unit)]
            channels = outputs
        layers.append(unit(channels, 2 * channels, 2))
        channels *= 2
        layers += [unit(channels, channels, 1) for _ in range(last_units)]
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Normalized float images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        pooled = self.features(images).mean((2, 3))
        return self.classifier(self.dropout(pooled))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class TinyAttention:
    """Report 000, Fig. 3: 389,258 trainable parameters + 7,552 BatchNorm statistics = 396,810.

    Four times as wide it has 6,070,794 in total, and with a third last unit 7,192,586: likely the report's
    "about 7.2 million". The layer list gives the published counts exactly; others might too, as the report's
    figures are lost. No BatchNorm and no ReLU in front of the global average pool.

    A forward hook on ``network.features[3].mask`` (5 and 7 for the later stages) sees that stage's mask.

    Initial weights are Keras' defaults: the report used it. Ours: bilinear up-sampling, the dropout rate,
    torch's BatchNorm constants.
    """

    width: int = 32
    """Channels of the first stage, a multiple of 8."""
    depths: tuple[int, int, int] = (3, 2, 1)
    """Max-pools in each stage's mask; the report's 2, 1 and 0 joining units are one fewer."""
    last_units: int = 2
    """Units of the last width behind the one that reaches it."""
    unit: UnitKind = "pre-activation"
    """The report's own unit, or one of the two blocks that it is compared with."""
    dropout: float = 0.2
    """In front of the dense layer. The report does not give its rate."""

    def __post_init__(self) -> None:
        if self.width < 8 or self.width % 8:
            raise UserError(f"TinyAttention: width must be a multiple of 8, from 8, found {self.width}")
        if min(self.depths) < 1:
            raise UserError(f"TinyAttention: every depth must be at least 1, found {self.depths}")
        if self.last_units < 0:
            raise UserError(f"TinyAttention: last_units must not be negative, found {self.last_units}")
        if self.unit not in UNITS:
            raise UserError(f"TinyAttention: unit must be one of {', '.join(UNITS)}, found {self.unit}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"TinyAttention: dropout must lie in 0 … 1, below 1, found {self.dropout}")

    def build(self, classes: int, image_size: int) -> nn.Module:
        """The network for ``classes`` outputs and square images of ``image_size`` pixels."""
        halvings = [stage + depth for stage, depth in enumerate(self.depths)]
        multiple = 2 ** max(len(self.depths), *halvings)
        if image_size < multiple or image_size % multiple:
            raise UserError(
                f"TinyAttention takes images whose size is a multiple of {multiple}, not {image_size} pixels"
            )
        network = TinyAttentionNetwork(
            self.width, self.depths, self.last_units, UNITS[self.unit], self.dropout, classes
        )
        keras_initial_weights(network)
        return network


def _attention(channels: int, depth: int, unit: Unit) -> AttentionModule:
    """All units keep channels and size; the trunk has two; the mask's tail narrows to an eighth."""
    tail = nn.Sequential(
        nn.Conv2d(channels, channels // 8, kernel_size=1, bias=False),
        nn.Conv2d(channels // 8, channels, kernel_size=1),
    )

    def same() -> ResidualUnit:
        return unit(channels, channels, 1)

    return AttentionModule(
        before=same(),
        trunk=nn.Sequential(same(), same()),
        mask=SoftMask(same, depth, "bilinear", tail),
        after=same(),
    )


def _shortcut(channels: int, outputs: int, stride: int) -> nn.Module:
    """The identity where shapes allow it, else a 1×1 convolution with bias on the raw input."""
    if channels == outputs and stride == 1:
        return nn.Identity()
    return nn.Conv2d(channels, outputs, kernel_size=1, stride=stride)
