"""A network that first subtracts the mean image of its training set."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from cifarlab.models.data_dependent import fit_to_data


class CenteredNetwork(nn.Module):
    """``network`` behind the subtraction of a mean image, which is a buffer and so saved with the weights.

    Args:
        network: takes images ``[N, 3, H, W]`` and has a ``classifier``.
        image_size: height and width.
    """

    mean_image: Tensor
    """float32 ``[3, H, W]``; zeros before ``fit``."""

    def __init__(self, network: nn.Module, image_size: int) -> None:
        super().__init__()
        self.register_buffer("mean_image", torch.zeros(3, image_size, image_size))
        self.network = network

    @property
    def classifier(self) -> nn.Module:
        """The last dense layer."""
        return self.network.get_submodule("classifier")

    def fit(self, read: Callable[[], Iterator[Tensor]]) -> None:
        """Take the mean over all images; ``read`` gives them anew, batch by batch, at every call."""
        total = torch.zeros_like(self.mean_image, dtype=torch.float64, device="cpu")
        count = 0
        for images in read():
            total += images.sum(0, dtype=torch.float64).cpu()
            count += len(images)
        self.mean_image.copy_(total / count)
        fit_to_data(self.network, lambda: (images - self.mean_image for images in read()))

    def forward(self, images: Tensor) -> Tensor:
        """Images ``[N, 3, H, W]`` scaled but not centered, to logits ``[N, classes]``."""
        logits: Tensor = self.network(images - self.mean_image)
        return logits
