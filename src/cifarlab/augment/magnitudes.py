"""How strong the operations of a policy are: ranges cut into bins, some with a random sign."""

import torch
from torch import Generator, Tensor

from cifarlab.augment.operations import Operation

Ranges = dict[Operation, tuple[float, float]]
"""The strength at the first bin and at the last; what is not named has none."""

NARROW: Ranges = {
    Operation.SHEAR_X: (0.0, 0.3),
    Operation.SHEAR_Y: (0.0, 0.3),
    Operation.TRANSLATE_X: (0.0, 150 / 331),
    Operation.TRANSLATE_Y: (0.0, 150 / 331),
    Operation.ROTATE: (0.0, 30.0),
    Operation.COLOR: (0.0, 0.9),
    Operation.SHARPNESS: (0.0, 0.9),
    Operation.BRIGHTNESS: (0.0, 0.9),
    Operation.CONTRAST: (0.0, 0.9),
    Operation.POSTERIZE: (8.0, 4.0),
    Operation.SOLARIZE: (255.0, 0.0),
}
"""torchvision's for AutoAugment and RandAugment."""

WIDE: Ranges = {
    **dict.fromkeys((Operation.SHEAR_X, Operation.SHEAR_Y), (0.0, 0.99)),
    **dict.fromkeys((Operation.TRANSLATE_X, Operation.TRANSLATE_Y), (0.0, 1.0)),
    Operation.ROTATE: (0.0, 135.0),
    **dict.fromkeys((Operation.COLOR, Operation.SHARPNESS), (0.0, 0.99)),
    **dict.fromkeys((Operation.BRIGHTNESS, Operation.CONTRAST), (0.0, 0.99)),
    Operation.POSTERIZE: (8.0, 2.0),
    Operation.SOLARIZE: (255.0, 0.0),
}
"""torchvision's for TrivialAugment; 32 pixels of translation are written as a share of 32."""

WITHOUT_INVERT = tuple(operation for operation in Operation if operation != Operation.INVERT)
"""What RandAugment and TrivialAugment choose from: 14 operations, doing nothing among them."""


def strengths(ranges: Ranges, bins: int) -> Tensor:
    """Strength of every operation at every bin: float32 ``[15, bins]``, 0 where an operation has none."""
    table = torch.zeros(len(Operation), bins)
    for operation, (first, last) in ranges.items():
        table[operation] = torch.linspace(first, last, bins, dtype=torch.float64).float()
    table[Operation.POSTERIZE] = table[Operation.POSTERIZE].round()
    return table


def signed(operations: Tensor, magnitudes: Tensor, randomness: Generator) -> Tensor:
    """``magnitudes``, half of them negative where an operation goes to both sides: all up to contrast."""
    negative = torch.rand(operations.shape, generator=randomness) < 0.5
    return torch.where(negative & (operations <= Operation.CONTRAST), -magnitudes, magnitudes)


def drawn(operations: Tensor, magnitudes: Tensor) -> Tensor:
    """Both ``[count, places]`` as float32 ``[count, places, 2]``, the draws of a policy."""
    return torch.stack([operations.float(), magnitudes], 2)
