"""What cannot be explained is refused in one line, and nothing is left behind."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cifarlab import run
from cifarlab.checkpoint import encode
from cifarlab.errors import UserError
from cifarlab.explain import explain
from cifarlab.explain.explanation import EXPLANATION, FOLDER, read_explanation
from explain.conftest import forget_mistakes


def _other_shape(folder: Path) -> None:
    forget_mistakes(folder)
    content = (folder / run.TEST_LOGITS).read_bytes()
    (folder / run.TEST_LOGITS).write_bytes(content[:-5])


def _mistakes_beyond_the_end(folder: Path) -> None:
    kept = {
        "logits": torch.eye(10),
        "labels": torch.arange(10),
        "mistakes": torch.tensor([10]),
        "mistake_images": torch.zeros(1, 3, 32, 32, dtype=torch.uint8),
    }
    (folder / run.TEST_LOGITS).write_bytes(encode(kept, {}))


BROKEN: dict[str, tuple[Any, str]] = {
    "unfinished": (lambda folder: (folder / run.RESULT).unlink(), "has not finished"),
    "diverged": (lambda folder: run.mark_diverged(folder, "NaN"), "diverged: NaN"),
    "torn weights": (
        lambda folder: (folder / run.WEIGHTS).write_bytes(b"short"),
        "model.safetensors is damaged",
    ),
    "torn logits": (_other_shape, "test_logits.safetensors is damaged"),
    "wrong logits": (_mistakes_beyond_the_end, "test_logits.safetensors is damaged: it does not fit"),
    "no run": (lambda folder: (folder / run.RECIPE).unlink(), "is not a run folder"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_run_is_said_in_one_line(case: str, copied: Path) -> None:
    damage, message = BROKEN[case]
    damage(copied)
    with pytest.raises(UserError, match=message) as caught:
        explain(copied, device="cpu")
    assert str(caught.value).isprintable()
    assert not (copied / FOLDER).exists()


def test_a_layer_without_a_map_is_refused_before_the_long_work(copied: Path) -> None:
    said: list[str] = []
    with pytest.raises(UserError, match="layer classifier has no map"):
        explain(copied, layers=["classifier"], device="cpu", say=said.append)
    assert said == []


@pytest.mark.parametrize("mistakes", [-1, 25])
def test_mistakes_have_a_range(mistakes: int, copied: Path) -> None:
    with pytest.raises(UserError, match=f"a run keeps at most 24 of them; found {mistakes}"):
        explain(copied, mistakes=mistakes)


def test_a_damaged_explanation_is_said_in_one_line(copied: Path) -> None:
    assert read_explanation(copied) is None
    explain(copied, mistakes=1, device="cpu")
    path = copied / FOLDER / EXPLANATION
    value = json.loads(path.read_text())
    for text, message in (
        ("{", "not JSON"),
        ("[]", "has schema None"),
        (json.dumps({**value, "schema": 2}), "has schema 2"),
        (json.dumps({**value, "pictures": [{}]}), "pictures.0.name: this field is missing"),
    ):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            read_explanation(copied)
