"""Reading a run folder: torn logs, repeated epochs, pictures of mistakes, values that are no numbers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cifarlab.errors import UserError
from cifarlab.report.run_folder import read_metrics, read_mistakes, read_run

RunMaker = Callable[..., Path]


def test_a_torn_last_line_is_left_out_and_said(make_run: RunMaker) -> None:
    folder = make_run()
    log = folder / "metrics.jsonl"
    log.write_bytes(log.read_bytes()[:-30])
    rows, notes = read_metrics(log)
    assert [row["epoch"] for row in rows] == list(range(1, 12))
    assert "1 line of metrics.jsonl is torn" in " ".join(notes)


def test_of_two_lines_on_one_epoch_the_later_counts(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_text(
        '{"epoch": 1, "lr": 1}\n{"epoch": 2, "lr": NaN}\n[1]\n{"epoch": 1, "lr": 5}\n{"epoch": true}\n'
    )
    rows, notes = read_metrics(log)
    assert rows == ({"epoch": 1.0, "lr": 5.0}, {"epoch": 2.0})
    assert notes[0].startswith("2 lines")


def test_a_mistake_has_its_classes_and_its_softmax_confidence(make_run: RunMaker) -> None:
    path = make_run([f"c{number}" for number in range(8)]) / "test_logits.safetensors"
    tensors, mistakes = load_file(path), read_mistakes(path, 8)
    chances = np.exp(tensors["logits"].astype(float))
    chances /= chances.sum(axis=1, keepdims=True)
    assert [mistake.index for mistake in mistakes] == tensors["mistakes"].tolist()
    for mistake, picture in zip(mistakes, tensors["mistake_images"], strict=True):
        assert mistake.truth == tensors["labels"][mistake.index]
        assert mistake.predicted == chances[mistake.index].argmax()
        assert mistake.confidence == pytest.approx(chances[mistake.index].max())
        assert np.array_equal(mistake.image, picture)


@pytest.mark.parametrize("name", ["mistakes", "labels", "mistake_images", "logits"])
def test_tensors_that_do_not_fit_together_are_left_out_and_said(make_run: RunMaker, name: str) -> None:
    folder = make_run([f"c{number}" for number in range(8)])
    path = folder / "test_logits.safetensors"
    tensors = load_file(path)
    tensors[name] = (
        tensors[name] + np.array(10_000, dtype=tensors[name].dtype)
        if name in ("mistakes", "labels")
        else tensors[name][:, :2]
    )
    save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, path)
    run = read_run(folder)
    assert run.mistakes is None
    assert "test_logits.safetensors is damaged" in run.notes[0]


@pytest.mark.parametrize("value", ["<b>", True, float("nan"), None, [0.5], 10**400])
def test_an_accuracy_that_is_no_number_is_refused(make_run: RunMaker, value: object) -> None:
    with pytest.raises(UserError, match="damaged"):
        read_run(make_run(test_accuracy=value))
