"""The one class of torchvision that the peers use, for machines where torchvision does not import."""

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType

import torch
from torch import Tensor

NAMES = ("torchvision", "torchvision.transforms")


class Normalize:
    """torchvision's ``Normalize``, operation for operation.

    Only its test for a deviation of zero is left out, which would make a GPU wait.
    """

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        self.mean = mean
        self.std = std

    def __call__(self, images: Tensor) -> Tensor:
        """``images`` (``[N, C, H, W]``, floating point) less the mean, over the deviation, in their dtype."""
        mean, std = (
            torch.as_tensor(each, dtype=images.dtype, device=images.device).view(-1, 1, 1)
            for each in (self.mean, self.std)
        )
        return images.clone().sub_(mean).div_(std)


@contextlib.contextmanager
def torchvision_stand_in() -> Iterator[None]:
    """Inside, ``import torchvision`` and ``torchvision.transforms`` give the stand-in, on every machine."""
    before = {name: sys.modules[name] for name in NAMES if name in sys.modules}
    package, transforms = (ModuleType(name) for name in NAMES)
    setattr(transforms, "Normalize", Normalize)  # noqa: B010 - a module's attribute, unknown to a type checker
    setattr(package, "transforms", transforms)  # noqa: B010
    sys.modules.update(zip(NAMES, (package, transforms), strict=True))
    try:
        yield
    finally:
        for name in NAMES:
            del sys.modules[name]
        sys.modules.update(before)
