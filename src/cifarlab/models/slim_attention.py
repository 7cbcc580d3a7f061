"""Report 001's smaller Residual Attention Network, and the paper's as the report builds it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from cifarlab.errors import UserError
from cifarlab.models.attention_module import AttentionModule, SoftMask
from cifarlab.models.initial_weights import keras_initial_weights
from cifarlab.models.residual_unit import ResidualUnit, batch_norm_relu, preactivation_bottleneck


def residual_unit(channels: int, middle: int, outputs: int, stride: int = 1) -> ResidualUnit:
    """A pre-activation bottleneck whose shortcut is always a 1×1 convolution, even at equal shapes."""
    path = preactivation_bottleneck(channels, middle, outputs, stride)
    return ResidualUnit(path, nn.Conv2d(channels, outputs, kernel_size=1, stride=stride))


def attention(channels: int, depth: int) -> AttentionModule:
    """An attention module whose units have no bottleneck and whose trunk is a single one."""
    tail = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1))

    def same() -> ResidualUnit:
        return residual_unit(channels, channels, channels)

    return AttentionModule(same(), same(), SoftMask(same, depth, "nearest", tail), same())


class SlimAttentionNetwork(nn.Module):
    """A 5×5 convolution and a max-pool, two stages of attention modules, three last units, one dense layer.

    Args:
        width: channels of the first convolution; the stages have 4 and 8 times, the last units 16 times it.
        depths: for each stage, the steps down in the mask of each of its attention modules.
        activation: makes what stands behind the first convolution and in front of the average pool, from
            channels.
        dropout: probability in front of the dense layer.
        classes: outputs.
        image_size: height and width of the input, a multiple of 8 from 16.
    """

    def __init__(
        self,
        width: int,
        depths: tuple[Sequence[int], Sequence[int]],
        activation: Callable[[int], nn.Module],
        dropout: float,
        classes: int,
        image_size: int,
    ) -> None:
        super().__init__()
        first, second, last = 4 * width, 8 * width, 16 * width
        self.features = nn.Sequential(
            nn.Conv2d(3, width, kernel_size=5, padding=2),
            activation(width),
            nn.MaxPool2d(2),
            residual_unit(width, width, first),
            *[attention(first, depth) for depth in depths[0]],
            residual_unit(first, 2 * width, second, stride=2),
            *[attention(second, depth) for depth in depths[1]],
            residual_unit(second, 4 * width, last),
            residual_unit(last, 4 * width, last),
            residual_unit(last, 4 * width, last),
            activation(last),
            nn.AvgPool2d(kernel_size=4, stride=1),
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(last * (image_size // 4 - 3) ** 2, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Normalized float images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(self.dropout(self.features(images).flatten(1)))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class SlimAttention:
    """Report 001, Table 1: by default "our model", 6,810,954 trainable parameters + 17,408 statistics.

    The table's "paper model", 11,480,074 + 26,304, has ``depths=((2,), (1, 1))``, ``batch_norm=False`` and
    ``dropout=0.0``. Both layer lists come from the authors' public code, brought to the table; they, and not
    the table's 4×4×1024 and the text's two trunk units, give the published 6.8 and 11.5 million.

    The L2 norm on the dense layer is a penalty of the recipe. A forward hook on the ``mask`` of an attention
    module in ``network.features`` sees that mask.

    Initial weights are Keras' defaults, as in the authors' code. Ours: torch's BatchNorm constants.
    """

    width: int = 32
    """Channels of the first convolution; the stages have 4, 8 and 16 times as many."""
    depths: tuple[tuple[int, ...], tuple[int, ...]] = ((1,), (1,))
    """For each of the two stages, the max-pools in the mask of each of its attention modules."""
    batch_norm: bool = True
    """BatchNorm and ReLU behind the first convolution and in front of the average pool."""
    dropout: float = 0.4
    """In front of the dense layer; the rate is from the authors' public code."""

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UserError(f"SlimAttention: width must be at least 1, found {self.width}")
        if any(depth < 1 for stage in self.depths for depth in stage):
            raise UserError(f"SlimAttention: every depth must be at least 1, found {self.depths}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"SlimAttention: dropout must lie in 0 … 1, below 1, found {self.dropout}")

    def build(self, classes: int, image_size: int) -> nn.Module:
        """The network for ``classes`` outputs and square images of ``image_size`` pixels."""
        # The maps of stage 1 have half the image's size and those of stage 2 a quarter.
        halvings = [1 + depth for depth in self.depths[0]] + [2 + depth for depth in self.depths[1]]
        multiple = 2 ** max([2, *halvings])
        if image_size < 16 or image_size % multiple:
            raise UserError(
                f"SlimAttention takes images whose size is a multiple of {multiple}, from 16,"
                f" not {image_size} pixels"
            )
        activation = batch_norm_relu if self.batch_norm else nn.Identity
        network = SlimAttentionNetwork(self.width, self.depths, activation, self.dropout, classes, image_size)
        keras_initial_weights(network)
        return network
