"""Small picture files that would cost minutes or gigabytes to decode, told from honest ones by their frame.

The number of pixels says nothing of these: a progressive JPEG passes over all of its pixels once per scan,
and a PNG may hold thousands of compressed color profiles. What is refused here, no camera and no program
writes; every limit is at least ten times what was ever seen.
"""

import re
import struct
from collections.abc import Iterator

MAX_SCANS = 100
"""Of a JPEG. Encoders write 1 to 14; a scan of 50 million pixels takes milliseconds, and eleven bytes."""
MAX_SEGMENTS = 10_000
"""Of a JPEG, before its pixels. The longest color profiles and texts take up a thousand."""
MAX_CHUNKS = 200_000
"""Of a PNG."""
MAX_PROFILES = 10
"""Of a PNG, where one is allowed: each may unpack to a mebibyte."""
MAX_RUN_LENGTH_PIXELS = 5_000_000
"""Of a run-length coded BMP, which Pillow decodes in Python; its file may have twice as many bytes."""

MAX_EXIF_SEGMENTS = 10
"""Of a JPEG, where one is usual; Pillow copies all that came before for each."""

_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_START_OF_SCAN, _END_OF_IMAGE, _APPLICATION_1 = 0xDA, 0xD9, 0xE1
_ALONE = {0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}
"""Markers behind which Pillow expects the next marker, not a length."""
_RUN_LENGTH = (1, 2)


class Bomb(ValueError):
    """The message says what there is too much of."""


def refuse_bomb(content: bytes) -> None:
    """Raise a ``Bomb`` where the frame of a picture file promises far more work than its pixels.

    Args:
        content: a whole file of any kind; only its frame is read, in far less time than decoding takes.
    """
    if content.startswith(b"\xff\xd8"):
        _refuse_jpeg(content)
    elif content.startswith(b"\x89PNG\r\n\x1a\n"):
        _refuse_png(content)
    elif content.startswith(b"BM"):
        _refuse_bmp(content)


def _refuse_jpeg(content: bytes) -> None:
    first_scan, exif_segments = len(content), 0
    for count, (code, place, body) in enumerate(_markers(content, 0)):
        exif_segments += code == _APPLICATION_1 and content.startswith(b"Exif", body + 2)
        if count > MAX_SEGMENTS:
            raise Bomb(f"more than {MAX_SEGMENTS:,} segments")
        if exif_segments > MAX_EXIF_SEGMENTS:
            raise Bomb(f"more than {MAX_EXIF_SEGMENTS} Exif segments")
        if code == _START_OF_SCAN:
            first_scan = place
            break
    # These two bytes are rare outside of scans, but films that a telephone appends may hold them.
    if content.count(b"\xff\xda", first_scan) > MAX_SCANS:
        scans = (code for code, _, _ in _markers(content, first_scan) if code == _START_OF_SCAN)
        if sum(1 for _ in zip(range(MAX_SCANS + 1), scans, strict=False)) > MAX_SCANS:
            raise Bomb(f"more than {MAX_SCANS} scans")


def _markers(content: bytes, place: int) -> Iterator[tuple[int, int, int]]:
    """Every marker of a JPEG from ``place`` to the end of the image: its code, and its start and end."""
    while found := _MARKER.search(content, place):
        code = found[1][0]
        place = found.end()
        yield code, found.start(), place
        if code == _END_OF_IMAGE:
            return
        if code not in _ALONE:
            place += max(2, int.from_bytes(content[place : place + 2], "big"))


def _refuse_png(content: bytes) -> None:
    place, chunks, profiles = 8, 0, 0
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        chunks, profiles = chunks + 1, profiles + (kind == b"iCCP")
        if chunks > MAX_CHUNKS:
            raise Bomb(f"more than {MAX_CHUNKS:,} chunks")
        if profiles > MAX_PROFILES:
            raise Bomb(f"more than {MAX_PROFILES} color profiles")
        place += 12 + length


def _refuse_bmp(content: bytes) -> None:
    if len(content) < 34:
        return
    width, height, compression = struct.unpack_from("<ii4xI", content, 18)
    pixels = max(abs(width) * abs(height), len(content) // 2)
    if compression in _RUN_LENGTH and pixels > MAX_RUN_LENGTH_PIXELS:
        raise Bomb(f"run-length coded with more than {MAX_RUN_LENGTH_PIXELS // 1_000_000} million pixels")
