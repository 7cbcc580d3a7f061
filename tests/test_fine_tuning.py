"""``--from`` and ``--freeze``: trained weights on other data, with a new last layer where classes differ."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cifarlab import run
from cifarlab.augment import MeanImage, Normalize
from cifarlab.averaging import MovingAverage
from cifarlab.data.split import Source, Split, source_of
from cifarlab.errors import Stopped, UserError
from cifarlab.models import PlainCnn, ResNet, Spp
from cifarlab.optim import Muon, Sgd
from cifarlab.train import train
from support import (
    REGULARIZED,
    outcome,
    save_always,
    small_recipe,
    stop_at,
    synthetic_source,
    synthetic_split,
)

SOURCE = synthetic_source()
RECIPE = small_recipe(optimizer=Sgd(lr=0.05), epochs=2)


def other_source(classes: tuple[str, ...] = ("left", "right")) -> Source:
    """Images with other classes than ``SOURCE``."""

    def renamed(split: Split) -> Split:
        kept = split.labels < len(classes)
        return Split(split.images[kept], split.labels[kept], classes)

    train_split, test = (renamed(synthetic_split(count, seed)) for count, seed in ((60, 5), (30, 6)))
    return source_of("other", train_split, test, "given", SOURCE.description.preparation)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent") / "run"
    train(RECIPE, SOURCE, folder)
    return folder


def weights_of(folder: Path) -> dict[str, Tensor]:
    return run.read_weights(folder)[1]


def body_of(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if not name.startswith("classifier.")}


def test_other_classes_get_a_new_last_layer(parent: Path, tmp_path: Path) -> None:
    still = replace(RECIPE, optimizer=Sgd(lr=0.0), epochs=1)
    result = train(still, other_source(), tmp_path / "run", start_from=parent)
    found, before = weights_of(tmp_path / "run"), weights_of(parent)
    assert found["classifier.weight"].shape == (2, before["classifier.weight"].shape[1])
    convolutions = [name for name, value in found.items() if value.dim() == 4]
    assert convolutions
    assert all(torch.equal(found[name], before[name]) for name in convolutions)
    first = run.read_description(tmp_path / "run").initial_weights
    assert first is not None
    assert (first.run, first.head, first.trained) == (parent.name, "new", "all")
    assert len(result["per_class"]) == 2


def test_the_same_classes_keep_it(parent: Path, tmp_path: Path) -> None:
    still = replace(RECIPE, optimizer=Sgd(lr=0.0), epochs=1)
    train(still, SOURCE, tmp_path / "run", start_from=parent)
    first = run.read_description(tmp_path / "run").initial_weights
    assert first is not None
    assert (first.head, first.trained) == ("kept", "all")
    found, before = weights_of(tmp_path / "run"), weights_of(parent)
    assert torch.equal(found["classifier.weight"], before["classifier.weight"])


@pytest.mark.parametrize("optimizer", [Sgd(lr=0.05, weight_decay=0.1), Muon(weight_decay=0.1)], ids=repr)
@pytest.mark.parametrize("average", [None, MovingAverage(decay=0.5)], ids=["last", "average"])
def test_frozen_is_everything_but_the_last_layer(
    optimizer: Any, average: MovingAverage | None, parent: Path, tmp_path: Path
) -> None:
    """BatchNorm's statistics too, which a step in training mode would move without any gradient."""
    recipe = replace(RECIPE, optimizer=optimizer, average=average)
    result = train(recipe, other_source(), tmp_path / "run", start_from=parent, freeze=True)
    found, before = weights_of(tmp_path / "run"), weights_of(parent)
    for name, value in body_of(found).items():
        torch.testing.assert_close(value, before[name], rtol=1e-6, atol=1e-7)
    fresh = tmp_path / "fresh"
    train(replace(recipe, optimizer=Sgd(lr=0.0), epochs=1), other_source(), fresh, start_from=parent)
    assert not torch.equal(found["classifier.weight"], weights_of(fresh)["classifier.weight"])
    assert result["parameters"]["trainable"] > found["classifier.weight"].numel() + 2
    first = run.read_description(tmp_path / "run").initial_weights
    assert first is not None
    assert first.trained == "classifier"


@pytest.mark.parametrize("freeze", [False, True], ids=["all", "frozen"])
def test_a_resumed_fine_tuning_is_the_same(
    freeze: bool, parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(RECIPE, other_source(), tmp_path / "whole", start_from=parent, freeze=freeze)
    save_always(monkeypatch)
    stop_at(monkeypatch, 3)
    with pytest.raises(Stopped):
        train(RECIPE, other_source(), tmp_path / "parts", start_from=parent, freeze=freeze)
    monkeypatch.undo()
    train(RECIPE, other_source(), tmp_path / "parts", start_from=parent, freeze=freeze, resume=True)
    assert outcome(tmp_path / "parts") == outcome(tmp_path / "whole")
    with pytest.raises(UserError, match=r"holds another run: initial_weights"):
        train(RECIPE, other_source(), tmp_path / "parts", resume=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": PlainCnn(widths=(4, 4, 16), batch_norm=True)}, r"model\.widths\.2: 8 -> 16"),
        ({"model": PlainCnn(widths=(4, 4, 8))}, r"model\.batch_norm: true -> false"),
        ({"normalize": Normalize((0.4, 0.5, 0.5))}, r"normalize\.mean\.0: 0\.5 -> 0\.4"),
        ({"normalize": MeanImage()}, r"normalize\.type"),
    ],
    ids=["wider", "no BatchNorm", "other normalization", "mean image"],
)
def test_another_network_is_refused_in_one_line(
    change: dict[str, Any], said: str, parent: Path, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, **change)
    with pytest.raises(UserError, match=said) as caught:
        train(recipe, SOURCE, tmp_path / "run", start_from=parent)
    assert str(caught.value).isprintable()
    assert "holds another network than this recipe" in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_another_dropout_is_no_other_network(parent: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, model=replace(REGULARIZED, dropout=(0.5, 0.0, 0.0)))
    # The layer list of a Sequential counts dropout layers, so a dropout may change but not come or go.
    with pytest.raises(UserError, match=r"do not fit this network"):
        train(recipe, SOURCE, tmp_path / "fewer", start_from=parent)
    train(
        replace(RECIPE, model=replace(REGULARIZED, dropout=(0.5, 0.1, 0.6))),
        SOURCE,
        tmp_path / "run",
        start_from=parent,
    )


def test_freezing_needs_weights(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--freeze keeps the weights of another run: name it with --from"):
        train(RECIPE, SOURCE, tmp_path / "run", freeze=True)
    assert not (tmp_path / "run").exists()


def test_a_frozen_run_may_end_with_a_single_image(parent: Path, tmp_path: Path) -> None:
    """Frozen BatchNorm normalizes with what it has; it asks nothing of the batch."""
    recipe = small_recipe(model=ResNet((1, 1), (4, 8), head=Spp(width=4)), epochs=1)
    train(recipe, SOURCE, tmp_path / "pooled")
    single = replace(recipe, batch_size=31)  # 32 images of two classes are trained on
    with pytest.raises(UserError, match="cannot be trained on a single image"):
        train(single, other_source(), tmp_path / "all", start_from=tmp_path / "pooled")
    train(single, other_source(), tmp_path / "frozen", start_from=tmp_path / "pooled", freeze=True)


def test_a_mean_image_of_another_size_is_refused(tmp_path: Path) -> None:
    recipe = small_recipe(normalize=MeanImage(), epochs=1)
    train(recipe, SOURCE, tmp_path / "small")
    with pytest.raises(UserError, match=r"a mean image of 8 pixels; these .* have 16: take --image-size 8"):
        train(recipe, synthetic_source(size=16), tmp_path / "large", start_from=tmp_path / "small")


def test_a_mean_image_comes_along(tmp_path: Path) -> None:
    """The weights were learned with it."""
    recipe = small_recipe(normalize=MeanImage(), epochs=1)
    train(recipe, SOURCE, tmp_path / "first")
    train(recipe, other_source(), tmp_path / "second", start_from=tmp_path / "first")
    first, second = weights_of(tmp_path / "first"), weights_of(tmp_path / "second")
    assert torch.equal(first["mean_image"], second["mean_image"])
    assert not torch.equal(first["network.classifier.weight"], second["network.classifier.weight"])
