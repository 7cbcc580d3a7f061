"""Where an export goes: beside the run's files or where it is asked for, never over someone's file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cifarlab import run
from cifarlab.errors import Unavailable, UserError
from cifarlab.export import export, graph, publish
from cifarlab.files import write_json
from cifarlab.models import LeNet
from cifarlab.run import RESULT, mark_diverged
from export_samples import colored_digits, untrained_run
from support import contents


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return untrained_run(tmp_path / "run", LeNet())


def test_an_earlier_export_is_replaced(folder: Path) -> None:
    file = export(folder, "safetensors")
    earlier = file.read_bytes()
    write_json(folder / RESULT, {"status": "finished", "test_accuracy": 0.75, "test_images": 450})
    assert export(folder, "safetensors") == file == folder / "export.safetensors"
    assert file.read_bytes() != earlier


def test_a_failed_check_without_words_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("onnxruntime.InferenceSession", refuse)
    with pytest.raises(Unavailable, match="it cannot be run: MemoryError; try other versions"):
        export(folder)
    assert not (folder / "model.onnx").exists()


@pytest.mark.parametrize("kind", ["onnx", "safetensors"])
@pytest.mark.parametrize("content", [b"", b"mine", b"\x08\x0a\x12\x00", bytes(100)])
def test_a_file_of_someone_else_is_left_alone(
    folder: Path, kind: publish.Format, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "trace", None)  # the refusal comes before the work
    target = folder.parent / "out"
    target.write_bytes(content)
    before = contents(folder.parent)
    with pytest.raises(UserError, match="out exists already and is no such export of cifarlab; choose"):
        export(folder, kind, target)
    assert contents(folder.parent) == before


def test_the_run_s_own_files_and_exports_of_the_other_kind_are_left_alone(folder: Path) -> None:
    other = export(folder, "safetensors")
    before = contents(folder)
    with pytest.raises(UserError, match="is no such export of cifarlab"):
        export(folder, "safetensors", folder / "model.safetensors")
    with pytest.raises(UserError, match="is no such export of cifarlab"):
        export(folder, "onnx", other)
    with pytest.raises(UserError, match="is no such export of cifarlab"):
        export(folder, "safetensors", folder)
    assert contents(folder) == before


def test_a_folder_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*/absent; make it, or choose another --out"):
        export(folder, "safetensors", folder / "absent" / "file")


def test_a_run_without_a_result_is_not_exported(folder: Path, tmp_path: Path) -> None:
    mark_diverged(folder, "the loss is not finite")
    with pytest.raises(UserError, match="diverged"):
        export(folder)
    (folder / RESULT).unlink()
    with pytest.raises(UserError, match="has not finished"):
        export(folder)
    with pytest.raises(UserError, match="ru does not exist; did you mean run"):
        export(tmp_path / "ru")


def test_the_temperature_goes_along(folder: Path, tmp_path: Path) -> None:
    plain = answer(export(folder))
    trained, weights, _ = run.read_weights(folder)
    run.write_weights(folder, weights, replace(trained, temperature=0.5))
    np.testing.assert_allclose(answer(export(folder)), 2 * plain, atol=1e-4, rtol=1e-4)


def answer(file: Path) -> Any:
    """The logits of some pictures."""
    session = pytest.importorskip("onnxruntime").InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": colored_digits(7).numpy()})[0]
