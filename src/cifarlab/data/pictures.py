"""One picture, from bytes to pixels: any size and mode in, uint8 ``[3, S, S]`` out."""

import io
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from cifarlab.data.bombs import refuse_bomb
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
_RESERVE = 4
"""A large JPEG is decoded at the smallest size that is at least so many times what is asked for."""


@dataclass(frozen=True)
class Preparation:
    """What is done to every picture of a data set, and done again by ``predict``.

    In this order: the EXIF rotation is applied, ``crop`` cuts, gray and palette pictures become RGB,
    transparent parts are laid over ``background``, and the picture is brought to ``size`` × ``size``. Color
    profiles are ignored: the values in the file count, as nearly all training code takes them.
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
        refuse_bomb(content)
        with warnings.catch_warnings():
            # Pillow warns of what it forgives, and of bombs above its own limit; ours is lower and refuses.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise _too_large(name)
                return _pixels(_prepared(image, content, preparation))
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


def _prepared(image: ImageFile, content: bytes, preparation: Preparation) -> Image.Image:
    """The RGB picture of the preparation's size."""
    # A JPEG's blocks can be decoded at a half, quarter or eighth of their size: on photographs of 12 million
    # pixels nine times as fast as to resample all of them, and less than one step of 255 away on average.
    image.draft(None, (_RESERVE * preparation.size,) * 2)
    _mend_transparency(image, content)
    image.load()
    if _is_turned(image):
        ImageOps.exif_transpose(image, in_place=True)  # in place: a copy of a large picture is much memory
    whole = image.size == (preparation.size,) * 2
    cut = _middle_square(image) if preparation.fit == "crop" and not whole else image
    return _to_size(_to_rgb(cut, preparation.background), preparation)


def _is_turned(image: Image.Image) -> bool:
    """Whether EXIF says so; where it is damaged the picture is shown as it is, as all viewers do."""
    try:
        return bool(image.getexif().get(ExifTags.Base.Orientation, 1) != 1)
    except Exception:  # the parser raises nearly every class of error on damaged bytes
        return False


def _mend_transparency(image: ImageFile, content: bytes) -> None:
    """Gray of 2 and 4 bits is spread over 0 … 255 by Pillow, but not its transparent value."""
    transparent = image.info.get("transparency")
    if image.format == "PNG" and image.mode == "L" and isinstance(transparent, int):
        image.info["transparency"] = transparent * 255 // (2 ** min(content[24], 8) - 1)


def _to_rgb(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """RGB of a picture in any of Pillow's modes, its transparent parts laid over ``background``."""
    if image.mode.startswith("I"):
        return _from_deep_gray(image, background)
    if not image.has_transparency_data:
        return image.convert("RGB")
    canvas = Image.new("RGBA", image.size, (*background, 255))
    canvas.alpha_composite(image if image.mode == "RGBA" else image.convert("RGBA"))
    return canvas.convert("RGB")


def _from_deep_gray(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    """RGB of 16-bit gray, where Pillow's own conversion clips and knows of no transparent value.

    The high byte is kept, as Pillow does for 16-bit RGB, so 257 × v comes back as v.
    """
    samples = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
    rgb = Image.fromarray((samples >> 8).astype(np.uint8)).convert("RGB")
    if isinstance(transparent := image.info.get("transparency"), int):
        rgb.paste(background, mask=Image.fromarray(samples == transparent))
    return rgb


def _to_size(image: Image.Image, preparation: Preparation) -> Image.Image:
    """A picture of ``preparation.size``, whatever its proportions were; one that has it is not resampled."""
    target = (preparation.size, preparation.size)
    return image if image.size == target else image.resize(target, _FILTERS[preparation.resample])


def _middle_square(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image if image.width == image.height else image.crop((left, top, left + side, top + side))


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 ``[3, H, W]`` of an RGB picture."""
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1))
