"""A run's folder that is damaged, unfinished or absent: one line says so."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from cifarlab import run
from cifarlab.checkpoint import encode
from cifarlab.config import to_json
from cifarlab.data.digits import open_digits
from cifarlab.errors import UserError
from run_samples import train_tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests that change something work on a copy."""
    return train_tiny(open_digits(), tmp_path_factory.mktemp("run") / "finished")


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copied"))


def test_a_line_that_a_crash_cut_short_is_left_out(copied: Path) -> None:
    whole_lines = run.read_metrics(copied)
    with (copied / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "st')
    assert run.read_metrics(copied) == whole_lines


def set_field(name: str, value: Any) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        document = json.loads(path.read_text())
        document[name] = value
        path.write_text(json.dumps(document))

    return change


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("recipe.json", lambda path: path.write_text("{"), "is damaged: it is not JSON"),
        ("recipe.json", lambda path: path.write_text("[]"), "has schema None; this cifarlab reads schema 2"),
        ("recipe.json", set_field("schema", 1), "has schema 1; this cifarlab reads schema 2"),
        ("recipe.json", set_field("schema", "\x1b\n"), "has schema"),
        ("recipe.json", set_field("sed", 1), "sed: no such field; did you mean seed?"),
        ("recipe.json", set_field("recipe", {"type": "Recipe"}), "recipe.model: this field is missing"),
        ("recipe.json", lambda path: path.unlink(), "is not a run folder (it has no recipe.json)"),
    ],
)
def test_a_damaged_description_is_said_in_one_line(
    copied: Path, name: str, damage: Callable[[Path], object], message: str
) -> None:
    damage(copied / name)
    with pytest.raises(UserError) as caught:
        run.read_description(copied)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "has not finished; finish it with train"),
        (lambda path: path.write_text("{"), "is damaged"),
        (lambda path: path.write_text("{}"), "is damaged: it does not say how the run ended"),
        (lambda path: path.write_text("[]"), ""),
        (lambda path: path.write_text('"finished"'), ""),
        (lambda path: run.mark_diverged(path.parent, "epoch 1:\nboom"), "diverged: epoch 1:\ufffdboom"),
    ],
    ids=["missing", "cut short", "empty object", "a list", "a text", "diverged"],
)
def test_a_result_that_is_none_is_said_in_one_line(
    copied: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(copied / "result.json")
    with pytest.raises(UserError) as caught:
        run.read_result(copied)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def without_a_tensor(path: Path) -> None:
    weights = load_file(path)
    weights.popitem()
    _, rest = run.read_weights(path.parent)[:2]
    rest.popitem()
    network = run.read_weights(path.parent)[0]
    path.write_bytes(encode(rest, {"network": to_json(network)}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "has lost its model.safetensors"),
        (lambda path: path.write_bytes(b""), "is damaged, or not a file of cifarlab"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is damaged, or not a file of cifarlab"),
        (lambda path: path.write_bytes(b"\xff" * 100), "is damaged, or not a file of cifarlab"),
        (lambda path: save_file({"x": torch.zeros(1)}, path), "is damaged, or not a file of cifarlab"),
        (lambda path: path.write_bytes(encode({}, {})), "TrainedNetwork: expected an object, found None"),
        (lambda path: path.write_bytes(encode({}, {"network": {}})), "this field is missing"),
        (without_a_tensor, "do not fit this network"),
    ],
    ids=[
        "missing",
        "empty",
        "cut short",
        "noise",
        "another's file",
        "no network",
        "half a network",
        "a tensor less",
    ],
)
def test_damaged_weights_are_said_in_one_line(
    copied: Path, damage: Callable[[Path], object], message: str
) -> None:
    set_field("weights_sha256", None)(copied / "result.json")  # as in a run of an older version
    damage(copied / "model.safetensors")
    with pytest.raises(UserError) as caught:
        run.load_network(copied)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("place", [-1, -1000])
def test_a_flipped_bit_among_the_weights_is_noticed(copied: Path, place: int) -> None:
    path = copied / "model.safetensors"
    run.load_network(copied)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"model.safetensors is damaged: its SHA-256 is not the one in"):
        run.load_network(copied)
    (copied / "result.json").unlink()  # which says nothing then
    run.load_network(copied)


def test_a_missing_run_is_answered_with_the_nearest(trained: Path) -> None:
    with pytest.raises(UserError, match=r"finishd does not exist; did you mean finished\?"):
        run.require_run(trained.parent / "finishd")
    with pytest.raises(UserError, match=r"is not a run folder \(it has no recipe.json\)"):
        run.require_run(trained.parent)
