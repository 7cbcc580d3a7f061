"""A damaged state is noticed, the one before it is used, and the user is told."""

import shutil
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from cifarlab import checkpoint, run
from cifarlab.checkpoint import State, load_state, save_state
from cifarlab.errors import UserError
from cifarlab.train import train
from support import (
    Crash,
    Recorder,
    contents,
    outcome,
    save_always,
    small_recipe,
    states,
    stop_at,
    synthetic_source,
)

SOURCE = synthetic_source()
RECIPE = small_recipe(epochs=2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(RECIPE, SOURCE, folder)
    return outcome(folder)


@pytest.fixture(scope="module")
def _crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crashed") / "run"
    with pytest.MonkeyPatch.context() as patch:
        save_always(patch)
        stop_at(patch, 8 + 3, error=Crash())
        with pytest.raises(Crash):
            train(RECIPE, SOURCE, folder)
    return folder


@pytest.fixture
def crashed(_crashed: Path, tmp_path: Path) -> Path:
    """A run that crashed in the middle of its second epoch, with two states."""
    shutil.copytree(_crashed, tmp_path / "run")
    assert len(states(tmp_path / "run")) == 2
    return tmp_path / "run"


def _flip(path: Path, place: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


@pytest.fixture
def two_states(tmp_path: Path) -> Path:
    for number in (1, 2):
        save_state(tmp_path, number, State({"weights": torch.arange(60.0)}, {"number": number}))
    return tmp_path


def test_every_flipped_byte_and_every_length_is_noticed(two_states: Path) -> None:
    newest = sorted(two_states.iterdir())[-1]
    content = newest.read_bytes()
    for wrong in _damaged(content):
        newest.write_bytes(wrong)
        state, damaged = load_state(two_states)
        assert state is not None and state.values == {"number": 1}
        assert damaged == [newest.name]
    newest.write_bytes(content)
    state, damaged = load_state(two_states)
    assert state is not None and state.values == {"number": 2} and not damaged


def _damaged(content: bytes) -> Iterator[bytes]:
    for place in range(len(content)):
        yield content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :]
        yield content[:place]
    yield content + b"\0"
    yield bytes(len(content))


def test_without_the_hash_a_flip_goes_unnoticed(two_states: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: it is the hash that notices."""
    newest = sorted(two_states.iterdir())[-1]
    digest = newest.name.split("-")[2].removesuffix(".safetensors")
    same = types.SimpleNamespace(hexdigest=lambda: digest)
    monkeypatch.setattr(checkpoint, "hashlib", types.SimpleNamespace(sha256=lambda content: same))
    _flip(newest, -1)
    state, damaged = load_state(two_states)
    assert state is not None and state.values == {"number": 2} and not damaged
    assert not torch.equal(state.tensors["weights"], torch.arange(60.0))


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "zeros"])
def test_the_state_before_is_used_and_it_is_said(damage: str, crashed: Path, whole: dict[str, Any]) -> None:
    newest, previous = states(crashed)
    match damage:
        case "flip":
            _flip(newest, 5000)
        case "cut":
            newest.write_bytes(newest.read_bytes()[:-1])
        case "empty":
            newest.write_bytes(b"")
        case "zeros":
            newest.write_bytes(bytes(newest.stat().st_size))
    display = Recorder()
    train(RECIPE, SOURCE, crashed, resume=True, display=display)
    assert display.said == [
        f"the saved state {newest.name} is damaged and was passed over",
        "resumed after 1 epochs and 1 steps",
    ]
    assert outcome(crashed) == whole
    assert previous.parent.exists() is False


def test_a_damaged_state_does_not_take_the_place_of_a_good_one(
    crashed: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a fall-back there are soon two good states again: the next damage is survived as well."""
    _flip(states(crashed)[0], 5000)
    save_always(monkeypatch)
    stop_at(monkeypatch, 2, error=Crash())
    with pytest.raises(Crash):
        train(RECIPE, SOURCE, crashed, resume=True)
    # One step was taken from the state after step 1, so that the good ones are those after step 1 and 2.
    good = [path for path in states(crashed) if load_only(path)]
    assert len(good) == 2


def load_only(path: Path) -> bool:
    """Whether this state is whole."""
    alone = path.parent.parent / "alone"
    alone.mkdir()
    shutil.copy(path, alone)
    state, _ = load_state(alone)
    shutil.rmtree(alone)
    return state is not None


def test_all_damaged_is_refused(crashed: Path) -> None:
    for path in states(crashed):
        _flip(path, 100)
    before = contents(crashed)
    display = Recorder()
    with pytest.raises(
        UserError, match=r"every saved state in .*resume is damaged; delete that folder"
    ) as error:
        train(RECIPE, SOURCE, crashed, resume=True, display=display)
    assert "\n" not in str(error.value)
    assert len(display.said) == 2
    assert contents(crashed) == before


def test_a_fresh_start_is_never_silent(crashed: Path, whole: dict[str, Any]) -> None:
    """The states are gone, the run's other files are there: it starts anew, and says so."""
    shutil.rmtree(crashed / run.STATES)
    display = Recorder()
    train(RECIPE, SOURCE, crashed, resume=True, display=display)
    assert any("from the beginning" in line for line in display.said)
    assert outcome(crashed) == whole


def test_a_state_of_another_run_is_refused(crashed: Path, tmp_path: Path) -> None:
    """Whole, but not of this network: one line, no traceback."""
    folder = crashed / run.STATES
    shutil.rmtree(folder)
    save_state(folder, 1, State({"totals": torch.zeros(2)}, {"epoch": 0}))
    with pytest.raises(UserError, match="the saved state does not fit this run") as error:
        train(RECIPE, SOURCE, crashed, resume=True)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [run.RECIPE, run.RESULT])
@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000], ids=["empty", "cut", "binary", "deep"]
)
def test_damaged_json_is_one_line(name: str, content: bytes, crashed: Path) -> None:
    (crashed / name).write_bytes(content)
    before = contents(crashed)
    with pytest.raises(UserError, match=f"{name} is damaged") as error:
        train(RECIPE, SOURCE, crashed, resume=True)
    assert "\n" not in str(error.value)
    assert contents(crashed) == before
