"""Grad-CAM: where in a picture a layer finds evidence for a class.

Source: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization" (arXiv 1610.02391), section 3.
"""

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab.errors import UserError, nearest
from cifarlab.explain.activations import ACTIVATIONS
from cifarlab.models.attention_module import AttentionModule
from cifarlab.models.blocks import ResidualBlock
from cifarlab.models.modes import inference_mode
from cifarlab.models.pyramid_pooling import AtrousPyramid, PoolingPyramid
from cifarlab.models.residual_unit import ResidualUnit
from cifarlab.models.shake_shake import ShakeBlock

BLOCKS = (ResidualBlock, ResidualUnit, ShakeBlock, AttentionModule)
"""Shown as a whole: inside, a map is only one of the summands of what the next block sees."""


def layers_of(network: nn.Module) -> tuple[str, ...]:
    """The names of the layers that Grad-CAM can show, in the order of the forward pass.

    These are the blocks of a network, and outside of them each convolution, behind its activation where it
    has one: that is the map which the next layer sees. The pyramids in front of a last layer are left out,
    since what they compute is no longer tied to places.
    """
    layers: list[str] = []
    convolution_is_last = False
    for name, module in _parts(network, ""):
        if isinstance(module, (*BLOCKS, nn.Conv2d)):
            layers.append(name)
            convolution_is_last = isinstance(module, nn.Conv2d)
        elif isinstance(module, (*ACTIVATIONS, nn.Tanh)) and convolution_is_last:
            layers[-1] = name
            convolution_is_last = False
    return tuple(layers)


def grad_cam(network: nn.Module, images: Tensor, classes: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Where each layer finds evidence for a class, 0 to 1 in every image, at the images' size.

    ``evidence`` is brought to the images' size bilinearly and divided by its maximum in each image. Where a
    layer has no evidence at all, the map is zero. The network is left as it was.

    Args:
        network: in any mode; it is used in evaluation mode.
        images: normalized, float ``[N, 3, H, W]``.
        classes: the class that is asked about, image by image, int64 ``[N]``.
        layers: names of modules of the network whose output is a map, such as those of ``layers_of``.

    Returns:
        For each layer, float ``[N, H, W]``.

    Raises:
        UserError: no layer has such a name, or it has no map.
    """
    maps = evidence(network, images, classes, layers)
    size = images.shape[2:]
    return {
        layer: _scaled(F.interpolate(each[:, None], size, mode="bilinear", align_corners=False)[:, 0])
        for layer, each in maps.items()
    }


def evidence(network: nn.Module, images: Tensor, classes: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Grad-CAM as in the paper (equations 1 and 2), neither scaled nor enlarged.

    The channels of a layer's map are summed, each times the mean of the class's gradient over it; what is
    negative becomes zero. One forward and one backward pass serve all layers.

    Returns:
        For each layer, float ``[N, h, w]`` with the size of that layer's map.
    """
    if not layers:
        return {}
    with inference_mode(network), torch.enable_grad(), _kept_maps(network, layers) as maps:
        # Where weights are frozen, only an input that wants gradients makes torch record the pass.
        logits = network(images.detach().clone().requires_grad_())
        score = logits.gather(1, classes.to(logits.device)[:, None]).sum()
        for layer in layers:
            if layer not in maps or maps[layer].ndim != 4:
                raise UserError(f"layer {layer} has no map with height and width; Grad-CAM cannot show it")
        gradients = torch.autograd.grad(score, [maps[layer] for layer in layers], materialize_grads=True)
    return {
        layer: (gradient.mean((2, 3), keepdim=True) * maps[layer].detach()).sum(1).relu().float()
        for layer, gradient in zip(layers, gradients, strict=True)
    }


def _parts(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """The modules in ``module``, named from ``path`` on, without the insides of blocks and pyramids."""
    for name, child in module.named_children():
        yield f"{path}{name}", child
        if not isinstance(child, (*BLOCKS, AtrousPyramid, PoolingPyramid)):
            yield from _parts(child, f"{path}{name}.")


@contextlib.contextmanager
def _kept_maps(network: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """While the network runs inside, the outputs of ``layers`` are put into the dictionary."""
    modules, maps = dict(network.named_modules()), {}

    def keep(layer: str, output: object) -> object:
        if not isinstance(output, Tensor):
            return output
        maps[layer] = output
        return output.clone()  # what follows may work in place, and must not change what was kept

    hooks = []
    try:
        for layer in layers:
            if layer not in modules:
                raise UserError(f"no layer is called {layer!r}; {nearest(layer, layers_of(network))}")
            hook = modules[layer].register_forward_hook(
                lambda _, __, output, layer=layer: keep(layer, output)
            )
            hooks.append(hook)
        yield maps
    finally:
        for hook in hooks:
            hook.remove()


def _scaled(maps: Tensor) -> Tensor:
    """Maps ``[N, H, W]``, none negative, each divided by its maximum; zeros stay zeros."""
    largest = maps.amax((1, 2), keepdim=True)
    return torch.where(largest > 0, maps / largest, 0.0)
