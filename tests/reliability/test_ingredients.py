"""What a recipe adds to a step — penalty, clipping, averaging, mixing, smoothing — beside a plain loop."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarlab import run
from cifarlab.augment import HorizontalFlip, MeanImage, Mixup
from cifarlab.averaging import MovingAverage
from cifarlab.data.holdout import Fraction, NoHoldout
from cifarlab.distributed import ALONE, Group
from cifarlab.errors import Diverged, Stopped, UserError
from cifarlab.feed import feed_of_epoch
from cifarlab.job import build_network, divide
from cifarlab.losses import CrossEntropy
from cifarlab.models import PlainCnn, ResNet, Spp
from cifarlab.optim import Adadelta, Adagrad, Adam, AdamW, Muon, Optimizer, Sgd
from cifarlab.penalties import L1Penalty
from cifarlab.preconditions import check_convolutions, check_last_batch
from cifarlab.recipe import EvaluationMode, Judging, Recipe
from cifarlab.run import RunDescription
from cifarlab.runtime import reseed
from cifarlab.schedules import Exponential, Linear, MultiStep, Plateau, Schedule, Step, WarmupCosine
from cifarlab.train import train
from support import Recorder, outcome, save_always, small_recipe, stop_at, synthetic_source

SOURCE = synthetic_source()
LAST = Judging(Fraction(0.2), "last", EvaluationMode(batch_size=5))
RECIPE = small_recipe(
    model=PlainCnn(widths=(4, 4, 8), batch_norm=True, dropout=(0.1, 0.0, 0.2)),
    augment=(HorizontalFlip(),),
    normalize=MeanImage(),
    mix=Mixup(alpha=0.5),
    optimizer=Sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    schedule=Linear(warmup=0.3, final=0.1),
    loss=CrossEntropy(label_smoothing=0.1),
    penalty=L1Penalty(strength=0.01, on="all"),
    clip_norm=0.5,
    average=MovingAverage(decay=0.8, every=2),
    judging=LAST,
)


def plain_loop(description: run.RunDescription) -> tuple[dict[str, Tensor], float]:
    """Averaged weights after all epochs, and the largest gradient norm before clipping."""
    recipe = description.recipe
    assert recipe.average is not None
    training, _ = divide(SOURCE, description, recipe.judging, torch.device("cpu"))
    network = build_network(description, None)
    mean = (training.images[training.indices].double() / 255).mean(0).float()
    network.mean_image.copy_(mean)  # type: ignore[operator]
    average = copy.deepcopy(network)
    optimizer = torch.optim.SGD(network.parameters(), 0.1, 0.9, weight_decay=0.01, nesterov=True)
    step_count, norms = 0, []
    for epoch in range(recipe.epochs):
        feed = feed_of_epoch(recipe, training, 3, description.seed, epoch)
        network.train()
        for step in range(5):
            reseed(description.seed, "step", epoch, step)
            part = step_count / 15
            rate = part / 0.3 if part < 0.3 else 1 - 0.9 * (part - 0.3) / 0.7
            optimizer.param_groups[0]["lr"] = 0.1 * rate
            batch = feed.batch(step, ALONE)
            smoothed = 0.9 * batch.targets + 0.1 / 3
            loss = -(smoothed * F.log_softmax(network(batch.images), 1)).sum(1).mean()
            loss = loss + 0.01 * torch.stack([value.abs().sum() for value in network.parameters()]).sum()
            loss.backward()
            norms.append(float(nn.utils.clip_grad_norm_(network.parameters(), 0.5)))
            optimizer.step()
            optimizer.zero_grad()
            step_count += 1
            if step_count % 2 == 0:
                decay = min(0.8, (1 + step_count // 2) / (10 + step_count // 2))
                for (name, ours), theirs in zip(
                    average.state_dict().items(), network.state_dict().values(), strict=True
                ):
                    ours.copy_(theirs if "batches" in name else decay * ours + (1 - decay) * theirs)
    return average.state_dict(), max(norms)


def test_a_run_with_all_of_them_is_the_plain_loop(tmp_path: Path) -> None:
    train(RECIPE, SOURCE, tmp_path / "run", seed=3)
    expected, norm = plain_loop(run.read_description(tmp_path / "run"))
    assert norm > 0.5, "clipping must have something to do"
    found = run.read_weights(tmp_path / "run")[1]
    assert found.keys() == expected.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=2e-4, atol=2e-5)


def test_a_run_with_all_of_them_resumes_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(RECIPE, SOURCE, tmp_path / "whole", seed=3)
    save_always(monkeypatch)
    for part in range(4):
        stop_at(monkeypatch, *([6] if part < 3 else []))
        try:
            train(RECIPE, SOURCE, tmp_path / "parts", seed=3, resume=part > 0)
        except Stopped:
            assert part < 3
    assert outcome(tmp_path / "parts") == outcome(tmp_path / "whole")


def test_the_penalty_of_every_epoch_is_logged(tmp_path: Path) -> None:
    display = Recorder()
    recipe = small_recipe(penalty=L1Penalty(strength=0.01, on="all"), judging=LAST)
    train(recipe, SOURCE, tmp_path / "run", display=display)
    weights = run.read_weights(tmp_path / "run")[1]
    parameters = [value for name, value in weights.items() if "running" not in name and "num" not in name]
    expected = 0.01 * sum(float(value.abs().sum()) for value in parameters)
    assert display.lines[-1]["penalty"] == pytest.approx(expected, rel=1e-5)
    assert "penalty" not in train(small_recipe(), SOURCE, tmp_path / "other")


def test_plateau_follows_the_validation_loss(tmp_path: Path) -> None:
    """Every epoch whose loss is not better by 30 % than the best so far halves the rate."""
    recipe = small_recipe(
        optimizer=Adagrad(lr=0.02),
        schedule=Plateau(patience=0, gamma=0.5, threshold=0.3),
        epochs=6,
        judging=LAST,
    )
    display = Recorder()
    train(recipe, SOURCE, tmp_path / "run", display=display)
    best, expected = float("inf"), 0.02
    for line in display.lines:
        assert line["lr"] == pytest.approx(expected)
        if line["val_loss"] < best * 0.7:
            best = line["val_loss"]
        else:
            expected /= 2
    assert expected < 0.02


def without_validation(**changes: object) -> Recipe:
    published = Judging(NoHoldout(), "test_accuracy", EvaluationMode(batch_size=5))
    return small_recipe(published=published, **changes)


def test_a_run_without_validation_images(tmp_path: Path) -> None:
    """Reports 000 and 004 train on everything and choose the epoch on the test set: protocol A."""
    display = Recorder()
    result = train(without_validation(), SOURCE, tmp_path / "run", protocols="A", display=display)
    assert result["train_images"] == len(SOURCE.read_train())
    assert (result["val_images"], result["val_accuracy"], result["val_loss"]) == (0, None, None)
    assert not [name for line in display.lines for name in line if name.startswith("val")]
    assert result["test_accuracy"] == max(line["test_accuracy"] for line in display.lines)


@pytest.mark.parametrize("select_by", ["val_loss", "val_accuracy", "val_balanced_accuracy"])
def test_what_needs_validation_images_is_refused_without(select_by: str, tmp_path: Path) -> None:
    recipe = small_recipe(judging=Judging(NoHoldout(), select_by))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=f"select_by {select_by} needs validation images"):
        train(recipe, SOURCE, tmp_path / "run")
    with pytest.raises(UserError, match="Plateau follows the validation loss"):
        train(without_validation(schedule=Plateau()), SOURCE, tmp_path / "run", protocols="A")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("clip_norm", [0.0, -1.0, float("nan"), float("inf")])
def test_a_norm_to_clip_at_is_above_0(clip_norm: float) -> None:
    with pytest.raises(UserError, match="clip_norm must be a finite number above 0"):
        small_recipe(clip_norm=clip_norm)


@pytest.mark.parametrize(("size", "group"), [(47, ALONE), (24, Group(0, 25)), (46, Group(1, 2))], ids=str)
def test_a_last_batch_of_one_image_is_refused_where_it_cannot_be_trained(size: int, group: Group) -> None:
    """A process gets a single one of 48 images; SPP's coarsest pool has one pixel and so no variance."""
    pooled = small_recipe(model=ResNet((1, 1), (4, 8), head=Spp(width=4)), batch_size=size)
    description = RunDescription("custom", pooled, SOURCE.description, 0, "C")
    with pytest.raises(UserError, match=r"the last batch .* take another --recipe.batch-size") as caught:
        check_last_batch(description, 48, group)
    assert str(caught.value).isprintable()
    larger = replace(pooled, batch_size=50 * group.size)
    check_last_batch(replace(description, recipe=larger), 48 * group.size, group)
    unpooled = replace(pooled, model=small_recipe().model)
    check_last_batch(replace(description, recipe=unpooled), 48, group)


def test_a_last_batch_of_one_image_trains_where_it_can(tmp_path: Path) -> None:
    train(small_recipe(batch_size=47), SOURCE, tmp_path / "run")
    with pytest.raises(UserError, match="the last batch of an epoch has 1 of 48 images, and"):
        pooled = small_recipe(batch_size=47, model=ResNet((1, 1), (4, 8), head=Spp(width=4)))
        train(pooled, SOURCE, tmp_path / "pooled")
    assert not (tmp_path / "pooled").exists()


def test_an_average_that_would_never_be_updated_is_refused(tmp_path: Path) -> None:
    """Else the untrained network would be judged and kept."""
    with pytest.raises(UserError, match="averaged every 16 steps, and this run has 15"):
        train(small_recipe(average=MovingAverage(every=16)), SOURCE, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    train(small_recipe(average=MovingAverage(every=15)), SOURCE, tmp_path / "run")


@pytest.mark.parametrize("schedule", [Linear(warmup=0.2), WarmupCosine()], ids=["linear", "cosine"])
def test_a_run_whose_only_step_has_the_rate_0_is_refused(schedule: Schedule, tmp_path: Path) -> None:
    """Else the untrained network would be judged and kept."""
    short = small_recipe(schedule=schedule, epochs=1, batch_size=48)
    with pytest.raises(
        UserError, match=r"the rate 0 to every step of this run, which has 1 in all; .*-size$"
    ):
        train(short, SOURCE, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    train(replace(short, epochs=2), SOURCE, tmp_path / "two")
    train(replace(short, schedule=Linear()), SOURCE, tmp_path / "one")


@pytest.mark.parametrize(("channels", "size", "refused"), [(8, 48, True), (8, 32, False), (16, 48, False)])
def test_what_torch_cannot_do_on_a_cpu_is_refused(channels: int, size: int, refused: bool) -> None:
    """Its 1×1 strided convolutions of few channels write beyond their memory on larger maps."""
    recipe = small_recipe(model=ResNet((1, 1), (channels, 2 * channels)))
    if refused:
        with pytest.raises(
            UserError, match=rf"of {channels} channels on images of {size} pixels; take a wider"
        ):
            check_convolutions(recipe, size)
    else:
        check_convolutions(recipe, size)


@pytest.mark.parametrize(
    "optimizer",
    [Adam(lr=1e39), AdamW(lr=1e39), Adagrad(lr=1e39), Adadelta(lr=1e39), Muon(lr=1e39), Sgd(lr=1e39)],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_a_rate_beyond_single_precision_ends_as_diverged(optimizer: Optimizer, tmp_path: Path) -> None:
    with pytest.raises(Diverged):
        train(small_recipe(optimizer=optimizer), SOURCE, tmp_path / "run")


def test_patience_where_the_last_epoch_is_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^patience: the last epoch is taken, .*; leave patience out, or"):
        train(small_recipe(patience=2, judging=LAST), SOURCE, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "schedule", [Exponential(1e300), Step(every=1, gamma=1e300), MultiStep((0, 1), 1e300)], ids=repr
)
def test_a_rate_beyond_all_numbers_ends_the_run_as_diverged(schedule: Schedule, tmp_path: Path) -> None:
    with pytest.raises(Diverged):
        train(small_recipe(schedule=schedule, optimizer=Sgd(lr=1.0)), SOURCE, tmp_path / "run")
    still = small_recipe(schedule=schedule, optimizer=Sgd(lr=0.0), judging=LAST)
    assert train(still, SOURCE, tmp_path / "still")["status"] == "finished"


def test_a_batch_size_beyond_all_images_evaluates_them_at_once(tmp_path: Path) -> None:
    judging = Judging(Fraction(0.2), "last", EvaluationMode(batch_size=10**20))
    assert (
        train(small_recipe(judging=judging, batch_size=10**20), SOURCE, tmp_path / "run")["test_images"] == 30
    )
