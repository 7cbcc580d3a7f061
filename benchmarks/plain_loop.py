"""The way the reports' authors train, for comparison: a DataLoader with per-image transforms, eager, fp32.

After report 003's public code: images as Pillow pictures, transforms one by one, ToTensor, Normalize, worker
processes, ``loss.item()`` every step. Network, optimizer, loss and batch size are the recipe's. Where authors
differ this loop takes the faster way: the optimizer in fused kernels, a penalty as its gradient and not as a
term of the loss, pinned memory on CUDA.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.pictures import transforms_for
from cifarlab.augment import Normalization, Normalize
from cifarlab.averaging import average_of
from cifarlab.data.split import Split
from cifarlab.race.clock import now
from cifarlab.recipe import Recipe


class AugmentedPictures(Dataset[tuple[Tensor, int]]):
    """One augmented, normalized picture at a time."""

    def __init__(self, split: Split, recipe: Recipe) -> None:
        # [N, H, W, 3], as torchvision's CIFAR10 keeps them.
        self._images = split.images.permute(0, 2, 3, 1).contiguous().numpy()
        self._labels = split.labels.tolist()
        self._changes, _ = transforms_for(recipe.augment)
        self._constants = _constants(recipe.normalize)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self._images[index])
        for change in self._changes:
            picture = change(picture)
        tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float().div(255)
        if self._constants is not None:
            mean, deviation = self._constants
            tensor.sub_(mean).div_(deviation)
        return tensor, self._labels[index]


def _constants(normalize: Normalization) -> tuple[Tensor, Tensor] | None:
    """Mean and deviation ``[3, 1, 1]``; None where the network itself subtracts the mean image."""
    if not isinstance(normalize, Normalize):
        return None
    mean, deviation = (
        torch.tensor(values)[:, None, None] for values in (normalize.mean, normalize.deviation)
    )
    return mean, deviation


class PlainLoop:
    """Epochs of plain training over ``split``.

    Args:
        recipe: what is trained and how.
        split: the training images; two batches or more.
        network: on ``device``, in torch's own memory layout.
        device: where to train.
    """

    def __init__(self, recipe: Recipe, split: Split, network: nn.Module, device: torch.device) -> None:
        self._recipe = recipe
        self._pictures = AugmentedPictures(split, recipe)
        self._network = network.train()
        self._optimizer = recipe.optimizer.build(network)
        self._average = None if recipe.average is None else average_of(network)
        self._device = device
        self._steps = 0

    def epoch(self, workers: int) -> float:
        """Images per second of one epoch; the start of the workers and the first step are not counted.

        What the workers prepare meanwhile is a gift to this loop: up to two batches each, so measure many.
        """
        loader = DataLoader(
            self._pictures,
            batch_size=self._recipe.batch_size,
            shuffle=True,
            num_workers=workers,
            pin_memory=self._device.type == "cuda",
        )
        total, seen, began = 0.0, 0, 0.0
        for images, labels in loader:
            total += self._step(images, labels)
            if began:
                seen += len(labels)
            else:
                began = now(self._device)
        return seen / (now(self._device) - began)

    def _step(self, images: Tensor, labels: Tensor) -> float:
        images = images.to(self._device, non_blocking=True)
        labels = labels.to(self._device, non_blocking=True)
        self._optimizer.zero_grad()
        loss = self._recipe.loss.mean(self._network(images), labels)
        loss.backward()
        if self._recipe.penalty is not None:
            self._recipe.penalty.add_gradients(self._network)
        self._optimizer.step()
        self._steps += 1
        if self._recipe.average is not None and self._average is not None:
            self._recipe.average.update(self._average, self._network, self._steps)
        return loss.item()
