"""``cifarlab export``: what it prints, and wrong use on one line."""

import sys
from pathlib import Path

import pytest

from cifarlab.cli import main
from cifarlab.export import open_exported
from cifarlab.models import LeNet
from export_samples import untrained_run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return untrained_run(tmp_path / "run", LeNet())


def test_it_says_where_the_file_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "run", "--format", "safetensors", "--out", "evil\x1b[31m.st"]) == 0
    shown, complaint = capsys.readouterr()
    assert complaint == ""
    assert shown.startswith("wrote evil\ufffd[31m.st (0.2 MiB)") and shown.count("\n") == 1
    assert open_exported(Path("evil\x1b[31m.st")).facts.description.recipe_name == "sample"


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("export", "run folder"),
        ("export rum", "rum does not exist; did you mean run?"),
        ("export run --format tflite", "--format"),
        ("export run --fromat onnx", "did you mean --format?"),
        ("export run --out absent/file.onnx", "there is no folder absent"),
        ("export run --out run", "run exists already and is no such export"),
        (f"export run --out {'x' * 300}", "could not write xxx"),
    ],
)
def test_wrong_use_is_said_in_one_line(
    typed: str,
    message: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(folder.parent.rglob("*"))
    assert main(typed.split(" ")) == 2
    shown, complaint = capsys.readouterr()
    assert shown == "" and complaint.count("\n") == 1 and complaint[:-1].isprintable()
    assert message in complaint
    assert sorted(folder.parent.rglob("*")) == before


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime", "onnxscript"])
@pytest.mark.parametrize("is_there", [False, True])
def test_without_the_extra_one_line_says_what_to_install(
    missing: str,
    is_there: bool,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if is_there:
        (folder / "model.onnx").write_bytes(b"an earlier export")
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["export", "run"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        "cifarlab: ONNX is not installed; run: pip install 'cifarlab[export]'\n",
    )
