"""Report 003's plain convolutional network, bare and regularized."""

from dataclasses import dataclass

from torch import Tensor, nn

from cifarlab.errors import UserError


class PlainCnnNetwork(nn.Module):
    """Three stages of two 3×3 convolutions and a 2×2 max-pool, then one linear layer.

    Args:
        widths: output channels of the three stages.
        dropout: probabilities after the three pools; 0 leaves the layer out.
        batch_norm: the normalization layer behind each ReLU, a callable from channels to a module, or None.
        classes: outputs.
        image_size: height and width of the input, a multiple of 8.
    """

    def __init__(
        self,
        widths: tuple[int, int, int],
        dropout: tuple[float, float, float],
        batch_norm: type[nn.BatchNorm2d] | None,
        classes: int,
        image_size: int,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width, probability in zip(widths, dropout, strict=True):
            for _ in range(2):
                layers += [nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU(inplace=True)]
                if batch_norm is not None:
                    layers.append(batch_norm(width))
                channels = width
            layers.append(nn.MaxPool2d(2))
            if probability > 0:
                layers.append(nn.Dropout(probability))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels * (image_size // 8) ** 2, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Normalized float images ``[N, 3, H, W]`` to logits ``[N, classes]``."""
        return self.classifier(self.features(images).flatten(1))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class PlainCnn:
    """Report 003, "Complete architecture" and "New architecture": 307,498 and 308,394 parameters.

    Layer order from the authors' public code: convolution, activation, BatchNorm. Deviations from it: plain
    ReLU where the code of the second network has a leaky one (slope 0.001), and no activation behind the
    linear layer, as in the report's own layer list.
    """

    widths: tuple[int, int, int] = (32, 64, 128)
    batch_norm: bool = False
    dropout: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if min(self.widths) < 1:
            raise UserError(f"PlainCnn: every width must be at least 1, found {self.widths}")
        if not all(0 <= probability < 1 for probability in self.dropout):
            raise UserError(f"PlainCnn: dropout must lie in 0 … 1, below 1, found {self.dropout}")

    def build(self, classes: int, image_size: int) -> nn.Module:
        """The network for ``classes`` outputs and square images of ``image_size`` pixels."""
        if image_size < 8 or image_size % 8:
            raise UserError(f"PlainCnn takes images whose size is a multiple of 8, not {image_size} pixels")
        norm = nn.BatchNorm2d if self.batch_norm else None
        return PlainCnnNetwork(self.widths, self.dropout, norm, classes, image_size)
