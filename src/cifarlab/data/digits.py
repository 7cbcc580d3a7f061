"""The handwritten digits that come with scikit-learn: a data set that needs no download."""

import functools
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Source, Split, source_of

_PREPARATION = Preparation(size=32, resample="bilinear")
_CLASS_NAMES = tuple("0123456789")


def open_digits() -> Source:
    """1,797 digits of 8 × 8 gray pixels as 32 × 32 RGB, a quarter of each class as the test set.

    Values 0 to 16 become 0 to 255, Pillow's bilinear filter enlarges, and the three channels are equal.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI repository, 1998; the
    part that scikit-learn carries.
    """
    images, labels = _all_digits()
    train, test = train_test_split(np.arange(len(labels)), test_size=0.25, stratify=labels, random_state=0)
    whole = Split(torch.from_numpy(images), torch.from_numpy(labels), _CLASS_NAMES)
    return source_of(
        name="digits",
        train=whole.select(torch.from_numpy(np.sort(train))),
        test=whole.select(torch.from_numpy(np.sort(test))),
        test_set="one quarter of each class, seed 0",
        preparation=_PREPARATION,
    )


@functools.cache
def _all_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images ``[1797, 3, 32, 32]`` and labels, made once in a process; what selects from them copies."""
    digits = load_digits()
    return np.stack([_enlarged(gray) for gray in digits.images]), digits.target.astype(np.int64)


def _enlarged(gray: NDArray[np.float64]) -> NDArray[np.uint8]:
    """uint8 ``[3, 32, 32]`` of a digit ``[8, 8]`` with values 0 to 16."""
    small = Image.fromarray(np.rint(gray * (255 / 16)).astype(np.uint8))
    large = np.asarray(small.resize((_PREPARATION.size, _PREPARATION.size), Image.Resampling.BILINEAR))
    return cast(NDArray[np.uint8], np.repeat(large[None], 3, axis=0))
