"""How much each pixel, or each patch, of a picture counts for a class. The methods are captum's."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from cifarlab.errors import UserError
from cifarlab.models.centered import CenteredNetwork
from cifarlab.models.modes import inference_mode

_AT_ONCE = 128
"""Images in one pass: captum takes all steps of all images at once otherwise."""


def integrated_gradients(network: nn.Module, images: Tensor, classes: Tensor, steps: int = 64) -> Tensor:
    """Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) of a class's logit.

    The gradient is averaged along the straight way from a baseline to the image, and multiplied by what lies
    between them. So the sum over an image is the logit's difference between the image and the baseline, up
    to the error of the sum over ``steps`` (completeness). The baseline is the image in the middle of the
    data, see ``baseline``: pixels that are like it get nothing, whatever they show.

    Args:
        network: in any mode; it is used in evaluation mode and left as it was.
        images: normalized, float ``[N, 3, H, W]``.
        classes: int64 ``[N]``.
        steps: points on the way, by Gauss-Legendre quadrature.

    Returns:
        float ``[N, 3, H, W]``, in logits.

    Raises:
        UserError: captum is not installed.
    """
    method = _captum().IntegratedGradients(network)
    with inference_mode(network), torch.enable_grad():
        found: Tensor = method.attribute(
            images.detach().clone().requires_grad_(),
            baseline(network, images),
            target=classes.to(images.device),
            n_steps=steps,
            internal_batch_size=max(_AT_ONCE, len(images)),
        )
    return found.detach()


def occlusion(network: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """What a class's logit loses where a patch is covered (Zeiler and Fergus 2014, arXiv 1311.2901, 3.2).

    A square patch, a quarter of the image wide, is moved by half its width and filled with the baseline, see
    ``baseline``. A place gets the mean over the patches that cover it.

    Args:
        network: in any mode; it is used in evaluation mode and left as it was.
        images: normalized, float ``[N, 3, H, W]``.
        classes: int64 ``[N]``.

    Returns:
        float ``[N, H, W]``, in logits; negative where the class gains by the cover.

    Raises:
        UserError: captum is not installed.
    """
    method = _captum().Occlusion(network)
    height, width = images.shape[2:]
    patch = max(1, height // 4), max(1, width // 4)
    stride = max(1, patch[0] // 2), max(1, patch[1] // 2)
    with inference_mode(network):
        found: Tensor = method.attribute(
            images,
            sliding_window_shapes=(images.shape[1], *patch),
            strides=(images.shape[1], *stride),
            baselines=baseline(network, images),
            target=classes.to(images.device),
        )
    return found[:, 0]


def baseline(network: nn.Module, images: Tensor) -> Tensor:
    """The images ``[N, 3, H, W]`` that say nothing: zero after normalization, all of one color.

    For a network that subtracts the mean image of its training set, that mean image.
    """
    if isinstance(network, CenteredNetwork):
        return network.mean_image.expand_as(images).clone()
    return torch.zeros_like(images)


def heat(attribution: Tensor) -> Tensor:
    """Attributions as a heat map, 0 to 1: ``[N, 3, H, W]`` or ``[N, H, W]`` to ``[N, H, W]``.

    Channels are summed, what speaks against the class becomes zero, and each image is divided by its 99th
    percentile, above which everything is 1: single pixels would darken all others.
    """
    total = (attribution.sum(1) if attribution.ndim == 4 else attribution).relu()
    pixels = total.flatten(1)
    largest = pixels.kthvalue(math.ceil(0.99 * pixels.shape[1]), dim=1).values[:, None, None]
    largest = torch.where(largest > 0, largest, total.amax((1, 2), keepdim=True))
    return torch.where(largest > 0, total / largest, 0.0).clamp(max=1)


def require_captum() -> None:
    """Raise a UserError that says what to install where captum is missing, before any work is done."""
    _captum()


def _captum() -> Any:
    try:
        import captum.attr  # noqa: PLC0415 - an extra: loaded when asked for
    except ImportError as error:
        raise UserError("captum is not installed; run: pip install 'cifarlab[explain]'") from error
    return captum.attr
