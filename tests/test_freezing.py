"""Late freezing: what rests does not move, the rest learns on, and a resumed run ends with the same bits."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cifarlab import train as loop
from cifarlab.augment import AlternatingFlip, MeanImage, RandomCrop
from cifarlab.averaging import MovingAverage
from cifarlab.config import from_json, to_json
from cifarlab.data.holdout import Fraction
from cifarlab.distributed import Group
from cifarlab.errors import Stopped, UserError
from cifarlab.freezing import LateFreezing, freeze_first
from cifarlab.models import FastCnn
from cifarlab.models.centered import CenteredNetwork
from cifarlab.models.in_parts import parts_of
from cifarlab.optim import Adadelta, Adagrad, Adam, AdamW, Muon, Optimizer, Sgd
from cifarlab.penalties import L2Penalty
from cifarlab.preconditions import check_freezing
from cifarlab.recipe import EvaluationMode, Judging
from cifarlab.resolution import GrowingResolution
from cifarlab.run import RunDescription
from cifarlab.train import train
from cifarlab.views import TestTimeViews
from support import outcome, save_never, small_recipe, stop_at, synthetic_source

FAST = FastCnn((4, 4, 4))
SOURCE = synthetic_source(size=12)
RECIPE = small_recipe(
    model=FAST,
    optimizer=Muon(lr=0.05, weight_decay=0.1),
    freezing=LateFreezing((0.2, 0.5)),
    judging=Judging(Fraction(0.2), "last", EvaluationMode(batch_size=5)),
    epochs=4,
)
"""48 images, 5 steps an epoch: the whitening rests from step 4 on, the first stage from step 10, epoch 2."""
FIRST_STAGE = {
    f"stages.{name}" for name in ("1.weight", "3.weight", "3.bias", "5.weight", "6.weight", "6.bias")
}


def test_the_parts_of_fast_cnn_make_its_features() -> None:
    network: Any = FAST.build(3, 12).eval()
    images = torch.randn(2, 3, 12, 12)
    parts = network.parts()
    assert len(parts) == 4
    expected = network.classifier(nn.Sequential(*parts)(images).amax((2, 3))) * FAST.logit_scale
    assert torch.equal(network(images), expected)
    assert parts_of(CenteredNetwork(network, 12))[0] is network.whitening


def test_what_is_frozen_when() -> None:
    freezing = LateFreezing((0.0, 0.5, 0.5))
    assert [freezing.count_at(done) for done in (0.0, 0.49, 0.5, 0.9)] == [1, 1, 3, 3]
    network = FAST.build(3, 12)
    freeze_first(network, 2)
    trained = {name for name, value in network.named_parameters() if value.requires_grad}
    frozen = {"whitening.weight", "whitening.bias"} | FIRST_STAGE
    assert trained == {name for name, _ in network.named_parameters()} - frozen
    assert "classifier.bias" in trained


@pytest.mark.parametrize(
    "optimizer",
    [
        Sgd(0.1, 0.9, True, 0.1),
        Adam(0.1, weight_decay=0.1),
        AdamW(0.1),
        Adagrad(0.1, weight_decay=0.1),
        Adadelta(weight_decay=0.1),
        Muon(0.1, weight_decay=0.1),
    ],
    ids=lambda each: type(each).__name__,
)
def test_no_optimizer_moves_what_is_frozen(optimizer: Optimizer) -> None:
    """Neither decay nor the momentum of the steps before, nor a penalty on the weights."""
    network = FAST.build(3, 12)
    optimizing = optimizer.build(network)
    images = torch.randn(6, 3, 12, 12)
    before: dict[str, Tensor] = {}
    for step in range(4):
        freeze_first(network, 2 if step >= 2 else 0)
        if step == 2:
            before = {name: value.detach().clone() for name, value in network.named_parameters()}
        network(images).logsumexp(1).sum().backward()
        L2Penalty(0.1, "all").add_gradients(network)
        optimizing.step()
        optimizing.zero_grad()
    moved = {name for name, value in network.named_parameters() if not torch.equal(value, before[name])}
    assert moved == before.keys() - {"whitening.weight", "whitening.bias"} - FIRST_STAGE


def states_after_epochs(recipe: Any, folder: Path, patch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    states: list[dict[str, Tensor]] = []
    judge_epoch = loop.judge_epoch

    def recorded(job: Any, *others: Any) -> dict[str, Any]:
        states.append({name: value.clone() for name, value in job.network.state_dict().items()})
        return judge_epoch(job, *others)

    with patch.context() as patched:
        patched.setattr(loop, "judge_epoch", recorded)
        train(recipe, SOURCE, folder, device="cpu")
    return states


def test_a_run_freezes_its_parts_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = states_after_epochs(RECIPE, tmp_path / "frozen", monkeypatch)
    plain = states_after_epochs(replace(RECIPE, freezing=None), tmp_path / "plain", monkeypatch)

    def moved(runs: list[dict[str, Tensor]], epoch: int) -> set[str]:
        return {name for name in runs[0] if not torch.equal(runs[epoch][name], runs[epoch - 1][name])}

    assert "whitening.bias" in moved(plain, 1) and moved(plain, 3) >= FIRST_STAGE
    assert "whitening.bias" not in moved(states, 1) and moved(states, 1) >= FIRST_STAGE
    for epoch in (2, 3):
        assert not moved(states, epoch) & (FIRST_STAGE | {"whitening.bias"})
        assert {"stages.8.weight", "classifier.weight"} <= moved(states, epoch)
        assert "stages.3.running_mean" in moved(states, epoch)  # BatchNorm's statistics go on


@pytest.mark.parametrize("stops", [(3,), (8, 13), (12,)])
def test_a_resumed_run_ends_with_the_same_bits(
    stops: tuple[int, ...], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With everything that depends on how far a run is, before, between and after the changes."""
    folder = tmp_path / "run"
    for place, stop in enumerate(stops):
        with monkeypatch.context() as patch:
            stop_at(patch, stop)
            save_never(patch)
            with pytest.raises(Stopped):
                train(RACE, SOURCE, folder, device="cpu", resume=place > 0)
    train(RACE, SOURCE, folder, device="cpu", resume=True)
    assert outcome(folder) == outcome(whole)


RACE = replace(
    RECIPE,
    augment=(RandomCrop(1), AlternatingFlip()),
    resolution=GrowingResolution((9, 11), (0.3, 0.6)),
    average=MovingAverage(0.8, 2),
    views=TestTimeViews(1, 0.6),
    clip_norm=1.0,
    epochs=3,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("race") / "whole"
    train(RACE, SOURCE, folder, device="cpu")
    return folder


def test_the_cost_leaves_out_what_backward_no_longer_does(tmp_path: Path) -> None:
    """By hand: an image costs 3 forward passes, but for the gradients that nothing wants any more."""
    result = train(replace(RECIPE, epochs=2, freezing=LateFreezing((0.5, 0.9))), SOURCE, tmp_path / "run")
    first, second, third = 2 * 9 * 24 * 4 * 11**2, 2 * 9 * 4 * 4 * 5**2, 2 * 9 * 4 * 4 * 5**2
    saved = {0: 0, 1: first, 2: 2 * first + 2 * second + third}
    images = {0: 48, 1: 40, 2: 8}  # the last of the 10 steps has 8 images
    expected = sum(count * (3 * result["flops"] - saved[frozen]) for frozen, count in images.items())
    assert result["training_flops"] == expected


@pytest.mark.parametrize(
    ("changes", "size", "message"),
    [
        ({"freezing": LateFreezing((0.5,))}, 1, "this network has no parts to freeze before the others"),
        ({"model": FAST, "freezing": LateFreezing(5 * (0.5,))}, 1, "freezes 5 parts, and this network has 4"),
        ({"model": FAST, "freezing": LateFreezing()}, 2, "in a run of one process only"),
    ],
)
def test_what_cannot_be_frozen_is_refused(changes: dict[str, Any], size: int, message: str) -> None:
    description = RunDescription("test", small_recipe(**changes), SOURCE.description, 0, "C")
    if "model" not in changes:
        description = replace(description, data=synthetic_source().description)
    with pytest.raises(UserError, match=message) as caught:
        check_freezing(description, Group(0, size))
    assert str(caught.value).isprintable()


def test_the_refusal_comes_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no parts to freeze"):
        train(small_recipe(freezing=LateFreezing()), synthetic_source(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_network_behind_a_mean_image_freezes_too(tmp_path: Path) -> None:
    recipe = replace(RECIPE, normalize=MeanImage(), epochs=1, freezing=LateFreezing(4 * (0.0,)))
    weights = states_after_epochs(recipe, tmp_path / "run", pytest.MonkeyPatch())
    first = dict(CenteredNetwork(FAST.build(3, 12), 12).state_dict())
    assert weights[0].keys() == first.keys()
    assert torch.equal(weights[0]["network.stages.17.bias"], first["network.stages.17.bias"])
    assert not torch.equal(weights[0]["network.classifier.bias"], torch.zeros(3))


@pytest.mark.parametrize("after", [(), (-0.1,), (1.1,), (0.8, 0.1), (float("nan"),), (0.1, float("nan"))])
def test_values_that_make_no_sense_are_refused(after: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match=r"^LateFreezing: after must hold"):
        LateFreezing(after)


def test_the_config_survives_json() -> None:
    assert from_json(LateFreezing, to_json(LateFreezing())) == LateFreezing()
