"""Hosts that do one wrong thing after the other: the right file is published, or nothing is."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from cifarlab.data.fetch import fetch, part_of
from cifarlab.data.fetch.loop import Patience
from cifarlab.errors import Unavailable
from data.bad_answers import (
    changes,
    chunked,
    drops,
    endless,
    floods,
    hangs_up,
    in_chunks,
    resets,
    says,
    silent,
    spans,
    stalls,
    whole,
    wrong_bytes,
)
from data.bad_answers import part_of as part_said
from data.bad_server import NAME, BadServer, Behavior, content_of, facts, good, serving

CONTENT = content_of(3000)
SIZE = len(CONTENT)
ARCHIVE = facts(CONTENT)
OTHERS = [content_of(size, seed) for seed, size in ((1, SIZE), (2, SIZE), (3, SIZE - 100), (4, SIZE + 100))]
HASTY = Patience(deadline=0.05, enough=1)
CALM = Patience(deadline=60, enough=1)


def any_behavior(draw: random.Random) -> Behavior:
    """One of all kinds of behavior, good ones included."""
    count = draw.randrange(SIZE)
    etag = draw.choice(['"one"', '"two"', 'W/"weak"', ""])
    makers: list[Callable[[], Behavior]] = [
        lambda: good,
        lambda: drops(count),
        lambda: resets(count),
        lambda: hangs_up,
        lambda: spans(1 + count),
        lambda: whole(f"ETag: {etag}", count=draw.choice([None, count])),
        lambda: whole(f"Content-Length: {SIZE + draw.choice([-1, 0, 1])}", count=count),
        lambda: whole(f"Content-Length: {draw.choice(['-1', '', 'x', '0'])}"),
        lambda: whole("Content-Type: text/html"),
        lambda: says("200 OK", body=b"<html>"),
        lambda: says(draw.choice(["403", "404", "408", "416", "429", "500", "503 X", "999", "-1", "304"])),
        lambda: says("302 Found", f"Location: {draw.choice(['/x', 'file:///x', '', '//', 'http://[', '?'])}"),
        lambda: part_said(f"bytes {count}-{SIZE - 1}/{SIZE}"),
        lambda: part_said(f"bytes 0-{SIZE - 1}/*"),
        lambda: part_said(draw.choice(["", "x", f"bytes */{SIZE}"])),
        lambda: wrong_bytes,
        lambda: endless,
        lambda: changes(draw.choice([CONTENT, *OTHERS]), etag, draw.choice([good, drops(count), spans(9)])),
        lambda: chunked(in_chunks(CONTENT[:count], 1 + count // 3)),
        lambda: chunked([*in_chunks(CONTENT, 700)[:-1], (draw.choice([b"x", b"-1", b"", b"fff"]), b"!")]),
        lambda: floods(b"HTTP/1.1 200 OK\r\n", b"A: x\r\n"),
        lambda: floods(draw.randbytes(20) + b"\r\n\r\n", b"x"),
    ]
    return draw.choice(makers)()


def slow_behavior(draw: random.Random) -> Behavior:
    """What is only noticed at a deadline."""
    return draw.choice([silent, stalls(draw.randrange(SIZE)), floods(b"", b"HTTP/1.1 100 C\r\n\r\n")])


def leave_anything(draw: random.Random, path: Path) -> None:
    """What earlier commands and other programs may have left."""
    path.parent.mkdir()
    part = part_of(path)
    if draw.random() < 0.3:
        part.write_bytes(draw.choice([CONTENT, *OTHERS])[: draw.randrange(SIZE + 200)])
    if draw.random() < 0.2:
        part.with_name(part.name + ".json").write_bytes(draw.choice([b"", b"[]", b'{"version": "x"}']))
    if draw.random() < 0.1:
        path.write_bytes(draw.choice(OTHERS))


def note_of(part: Path, url: str) -> str:
    """The version that a part is noted to have."""
    try:
        note = json.loads(part.with_name(part.name + ".json").read_bytes())
    except (OSError, ValueError):
        return ""
    return str(note["version"]) if isinstance(note, dict) and note.get("url") == url else ""


def one_sequence(server: BadServer, folder: Path, seed: int) -> bool:
    """Whether the badly behaved host brought the file to its end."""
    draw = random.Random(seed)
    path = folder / NAME
    leave_anything(draw, path)
    left = path.read_bytes() if path.exists() else None
    server.content, server.etag = CONTENT, '"one"'
    server.script.clear()
    server.say(*[any_behavior(draw) for _ in range(draw.randrange(12))])
    if seed % 50 == 0:
        server.say(slow_behavior(draw))
    server.after = any_behavior(draw)
    patience = HASTY if seed % 50 == 0 else CALM
    try:
        fetch(ARCHIVE, folder, server.url, None, patience, sleep=lambda seconds: None)
    except Unavailable as error:
        assert str(error).isprintable(), seed
        assert (path.read_bytes() if path.exists() else None) == left, seed
        published = False
    else:
        published = True
        assert path.read_bytes() == CONTENT, seed
    part = part_of(path)
    kept = part.read_bytes() if part.exists() else b""
    note = note_of(part, server.url + NAME)
    assert len(kept) <= SIZE, seed
    server.content, server.after = CONTENT, good
    server.script.clear()
    server.requests.clear()
    assert fetch(ARCHIVE, folder, server.url, None, CALM, sleep=lambda seconds: None) == path
    assert path.read_bytes() == CONTENT, seed
    assert sorted(os.listdir(folder)) == [f".{NAME}.lock", NAME], seed
    # After a deadline, the host may read a request of before; only then does it send more.
    if patience is CALM and CONTENT.startswith(kept) and note in ("", server.etag) and not published:
        assert server.sent == SIZE - len(kept), f"{seed}: nothing is fetched twice"
    return published


def sequences(folder: Path, seeds: range) -> None:
    with serving(CONTENT) as server:
        published = sum(one_sequence(server, folder / str(seed), seed) for seed in seeds)
    assert 0.2 < published / len(seeds) < 0.9, "both ends are tested"


def test_the_right_file_or_none(tmp_path: Path) -> None:
    sequences(tmp_path, range(250))


@pytest.mark.soak
def test_the_right_file_or_none_very_often(tmp_path: Path) -> None:
    sequences(tmp_path, range(1000, 11_000))
