"""One picture, from bytes to pixels: any size and mode in, uint8 ``[3, S, S]`` out."""

import io
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from cifarlab.errors import UserError, printable

MAX_PIXELS = 50_000_000
"""Width × height; a larger picture is refused before any of its pixels is decoded."""
MAX_SIZE = 1024
"""The largest height and width to which pictures may be prepared."""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
"""Pillow's names. A picture's content decides which it is, not the end of its name."""
_FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}


@dataclass(frozen=True)
class Preparation:
    """What is done to every picture of a data set, and done again by ``predict``.

    In this order: the EXIF rotation is applied, gray and palette pictures become RGB, transparent parts
    are laid over ``background``, and the picture is brought to ``size`` × ``size``.
    """

    size: int = 32
    """Height and width in pixels."""
    fit: Literal["crop", "stretch"] = "crop"
    """``crop`` cuts the largest square out of the middle; ``stretch`` changes the proportions."""
    resample: Literal["lanczos", "bilinear", "nearest"] = "lanczos"
    """Pillow's filter. A picture that has the size already is not resampled."""
    background: tuple[int, int, int] = (255, 255, 255)
    """RGB, 0 to 255, behind transparent parts."""

    def __post_init__(self) -> None:
        if not 1 <= self.size <= MAX_SIZE:
            raise UserError(f"size: {self.size} is not between 1 and {MAX_SIZE} pixels")
        if not all(0 <= value <= 255 for value in self.background):
            raise UserError(f"background: {self.background} must be three values from 0 to 255")


def decode(content: bytes, preparation: Preparation, name: str) -> NDArray[np.uint8]:
    """The pixels of a PNG, JPEG, WebP or BMP file; of an animation, its first frame.

    Args:
        content: the whole file.
        preparation: how the picture becomes RGB and square.
        name: what an error message calls the picture.

    Returns:
        uint8 ``[3, S, S]``, RGB, with ``S = preparation.size``.

    Raises:
        UserError: damaged, truncated, of another format, or larger than ``MAX_PIXELS``.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of what it forgives, and of bombs above its own limit; ours is lower and refuses.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise _too_large(name)
                upright = ImageOps.exif_transpose(image)
            return _pixels(_to_square(_to_rgb(upright, preparation.background), preparation))
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(name) from error
    except UnidentifiedImageError as error:
        raise _unreadable(name, "not a PNG, JPEG, WebP or BMP file") from error
    except Exception as error:  # Pillow's readers raise nearly every class of error on damaged bytes
        raise _unreadable(name, str(error) or type(error).__name__) from error


def _unreadable(name: str, reason: str) -> UserError:
    return UserError(f"unreadable picture {printable(name)}: {printable(reason)}; replace or remove it")


def _too_large(name: str) -> UserError:
    return _unreadable(name, f"more than {MAX_PIXELS // 1_000_000} million pixels")


def _to_rgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """RGB of a picture in any of Pillow's modes, its transparent parts laid over ``background``."""
    if image.mode.startswith("I"):
        # 16-bit gray, where Pillow's own conversion clips. The high byte is kept, as Pillow does for
        # 16-bit RGB, so 257 × v comes back as v.
        samples = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        return Image.fromarray((samples >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    canvas = Image.new("RGBA", image.size, (*background, 255))
    canvas.alpha_composite(image.convert("RGBA"))
    return canvas.convert("RGB")


def _to_square(image: Image.Image, preparation: Preparation) -> Image.Image:
    """A picture cropped or stretched to ``preparation.size``; one of that size is returned as it is."""
    target = (preparation.size, preparation.size)
    if image.size == target:
        return image
    if preparation.fit == "crop":
        image = _middle_square(image)
    return image if image.size == target else image.resize(target, _FILTERS[preparation.resample])


def _middle_square(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 ``[3, H, W]`` of an RGB picture."""
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1))
