"""Pictures as cameras, telephones and old programs write them."""

import io
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from cifarlab.data.pictures import MAX_PIXELS, Preparation, decode
from cifarlab.errors import UserError

BEHIND = Preparation(background=(10, 20, 30))
UPRIGHT: dict[
    int, Callable[[NDArray[Any]], NDArray[Any]]
] = {  # how to show what is stored, by the EXIF standard's table of orientations
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).transpose(1, 0, 2),
    8: np.rot90,
}


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def quarters(side: int = 32) -> NDArray[np.uint8]:
    """Four quarters in four colors: ``[side, side, 3]``, no two of whose turns are alike."""
    colors = np.array([[[200, 0, 0], [0, 200, 0]], [[0, 0, 200], [200, 200, 200]]], np.uint8)
    return colors.repeat(side // 2, 0).repeat(side // 2, 1)


def exif(orientation: object, kind: int = 3) -> bytes:
    """EXIF with one entry, the orientation, as a little endian short unless another ``kind`` is given."""
    value = struct.pack("<HH", orientation, 0) if isinstance(orientation, int) else b"abc\0"
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI", 0x112, kind, 1) + value + bytes(4)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_every_orientation_is_shown_upright(kind: str, orientation: int) -> None:
    content = encoded(Image.fromarray(quarters()), kind, exif=exif(orientation), quality=95)
    pixels = decode(content, Preparation(), "a").transpose(1, 2, 0).astype(int)
    expected = UPRIGHT[orientation](quarters().astype(int))
    assert np.abs(pixels - expected)[4:12, 4:12].max() < 40  # inside a quarter: edges blur in a JPEG
    assert np.abs(pixels - expected).mean() < 12


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    "wrong",
    [
        exif(99),
        exif(0),
        exif("abc", 2),
        b"Exif\0\0",
        b"Exif\0\0nonsense",
        exif(6)[:-8],
        exif(6)[:16] + b"\xff" * 9,
    ],
)
def test_a_damaged_exif_leaves_the_picture_as_it_is(kind: str, wrong: bytes) -> None:
    plain = decode(encoded(Image.fromarray(quarters()), kind), Preparation(), "a")
    content = encoded(Image.fromarray(quarters()), kind, exif=wrong)
    assert np.array_equal(decode(content, Preparation(), "a"), plain)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(depth: int, color: int, row: bytes, *more: bytes) -> bytes:
    """A PNG of 32 × 32 pixels by hand, all of its rows alike."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, depth, color, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress((b"\0" + row) * 32))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + pixels + chunk(b"IEND", b"")


GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
COLORS = chunk(b"PLTE", bytes([1, 2, 3, 60, 70, 80]))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (png(16, RGB, struct.pack(">HHH", 65535, 25700, 0) * 32), [255, 100, 0]),
        (png(16, RGBA, struct.pack(">HHHH", 65535, 25700, 0, 65535) * 32), [255, 100, 0]),
        (png(16, RGBA, struct.pack(">HHHH", 65535, 25700, 0, 0) * 32), [10, 20, 30]),
        (png(16, GRAY_ALPHA, struct.pack(">HH", 25700, 65535) * 32), [100, 100, 100]),
        (png(16, GRAY_ALPHA, struct.pack(">HH", 25700, 0) * 32), [10, 20, 30]),
        (png(16, GRAY, struct.pack(">H", 25700) * 32), [100, 100, 100]),
        (png(16, GRAY, struct.pack(">H", 25700) * 32, chunk(b"tRNS", b"\x64\x64")), [10, 20, 30]),
        (png(16, GRAY, struct.pack(">H", 25700) * 32, chunk(b"tRNS", b"\x64\x65")), [100, 100, 100]),
        (png(1, GRAY, b"\xff" * 4), [255, 255, 255]),
        (png(1, GRAY, b"\x00" * 4, chunk(b"tRNS", b"\0\0")), [10, 20, 30]),
        (png(1, GRAY, b"\xff" * 4, chunk(b"tRNS", b"\0\1")), [10, 20, 30]),
        (png(1, GRAY, b"\xff" * 4, chunk(b"tRNS", b"\0\0")), [255, 255, 255]),
        (png(2, GRAY, b"\x55" * 8), [85, 85, 85]),
        (png(2, GRAY, b"\x55" * 8, chunk(b"tRNS", b"\0\1")), [10, 20, 30]),
        (png(2, GRAY, b"\x55" * 8, chunk(b"tRNS", b"\0\2")), [85, 85, 85]),
        (png(4, GRAY, b"\x33" * 16, chunk(b"tRNS", b"\0\3")), [10, 20, 30]),
        (png(8, GRAY, b"\x33" * 32, chunk(b"tRNS", b"\0\x33")), [10, 20, 30]),
        (png(1, PALETTE, b"\xff" * 4, COLORS), [60, 70, 80]),
        (png(4, PALETTE, b"\x11" * 16, COLORS, chunk(b"tRNS", b"\xff\0")), [10, 20, 30]),
        (png(8, PALETTE, b"\0" * 32, COLORS, chunk(b"tRNS", b"\xff\0")), [1, 2, 3]),
        (png(8, RGB, bytes([1, 2, 3]) * 32, chunk(b"tRNS", b"\0\1\0\2\0\3")), [10, 20, 30]),
    ],
)
def test_every_depth_and_transparency_of_png_becomes_rgb(content: bytes, expected: list[int]) -> None:
    pixels = decode(content, BEHIND, "a").reshape(3, -1)
    assert (pixels == np.array(expected)[:, None]).all()


def bmp(bits: int, row: bytes, colors: bytes = b"", height: int = 32) -> bytes:
    """An uncompressed BMP of 32 × 32 pixels by hand; a negative height stores the rows from the top."""
    start = 54 + len(colors)
    header = struct.pack("<IiiHHIIiiII", 40, 32, height, 1, bits, 0, 0, 0, 0, len(colors) // 4, 0)
    return b"BM" + struct.pack("<IHHI", start + 32 * len(row), 0, 0, start) + header + colors + row * 32


@pytest.mark.parametrize("height", [32, -32])
@pytest.mark.parametrize(
    ("bits", "row", "colors", "expected"),
    [
        (1, b"\xff" * 4, bytes([0, 0, 0, 0, 3, 2, 1, 0]), [1, 2, 3]),
        (4, b"\x11" * 16, bytes([0, 0, 0, 0, 3, 2, 1, 0]), [1, 2, 3]),
        (8, b"\x01" * 32, bytes([0, 0, 0, 0, 3, 2, 1, 0]), [1, 2, 3]),
        (24, bytes([3, 2, 1]) * 32, b"", [1, 2, 3]),
        (32, bytes([3, 2, 1, 0]) * 32, b"", [1, 2, 3]),
    ],
)
def test_every_depth_of_bmp_becomes_rgb(
    bits: int, row: bytes, colors: bytes, expected: list[int], height: int
) -> None:
    pixels = decode(bmp(bits, row, colors, height), BEHIND, "a").reshape(3, -1)
    assert (pixels == np.array(expected)[:, None]).all()


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
@pytest.mark.parametrize("progressive", [True, False])
def test_every_kind_of_jpeg_shows_its_colors(mode: str, progressive: bool) -> None:
    image = Image.fromarray(quarters()).convert(mode)
    pixels = decode(encoded(image, "JPEG", progressive=progressive, quality=95), Preparation(), "a")
    expected = np.asarray(Image.fromarray(quarters()).convert("L" if mode == "L" else "RGB").convert("RGB"))
    assert np.abs(pixels.transpose(1, 2, 0).astype(int) - expected)[4:12, 4:12].max() < 12


def test_ycck_of_adobe_is_the_inverted_cmyk_that_it_means() -> None:
    """The same bytes under Adobe's other color transform, worked out by hand."""
    content = encoded(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), "JPEG", quality=100)
    place = content.index(b"Adobe") + 11
    assert content[place] == 0
    luma, blue, red = 255, 0, 0  # stored were 255 − C, 255 − M, 255 − Y; and K = 0
    ink = [
        luma + 1.402 * (red - 128),
        luma - 0.344 * (blue - 128) - 0.714 * (red - 128),
        luma + 1.772 * (blue - 128),
    ]
    expected = 255 - np.clip(ink, 0, 255)
    ycck = content[:place] + b"\x02" + content[place + 1 :]
    assert np.abs(decode(ycck, Preparation(), "a").reshape(3, -1).mean(1) - expected).max() < 3


def test_the_picture_that_a_telephone_shows_is_the_first_of_its_file() -> None:
    """Telephones append smaller pictures, depth maps and films to a JPEG."""
    first = Image.fromarray(quarters())
    content = encoded(first, "MPO", save_all=True, append_images=[Image.new("RGB", (32, 32))])
    expected = decode(encoded(first, "JPEG"), Preparation(), "a")
    assert np.array_equal(decode(content, Preparation(), "a"), expected)
    film = b"\0\0\0\x18ftypmp42" + b"\xff\xda\xff\xd8" * 1000
    assert np.array_equal(decode(encoded(first, "JPEG") + film, Preparation(), "a"), expected)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_color_profile_is_ignored(kind: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    plain = decode(encoded(Image.fromarray(quarters()), kind), Preparation(), "a")
    content = encoded(Image.fromarray(quarters()), kind, icc_profile=profile)
    assert np.array_equal(decode(content, Preparation(), "a"), plain)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 95}])
def test_webp_with_alpha_is_laid_over_the_background(options: dict[str, Any]) -> None:
    content = encoded(Image.new("RGBA", (32, 32), (110, 120, 130, 51)), "WEBP", **options)
    pixels = decode(content, BEHIND, "a").reshape(3, -1).astype(int)
    assert np.abs(pixels - np.array([[30], [40], [50]])).max() <= 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (1000, 1), (3, 2)])
@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_tiny_and_narrow_pictures_are_pictures(kind: str, size: tuple[int, int], fit: Any) -> None:
    content = encoded(Image.new("RGB", size, (100, 100, 100)), kind)
    pixels = decode(content, Preparation(fit=fit), "a").astype(int)
    assert pixels.shape == (3, 32, 32)
    assert np.abs(pixels - 100).max() <= 2


def test_a_large_jpeg_is_decoded_small_and_looks_the_same() -> None:
    """Against the whole picture through the same filter: a step of 255 apart on average, and never far."""
    draw = np.random.RandomState(0)
    scene: Any = sum(
        np.asarray(Image.fromarray(draw.rand(600 // scale, 800 // scale)).resize((800, 600)))
        for scale in (200, 50, 10, 2)
    )
    image = Image.fromarray((scene / 4 * 255).astype(np.uint8)).convert("RGB")
    content = encoded(image, "JPEG", quality=95)
    pixels = decode(content, Preparation(), "a").astype(int)
    whole = (
        Image.open(io.BytesIO(content)).crop((100, 0, 700, 600)).resize((32, 32), Image.Resampling.LANCZOS)
    )
    difference = np.abs(pixels - np.asarray(whole).transpose(2, 0, 1))
    assert difference.mean() < 1
    assert difference.max() < 8


def test_a_jpeg_less_than_eight_times_as_large_is_decoded_whole() -> None:
    image = Image.fromarray(np.random.RandomState(0).randint(0, 256, (255, 255, 3)).astype(np.uint8))
    content = encoded(image, "JPEG")
    whole = Image.open(io.BytesIO(content)).resize((32, 32), Image.Resampling.LANCZOS)
    assert np.array_equal(decode(content, Preparation(), "a"), np.asarray(whole).transpose(2, 0, 1))


@pytest.mark.parametrize(("kind", "bits"), [("PNG", "RGBA"), ("JPEG", "RGB"), ("BMP", "L")])
def test_a_picture_just_below_the_limit_is_read(kind: str, bits: str) -> None:
    options = {"compress_level": 1} if kind == "PNG" else {}
    content = encoded(Image.new(bits, (MAX_PIXELS // 5000, 5000), (77,) * len(bits)), kind, **options)
    start = time.monotonic()
    assert decode(content, Preparation(), "a").shape == (3, 32, 32)
    assert time.monotonic() - start < 30
    with pytest.raises(UserError, match="more than 50 million pixels"):
        decode(encoded(Image.new("1", (MAX_PIXELS // 5000 + 1, 5000))), Preparation(), "a")
