"""Any picture in, uint8 RGB of the right size out; anything else is one line."""

import io
import random
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile

from cifarlab.data.pictures import MAX_PIXELS, Preparation, _to_rgb, decode
from cifarlab.errors import UserError

DEFAULT = Preparation()


def noise(height: int = 32, width: int = 32, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.RandomState(seed).randint(0, 256, (height, width, channels)).astype(np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixel(content: bytes, preparation: Preparation = DEFAULT) -> list[int]:
    """The RGB value of a picture of one color."""
    pixels = decode(content, preparation, "picture").reshape(3, -1)
    assert (pixels == pixels[:, :1]).all()
    return pixels[:, 0].tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("BMP", {}), ("WEBP", {"lossless": True})])
def test_a_picture_of_the_right_size_comes_through_exactly(kind: str, options: dict[str, Any]) -> None:
    original = noise()
    pixels = decode(encoded(Image.fromarray(original), kind, **options), Preparation(), "wrong-ending.gif")
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert np.array_equal(pixels, original.transpose(2, 0, 1))


def test_a_jpeg_is_what_pillow_makes_of_it() -> None:
    content = encoded(Image.fromarray(noise()), "JPEG")
    expected = np.asarray(Image.open(io.BytesIO(content))).transpose(2, 0, 1)
    assert np.array_equal(decode(content, Preparation(), "a.jpg"), expected)


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("1", 1, [255, 255, 255]),
        ("L", 77, [77, 77, 77]),
        ("LA", (77, 255), [77, 77, 77]),
        ("LA", (77, 0), [10, 20, 30]),
        ("P", 0, [1, 2, 3]),
        ("RGB", (9, 8, 7), [9, 8, 7]),
        ("RGBA", (9, 8, 7, 255), [9, 8, 7]),
        ("RGBA", (9, 8, 7, 0), [10, 20, 30]),
        ("RGBA", (110, 120, 130, 51), [30, 40, 50]),
        ("I;16", 257 * 200, [200, 200, 200]),
    ],
)
def test_every_mode_of_png_becomes_rgb(mode: str, color: Any, expected: list[int]) -> None:
    image = Image.new(mode, (40, 40), color)
    if mode == "P":
        image.putpalette([1, 2, 3])
    assert pixel(encoded(image), Preparation(background=(10, 20, 30))) == expected


def test_sixteen_bits_of_gray_keep_their_order() -> None:
    ramp = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    pixels = decode(encoded(Image.fromarray(ramp)), Preparation(), "ramp.png")
    assert np.array_equal(pixels[0], ramp >> 8)


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_color_shows_the_background(mode: str) -> None:
    image = Image.new(mode, (32, 32), 0)
    if mode == "P":
        image.putpalette([1, 2, 3])
    content = encoded(image, transparency=(0, 0, 0) if mode == "RGB" else 0)
    assert pixel(content, Preparation(background=(10, 20, 30))) == [10, 20, 30]


def test_cmyk_becomes_rgb() -> None:
    red, green, blue = pixel(encoded(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), "JPEG", quality=95))
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [("I", 257 * 99, 99), ("F", 99.0, 99), ("PA", None, 5), ("I;16B", 257 * 99, 99)],
)
def test_modes_that_only_other_versions_of_pillow_give_become_rgb(
    mode: str, value: Any, expected: int
) -> None:
    image = (
        Image.new(mode, (2, 2), value) if mode != "PA" else Image.new("LA", (2, 2), (5, 255)).convert("PA")
    )
    rgb = _to_rgb(image, (255, 255, 255))
    assert rgb.mode == "RGB"
    assert rgb.getpixel((0, 0)) == (expected, expected, expected)


def test_the_exif_rotation_is_applied() -> None:
    original = noise()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter turn clockwise
    content = encoded(Image.fromarray(original), exif=exif.tobytes())
    assert np.array_equal(decode(content, Preparation(), "a.png").transpose(1, 2, 0), np.rot90(original, -1))


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_the_first_frame_of_an_animation_counts(kind: str, options: dict[str, Any]) -> None:
    frames = [Image.new("RGB", (32, 32), color) for color in [(200, 0, 0), (0, 200, 0)]]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(content)).n_frames == 2  # type: ignore[attr-defined]
    assert pixel(content) == [200, 0, 0]


def test_crop_takes_the_middle_and_stretch_takes_all() -> None:
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = noise()
    content = encoded(Image.fromarray(wide))
    assert np.array_equal(decode(content, Preparation(), "a.png").transpose(1, 2, 0), wide[:, 32:64])
    stretched = decode(content, Preparation(fit="stretch", resample="nearest"), "a.png").transpose(1, 2, 0)
    assert np.array_equal(stretched, wide[:, 1::3])


@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    color=st.tuples(*[st.integers(0, 255)] * 3),
    size=st.integers(1, 40),
    fit=st.sampled_from(["crop", "stretch"]),
    resample=st.sampled_from(["lanczos", "bilinear", "nearest"]),
)
@settings(max_examples=100, deadline=None)
def test_one_color_stays_that_color(
    width: int, height: int, color: tuple[int, int, int], size: int, fit: Any, resample: Any
) -> None:
    preparation = Preparation(size=size, fit=fit, resample=resample)
    content = encoded(Image.new("RGB", (width, height), color))
    assert decode(content, preparation, "a.png").shape == (3, size, size)
    assert pixel(content, preparation) == list(color)


def png_header(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that says how large it would be."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(bytes(64)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(MAX_PIXELS + 1, 1), (12_000, 12_000), (100_000, 100_000)])
def test_a_bomb_is_refused_before_it_is_decoded(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: ImageFile.ImageFile) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(UserError, match=r"^unreadable picture bomb\.png: more than 50 million pixels"):
        decode(png_header(width, height), Preparation(), "bomb.png")


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PPM", "ICO", "EPS"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(UserError, match="not a PNG, JPEG, WebP or BMP file"):
        decode(encoded(Image.fromarray(noise()), kind), Preparation(), "a.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_a_truncated_picture_is_an_error(kind: str) -> None:
    content = encoded(Image.fromarray(noise()), kind)
    for length in [0, 1, 10, 50, len(content) // 4, len(content) // 2, len(content) - 40]:
        with pytest.raises(UserError, match=r"^unreadable picture a\.png: "):
            decode(content[:length], Preparation(), "a.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_mutated_bytes_give_a_picture_or_one_line(kind: str) -> None:
    content = encoded(Image.fromarray(noise(20, 20)), kind)
    draw = random.Random(0)
    refused = 0
    for _ in range(500):
        mutated = bytearray(content)
        for _ in range(draw.randint(1, 8)):
            mutated[draw.randrange(len(mutated))] = draw.randrange(256)
        try:
            pixels = decode(bytes(mutated), Preparation(), "mutated")
        except UserError as error:
            assert len(str(error).splitlines()) == 1
            refused += 1
        else:
            assert pixels.shape == (3, 32, 32)
            assert pixels.dtype == np.uint8
    assert refused > 0


def test_the_name_of_a_hostile_file_stays_on_one_line() -> None:
    with pytest.raises(UserError) as caught:
        decode(b"", Preparation(), "a\nb\x1b[31m.png")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("values", [{"size": 0}, {"size": 100_000}, {"background": (0, 0, 256)}])
def test_an_impossible_preparation_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(values))):
        Preparation(**values)
