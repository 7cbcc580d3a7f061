"""What the tests of the page share: a hostile name, and pictures as files."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

HOSTILE = "<img src=x onerror=document.title='hacked'>"
"""A class name, a run name, a recipe name."""


def png(pixels: NDArray[np.uint8]) -> bytes:
    """The pixels, uint8 ``[H, W, 3]``, as a file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()
