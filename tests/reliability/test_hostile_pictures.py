"""Mutated pictures and small files that would cost minutes or gigabytes: pixels or one line, soon."""

import functools
import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cifarlab.data.bombs import MAX_SCANS
from cifarlab.data.pictures import Preparation, decode
from cifarlab.errors import UserError
from reliability.mutations import Kind, run_trials

SECONDS = 10
"""For one hostile file of at most 64 MiB; the slowest takes a fifth of it on a slow core."""


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def is_decoded(content: bytes) -> bool:
    """True for pixels of the right shape, False for one printable line; anything else raises."""
    try:
        pixels = decode(content, Preparation(), "mutated.png")
    except UserError as error:
        assert str(error).startswith("unreadable picture mutated.png: ")
        assert str(error).isprintable()
        return False
    assert pixels.shape == (3, 32, 32)
    assert pixels.dtype == np.uint8
    return True


def picture_trials() -> tuple[Kind, ...]:
    """Every format with honest pictures of every mode that it has: small, so that headers are hit often."""
    noise = Image.fromarray(np.random.RandomState(0).randint(0, 256, (20, 20, 3)).astype(np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    exif, alpha = turned.tobytes(), noise.convert("RGBA")
    alpha.putalpha(noise.convert("L"))
    animation = {"save_all": True, "append_images": [noise.rotate(90), noise.rotate(180)]}
    made = {
        "PNG": [
            encoded(noise, "PNG", exif=exif),
            encoded(noise.convert("P"), "PNG", transparency=0),
            encoded(alpha, "PNG", **animation),
            encoded(noise.convert("I;16"), "PNG"),
        ],
        "JPEG": [
            encoded(noise, "JPEG", exif=exif),
            encoded(noise, "JPEG", progressive=True),
            encoded(noise.convert("CMYK"), "JPEG"),
            encoded(noise, "MPO", save_all=True, append_images=[noise]),
        ],
        "WEBP": [
            encoded(noise, "WEBP", exif=exif),
            encoded(alpha, "WEBP", lossless=True),
            encoded(noise, "WEBP", **animation),
        ],
        "BMP": [encoded(noise, "BMP"), encoded(noise.convert("P"), "BMP"), run_length_bmp(20, 20)],
    }
    return tuple(Kind(kind, is_decoded, tuple(contents)) for kind, contents in made.items())


def run_length_bmp(width: int, height: int, rows: bytes | None = None) -> bytes:
    rows = rows if rows is not None else (bytes([width, 1]) + b"\0\0") * height + b"\0\1"
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(rows), 0, 0, 1078) + header + bytes(1024) + rows


KINDS = {kind.name: kind for kind in picture_trials()}


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", KINDS)
def test_a_mutated_picture_gives_pixels_or_one_line(
    name: str, count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    outcome = run_trials(KINDS[name], count)
    assert capfd.readouterr() == ("", "")  # the libraries under Pillow write to the terminal by themselves
    assert min(outcome.loaded, outcome.refused) > count // 50
    assert outcome.slowest_ms < 1000 * SECONDS
    assert outcome.memory_growth_mib < 1500  # a mutated header may ask for 50 million pixels


@pytest.mark.parametrize("name", KINDS)
def test_a_picture_cut_short_at_every_length_gives_pixels_or_one_line(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for content in KINDS[name].contents:
        decoded = [is_decoded(content[:length]) for length in range(len(content) + 1)]
        assert decoded[-1]
        assert not any(decoded[: len(content) // 3])
    assert capfd.readouterr() == ("", "")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*more: bytes, size: int = 32, pixels: bytes | None = None) -> bytes:
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    rows = bytes(32 * 97) if pixels is None else pixels
    body = [chunk(b"IHDR", header), *more, chunk(b"IDAT", zlib.compress(rows, 9)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def many_scans(scans: int) -> bytes:
    """A progressive JPEG of 49 million pixels whose last scan comes again and again, empty."""
    content = encoded(Image.new("L", (7000, 7000), 100), "JPEG", progressive=True)
    empty = content[content.rindex(b"\xff\xda") :][:10] + b"\0"
    return content[:-2] + empty * scans + content[-2:]


def huge_webp(side: int) -> bytes:
    """An animation whose header promises a canvas of ``side`` × ``side`` pixels."""
    frame = Image.new("RGB", (8, 8))
    content = bytearray(
        encoded(frame, "WEBP", save_all=True, append_images=[Image.new("RGB", (8, 8), "red")])
    )
    place = content.index(b"VP8X") + 12
    content[place : place + 6] = 2 * (side - 1).to_bytes(3, "little")
    return bytes(content)


def hostile_exif() -> bytes:
    """Four thousand entries, every one of which is a megabyte at the same place."""
    entries = b"".join(struct.pack(">HHII", 1000 + i, 7, 2**20, 9) for i in range(4000))
    return (b"MM\0*\0\0\0\x08" + struct.pack(">H", 4000) + entries + bytes(4)).ljust(2**20 + 9, b"\0")


@functools.cache
def zeros(mebibytes: int) -> bytes:
    """So many mebibytes of zeros, compressed to a thousandth."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(mebibytes)) + packer.flush()


def jpeg(*more: bytes) -> bytes:
    honest = encoded(Image.new("RGB", (32, 32)), "JPEG")
    return honest[:2] + b"".join(more) + honest[2:]


def huge_jpeg() -> bytes:
    content = jpeg()
    place = content.index(b"\xff\xc0") + 5
    return content[:place] + b"\xff" * 4 + content[place + 4 :]


def hostile_jpeg_exif(segments: int) -> bytes:
    return jpeg((b"\xff\xe1\xff\xffExif\0\0" + hostile_exif()[:65_527]) * segments)


TOO_MANY_PIXELS, TEXT = "more than 50 million pixels", "too large"
BOMBS: dict[str, tuple[Callable[[], bytes], str | None]] = {
    "PNG header of 4e18 pixels": (lambda: png(size=2**31 - 1), TOO_MANY_PIXELS),
    "PNG text of 150 MiB": (lambda: png(chunk(b"zTXt", b"c\0\0" + zeros(150))), TEXT),
    "PNG other text of 150 MiB": (lambda: png(chunk(b"iTXt", b"c\0\1\0\0\0" + zeros(150))), TEXT),
    "PNG profile of 150 MiB": (lambda: png(chunk(b"iCCP", b"c\0\0" + zeros(150))), TEXT),
    "PNG of many profiles": (lambda: png(chunk(b"iCCP", b"c\0\0" + zeros(1)) * 6_000), "10 color profiles"),
    "PNG of many chunks": (lambda: png(chunk(b"abCd", b"") * 500_000), "more than 200,000 chunks"),
    "PNG of many pieces": (lambda: png(chunk(b"IDAT", b"") * 500_000), "more than 200,000 chunks"),
    "PNG whose pixels unpack to 150 MiB": (lambda: png(pixels=bytes(150 * 2**20)), None),
    "PNG with a hostile EXIF": (lambda: png(chunk(b"eXIf", hostile_exif())), None),
    "JPEG header of 4e9 pixels": (huge_jpeg, TOO_MANY_PIXELS),
    "JPEG of many scans": (lambda: many_scans(100_000), "more than 100 scans"),
    "JPEG of many segments": (lambda: jpeg(b"\xff\xe5\0\2" * 2_000_000), "more than 10,000 segments"),
    "JPEG of many tables": (lambda: jpeg(b"\xff\xc4\0\2" * 2_000_000), "more than 10,000 segments"),
    "JPEG of many texts": (lambda: jpeg(b"\xff\xff\xff\xfe\0\2" * 2_000_000), "more than 10,000 segments"),
    "JPEG with a hostile EXIF": (lambda: hostile_jpeg_exif(1), None),
    "JPEG of many hostile EXIF": (lambda: hostile_jpeg_exif(900), "more than 10 Exif segments"),
    "WebP canvas of 3e14 pixels": (lambda: huge_webp(2**24), TOO_MANY_PIXELS),
    "WebP canvas of 3e8 pixels": (lambda: huge_webp(16_383), TOO_MANY_PIXELS),
    "BMP header of 4e18 pixels": (lambda: run_length_bmp(2**31 - 1, 2**31 - 1, b""), "5 million pixels"),
    "BMP of one long row": (lambda: run_length_bmp(49_000_000, 1, b"\1\1\0\0" * 1000), "5 million pixels"),
    "BMP of many runs": (lambda: run_length_bmp(70, 45, b"\0\0" * 6_000_000), "5 million pixels"),
    "BMP of many steps": (lambda: run_length_bmp(50_000_000, 1, b"\0\2\xff\xff" * 99), "5 million pixels"),
}
"""How each is made, and a part of the line that refuses it; None for what only looks dangerous."""

DECODE = """
import resource, sys, time
from cifarlab.data.pictures import Preparation, decode
from cifarlab.errors import UserError
content = sys.stdin.buffer.read()
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
try:
    decode(content, Preparation(), "bomb")
except UserError as error:
    print(error)
else:
    print("decoded")
print(time.process_time() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def decoded_alone(content: bytes) -> tuple[str, float, float]:
    """What became of a content in a process of its own, its seconds of computing, and mebibytes beyond it."""
    command = [sys.executable, "-W", "error", "-c", DECODE]
    done = subprocess.run(command, input=content, capture_output=True, timeout=120, check=True)
    assert done.stderr == b""
    said, figures = done.stdout.decode().splitlines()
    seconds, mebibytes = map(float, figures.split())
    return said, seconds, mebibytes


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_time_and_memory(name: str) -> None:
    make, reason = BOMBS[name]
    said, seconds, mebibytes = decoded_alone(make())
    assert said == "decoded" if reason is None else reason in said
    assert seconds < SECONDS
    assert mebibytes < 200


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "RGBA"), ("PNG", "LA"), ("JPEG", "CMYK"), ("WEBP", "RGBA"), ("BMP", "RGB")]
)
def test_the_largest_honest_pictures_take_bounded_memory(kind: str, mode: str) -> None:
    fast: dict[str, Any] = {"PNG": {"compress_level": 1}, "WEBP": {"method": 0, "quality": 1}}
    content = encoded(Image.new(mode, (3000, 3000)), kind, **fast.get(kind, {}))
    said, _, mebibytes = decoded_alone(content)
    assert said == "decoded"
    assert mebibytes * 2**20 < 16 * 3000 * 3000 + 2**25  # 16 bytes for a pixel: 0.8 GB at 50 million


def test_as_many_scans_as_are_allowed_are_read() -> None:
    content = encoded(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
    empty = content[content.rindex(b"\xff\xda") :][:10] + b"\0"
    scans = content.count(b"\xff\xda")
    assert is_decoded(content[:-2] + empty * (MAX_SCANS - scans) + content[-2:])
    assert not is_decoded(content[:-2] + empty * (MAX_SCANS - scans + 1) + content[-2:])


@pytest.mark.parametrize("hidden", [b"\xff\xfe\0\x06\xff\xd9\0\0", b"\xff\xd0", b"\xff\xff\xff\xff"])
def test_scans_cannot_hide_behind_what_looks_like_an_end(hidden: bytes) -> None:
    content = encoded(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
    empty = content[content.rindex(b"\xff\xda") :][:10] + b"\0"
    assert not is_decoded(content[:-2] + hidden + empty * MAX_SCANS + content[-2:])
