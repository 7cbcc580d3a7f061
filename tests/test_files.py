"""Files are whole or absent, whatever fails on the way."""

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cifarlab.errors import UserError
from cifarlab.files import (
    make_folder,
    one_line_errors,
    read_json,
    remove_leftovers,
    sha256_of,
    write_atomic,
    write_json,
)


def test_content_arrives_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for content in (b"", b"one", bytes(range(256)) * 5000, b"2"):
        write_atomic(path, content)
        assert path.read_bytes() == content
        assert list(tmp_path.iterdir()) == [path]


def test_others_may_read_the_file_as_far_as_the_user_allows(tmp_path: Path) -> None:
    previous = os.umask(0o022)
    try:
        write_atomic(tmp_path / "a", b"x")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_a_write_that_takes_only_a_part_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, content: write(file, bytes(content[:3])))
    write_atomic(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def fail_at(patch: pytest.MonkeyPatch, name: str, call: int, number: int) -> None:
    """Let the ``call``-th call (from 1) of ``os.name`` fail; a write leaves the half of its content."""
    original: Callable[..., Any] = getattr(os, name)
    calls = 0

    def failing(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != call:
            return original(*arguments, **options)
        if name == "write":
            original(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        raise OSError(number, os.strerror(number))

    patch.setattr(os, name, failing)


BEFORE_RENAME = [("open", 1), ("write", 1), ("fsync", 1), ("close", 1), ("replace", 1)]
AFTER_RENAME = [("open", 2), ("fsync", 2), ("close", 2)]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO], ids=["disk full", "I/O error"])
@pytest.mark.parametrize("old", [b"old", None], ids=["over a file", "a new file"])
@pytest.mark.parametrize(("name", "call"), BEFORE_RENAME + AFTER_RENAME)
def test_a_failure_at_any_call_leaves_the_old_file_or_the_new_one_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: int, old: bytes | None, number: int
) -> None:
    path = tmp_path / "weights"
    if old is not None:
        path.write_bytes(old)
    with monkeypatch.context() as patch:
        fail_at(patch, name, call, number)
        with pytest.raises(UserError) as caught:
            write_atomic(path, b"the new content")
    found = path.read_bytes() if path.exists() else None
    assert found == (old if (name, call) in BEFORE_RENAME else b"the new content")
    assert [left for left in tmp_path.iterdir() if left != path] == []
    assert str(path) in str(caught.value)
    assert str(caught.value).isprintable()


def test_nothing_is_flushed_too_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content is on the disk before it gets its name, and the name afterwards."""
    order: list[str] = []
    for name in ("open", "write", "fsync", "close", "replace"):
        original = getattr(os, name)

        def noted(*arguments: Any, _name: str = name, _original: Any = original, **options: Any) -> Any:
            order.append(_name)
            return _original(*arguments, **options)

        monkeypatch.setattr(os, name, noted)
    write_atomic(tmp_path / "a", b"x")
    assert order == ["open", "write", "fsync", "close", "replace", "open", "fsync", "close"]


@pytest.mark.parametrize(
    "act",
    [
        lambda path: write_atomic(path / "x", b""),
        lambda path: write_json(path / "x", 1),
        lambda path: read_json(path / "x"),
        lambda path: sha256_of(path / "x"),
        lambda path: make_folder(path / "x"),
    ],
    ids=["write_atomic", "write_json", "read_json", "sha256_of", "make_folder"],
)
@pytest.mark.parametrize("name", ["file", "evil\x1b[31m\nname"])
def test_errors_name_the_path_in_one_line(tmp_path: Path, name: str, act: Callable[[Path], object]) -> None:
    path = tmp_path / name
    path.write_text("a file where a folder is expected")
    with pytest.raises(UserError) as caught:
        act(path)
    assert str(tmp_path) in str(caught.value)
    assert "is a file, not a folder" in str(caught.value)
    assert str(caught.value).isprintable()


def test_json_comes_back(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None, "é"], "b": True}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert (tmp_path / "a.json").read_text().startswith('{\n  "a": [\n')


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_not_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", [value])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1, 2", b"\xff\xfe", b"nonsense", b"[" * 100_000],
    ids=lambda content: repr(content[:9]),
)
@pytest.mark.parametrize("name", ["a.json", "evil\x1b[31m\nname.json"])
def test_damaged_json_is_named_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_json(path)
    assert str(tmp_path) in str(caught.value)
    assert "damaged" in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_interrupted_write_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: Any) -> None:
        raise KeyboardInterrupt

    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_the_sum_is_the_content_s(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    (tmp_path / "a").write_bytes(content)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_a_folder_may_be_there_already(tmp_path: Path) -> None:
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_only_leftovers_of_a_write_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.json", "notes.tmp", ".hidden", ".draft.tmp"):
        (tmp_path / name).write_text("keep")

    def crash(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", crash)
        patch.setattr(os, "unlink", crash)  # a process that was killed cleans nothing up
        with pytest.raises(KeyboardInterrupt):
            write_atomic(tmp_path / "a.json", b"new")
    assert len(list(tmp_path.iterdir())) == 5
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".draft.tmp",
        ".hidden",
        "a.json",
        "notes.tmp",
    ]


def test_other_errors_pass_through() -> None:
    with pytest.raises(KeyError), one_line_errors("read x"):
        raise KeyError("x")
