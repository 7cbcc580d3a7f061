"""The way report 003 trains, for comparison: a DataLoader with per-image transforms, eager, fp32.

After its authors' public code: images as Pillow pictures, RandomCrop(32, padding 4), horizontal flip,
RandomRotation(15), ToTensor, Normalize(0.5, 0.5), two worker processes, Adam, ``loss.item()`` every step.
The transforms are Pillow calls, as torchvision's are on Pillow pictures.
"""

import random
import time

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from cifarlab.data.split import Split


class AugmentedPictures(Dataset[tuple[Tensor, int]]):
    """One augmented, normalized picture at a time."""

    def __init__(self, split: Split) -> None:
        # [N, H, W, 3], as torchvision's CIFAR10 keeps them.
        self._images = split.images.permute(0, 2, 3, 1).contiguous().numpy()
        self._labels = split.labels.tolist()

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self._images[index])
        padded = ImageOps.expand(picture, border=4)
        left, top = random.randint(0, 8), random.randint(0, 8)
        picture = padded.crop((left, top, left + 32, top + 32))
        if random.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture = picture.rotate(random.uniform(-15, 15), Image.Resampling.NEAREST)
        tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous().float().div(255)
        return tensor.sub_(0.5).div_(0.5), self._labels[index]


def plain_epoch(network: nn.Module, split: Split, batch_size: int, workers: int) -> float:
    """Images per second of one epoch over ``split``, the start of the workers not counted."""
    loader = DataLoader(AugmentedPictures(split), batch_size=batch_size, shuffle=True, num_workers=workers)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, weight_decay=1e-4)
    network.train()
    total, seen, began = 0.0, 0, 0.0
    for images, labels in loader:
        if not began:
            began = time.perf_counter()
        else:
            seen += len(labels)
        optimizer.zero_grad()
        loss = F.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return seen / (time.perf_counter() - began)
