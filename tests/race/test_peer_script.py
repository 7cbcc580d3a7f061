"""Which script it is, and what is changed in it."""

import ast
import difflib
import hashlib
import os
import re
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cifarlab.errors import UserError
from cifarlab.race.peers.recognize import PEERS, recognize
from cifarlab.race.peers.script import LARGEST_SCRIPT, read_script
from race.peer_samples import MUON, SAMPLES, SPEEDRUN

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
NUMERICS = re.compile(r"half|bfloat16|compile|autocast|channels_last|_orig_mod|lr|momentum|decay")


def copy(folder: Path, text: str, name: str = "copy.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", SAMPLES)
def test_a_script_is_recognized_by_its_text(name: str) -> None:
    assert recognize(SAMPLES[name]).name == name


@pytest.mark.parametrize("text", ["", "print(1)", "class Muon(", MUON + SPEEDRUN])
def test_another_script_is_refused_in_a_line_that_names_the_three(text: str) -> None:
    with pytest.raises(UserError) as error:
        recognize(text)
    for peer in PEERS:
        assert peer.name in str(error.value) and peer.source in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "is not a text"),
        (b"#" * (LARGEST_SCRIPT + 1), "too large"),
        (MUON.replace("mod.half()", "mod.half().half()").encode(), "'CPU: fp32.*2 times and occurs 3 times"),
        (MUON.replace("ceil(3 *", "ceil(4 *").encode(), r"'epochs: 0.75.*must occur 1 times and occurs 0"),
        (MUON.replace("train_acc =", "accuracy =").encode(), "'no evaluation per epoch'"),
        (MUON.replace('"cuda"', 'f"cuda"').replace("uda", "uba").encode(), "the device's name"),
        (SPEEDRUN.replace(".pin_memory()", "").encode(), "pinned buffer"),
    ],
)
def test_a_script_that_is_not_known_ends_in_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "copy.py"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read_script(path, CPU, epochs=2, batch_size=None)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_script(tmp_path / "none.py", CPU, None, None)


@pytest.mark.parametrize("name", SAMPLES)
def test_line_ends_of_another_system_do_not_matter(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(SAMPLES[name].replace("\n", "\r\n").encode())
    plain = read_script(copy(tmp_path, SAMPLES[name]), CPU, None, None)
    assert read_script(path, CPU, None, None).text == plain.text


@pytest.mark.parametrize("name", SAMPLES)
def test_the_published_epochs_change_nothing(name: str, tmp_path: Path) -> None:
    path = copy(tmp_path, SAMPLES[name])
    published = recognize(SAMPLES[name])
    plain = read_script(path, CUDA, None, None)
    assert read_script(path, CUDA, published.epochs, published.batch_size) == plain
    assert (plain.epochs, plain.batch_size) == (published.epochs, published.batch_size)


@pytest.mark.parametrize(
    ("name", "epochs", "expected"),
    [
        ("airbench94_muon.py", 2, ("ceil(2.0 * len(train_loader))", "ceil(0.75 * len(train_loader))")),
        ("cifar10_speedrun.py", 15.18, ("ceil(15.18 * len", "ceil(0.38 * len")),
        ("airbench96_faster.py", 30, ("'train_epochs': 30.0,", "'whiten_bias_epochs': 2.0,")),
    ],
)
def test_the_parts_of_a_schedule_keep_their_shares(
    name: str, epochs: float, expected: tuple[str, ...], tmp_path: Path
) -> None:
    script = read_script(copy(tmp_path, SAMPLES[name]), CUDA, epochs, None)
    assert all(part in script.text for part in expected)
    assert script.epochs == epochs


def test_a_step_of_fewer_images_for_tests(tmp_path: Path) -> None:
    script = read_script(copy(tmp_path, SAMPLES["airbench96_faster.py"]), CUDA, None, 100)
    assert "'batch_size': 100," in script.text and "'batch_size_masked': 50," in script.text
    assert "images a step: 100 instead of 1024" in script.change_names


def test_in_bf16_a_script_keeps_its_own_bf16_and_nothing_else(script_path: Path) -> None:
    single, mixed = (read_script(script_path, CPU, None, None, each) for each in ("fp32", "bf16"))
    assert (single.precision, mixed.precision) == ("fp32", "bf16")
    own = script_path.read_text().count(".bfloat16()")
    assert own == (single.peer.name == "airbench94_muon.py")
    assert (single.text.count(".bfloat16()"), mixed.text.count(".bfloat16()")) == (0, own)
    assert mixed.text.replace(".bfloat16()", ".float()") == single.text
    assert set(single.change_names) - set(mixed.change_names) == ({"CPU: fp32 for bf16"} if own else set())


def test_on_cuda_a_script_takes_no_other_precision(tmp_path: Path) -> None:
    path = copy(tmp_path, MUON)
    with pytest.raises(UserError, match=r"keeps its own numerics; leave out the precision bf16"):
        read_script(path, CUDA, None, None, "bf16")
    assert read_script(path, CUDA, None, None).precision == "fp16"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_text_that_is_not_the_published_one_is_taken_and_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SAMPLES[name]
    published = replace(recognize(text), sha256=("0" * 64, hashlib.sha256(text.encode()).hexdigest()))
    monkeypatch.setattr("cifarlab.race.peers.script.recognize", lambda text: published)
    windows = tmp_path / "windows.py"
    windows.write_bytes(text.replace("\n", "\r\n").encode())
    assert read_script(copy(tmp_path, text), CPU, 2, None).as_published
    assert read_script(windows, CPU, None, None).as_published
    for found, other in (("import time\n", "import time; time.sleep(1)\n"), ("lr=0.0", "lr=0.1")):
        assert not read_script(copy(tmp_path, text.replace(found, other)), CPU, None, None).as_published


@pytest.mark.parametrize("name", SAMPLES)
def test_the_published_scripts_are_known(name: str) -> None:
    assert read_script(_real(name), CPU, None, None).as_published


@pytest.mark.parametrize("epochs", [0, -1, float("nan"), float("inf")])
def test_a_race_needs_epochs(epochs: float, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="more than 0 epochs"):
        read_script(copy(tmp_path, MUON), CPU, epochs, None)


def _real(name: str) -> Path:
    folder = os.environ.get("CIFARLAB_PEERS")
    if folder is None:
        pytest.skip("CIFARLAB_PEERS names no folder with copies of the peers' scripts")
    return Path(folder, name)


@pytest.fixture(params=[(kind, name) for kind in ("sample", "real") for name in SAMPLES], ids="-".join)
def script_path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    kind, name = request.param
    return copy(tmp_path, SAMPLES[name], name) if kind == "sample" else _real(name)


def test_on_a_cpu_nothing_asks_for_a_gpu_or_for_half_precision(script_path: Path) -> None:
    script = read_script(script_path, CPU, None, None)
    assert script.peer.name == script_path.name
    code = ast.unparse(_parsed(script.text))  # without comments
    assert re.findall(r".*(?:cuda|half|bfloat16|torch\.compile|pin_memory|_orig_mod).*", code) == []
    assert "__main__" not in code


def test_on_a_gpu_no_change_touches_numerics_or_compiling(script_path: Path) -> None:
    script = read_script(script_path, CUDA, None, None)
    original, _, _ = script_path.read_text().partition('if __name__ == "__main__":')
    lines = difflib.ndiff(original.splitlines(), script.text.splitlines())
    touched = [line for line in lines if line[0] in "+-" and line[1:].strip()]
    assert 4 <= len(touched) <= 13
    found = [line for line in touched if NUMERICS.search(line)]
    # The buffer that cifar10_speedrun fills and never reads is the only place of such a kind.
    assert [line for line in found if "dtype=torch.half," not in line] == []
    assert len(found) == (script.peer.name == "cifar10_speedrun.py")
    _parsed(script.text)


def test_every_epoch_and_batch_of_a_script_can_be_scaled(script_path: Path) -> None:
    published = read_script(script_path, CPU, None, None)
    scaled = read_script(script_path, CPU, 0.5, 10)
    assert len(scaled.change_names) - len(published.change_names) in (3, 4)
    _parsed(scaled.text)


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a backslash in a docstring
        return ast.parse(text)
