"""Fingerprints of configs, their variations and their differences."""

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from cifarlab.augment import HorizontalFlip, Mixup, RandomCrop, Rotation
from cifarlab.averaging import MovingAverage
from cifarlab.config import differences, fingerprint, to_json, vary
from cifarlab.data.holdout import Counts
from cifarlab.errors import UserError
from cifarlab.freezing import LateFreezing
from cifarlab.models import Aspp, Cbam, PlainCnn, ResNet, ShakeShake, SlimAttention, TinyAttention
from cifarlab.optim import Adam, Sgd
from cifarlab.penalties import L1Penalty
from cifarlab.recipe import Judging, Recipe, TrainingMode
from cifarlab.resolution import GrowingResolution
from cifarlab.schedules import MultiStep
from cifarlab.views import TestTimeViews
from config_samples import Circle, Sample, Square


def test_the_fingerprint_is_a_golden_value() -> None:
    """If this fails, every run and cache entry in the world loses its name: is that meant?"""
    sample = Sample("é", Square(3), shapes=(Circle(2.0), Square()), pair=(1e-8, "y"), limit=7)
    assert fingerprint(sample) == "a0ba12fdc0776a594dbdd2a4193af61f9a7203fdd8ced0d9d2bd9902794eea37"


def leaves(config: Any, path: str = "") -> list[str]:
    """The dotted paths of all leaves of a config."""
    if is_dataclass(config):
        return [
            leaf
            for field in fields(config)
            for leaf in leaves(getattr(config, field.name), f"{path}{field.name}.")
        ]
    if isinstance(config, tuple) and config:
        return [leaf for i, item in enumerate(config) for leaf in leaves(item, f"{path}{i}.")]
    return [path.removesuffix(".")]


def leaf_of(config: Any, path: str) -> Any:
    for name in path.split("."):
        config = config[int(name)] if isinstance(config, tuple) else getattr(config, name)
    return config


def another(path: str, value: Any) -> Any:
    """A valid value of a recipe's leaf that differs from ``value``."""
    by_name: dict[str, Any] = {
        "select_by": "last",
        "precision": "fp32",
        "class_weights": "balanced",
        "published": Judging(),
        "augment": (Rotation(),),
        "order": "full-pre-activation",
        "activation": "swish",
        "shortcut": "none",
        "attention": Cbam(),
        "kernel": 7,
        "width": 48,
        "depth": 32,
        "unit": "basic",
        "forward": "even",
        "backward": "keep",
        "level": "batch",
        "mix": Mixup(),
        "penalty": L1Penalty(),
        "average": MovingAverage(),
        "resolution": GrowingResolution(),
        "freezing": LateFreezing(),
        "views": TestTimeViews(),
        "decayed": "weights",
        "border": "edge",
        "interpolation": "bilinear",
    }
    name = path.rpartition(".")[2]
    if name in by_name:
        return by_name[name]
    if isinstance(value, bool):
        return not value
    return 7 if value is None else value + 1 if isinstance(value, int) else 0.9 * value + 0.001


WHOLE = Recipe(
    model=PlainCnn(),
    augment=(RandomCrop(), HorizontalFlip(), Rotation()),
    schedule=MultiStep((12, 16)),
    published=Judging(Counts(40, 10), "val_loss", TrainingMode()),
)


@pytest.mark.parametrize(
    "recipe",
    [
        WHOLE,
        Recipe(model=PlainCnn(), optimizer=Sgd(momentum=0.5)),
        Recipe(model=ResNet()),
        Recipe(model=ResNet(attention=Cbam(), head=Aspp())),
        Recipe(model=TinyAttention()),
        Recipe(model=SlimAttention()),
        Recipe(model=ShakeShake()),
    ],
    ids=["Adam", "Sgd", "ResNet", "Aspp", "TinyAttention", "SlimAttention", "ShakeShake"],
)
def test_vary_reaches_every_leaf_and_the_fingerprint_tells_them_apart(recipe: Recipe) -> None:
    paths = leaves(recipe)
    assert len(paths) > 20
    assert "published.holdout.train" in paths or recipe.published is None
    seen = {fingerprint(recipe)}
    for path in paths:
        before = leaf_of(recipe, path)
        value = another(path, before)
        changed = vary(recipe, path, value)
        assert leaf_of(changed, path) == value, path
        assert leaf_of(recipe, path) == before, path
        lines = differences(to_json(recipe), to_json(changed))
        assert len(lines) == 1 and lines[0].startswith(f"{path}: "), lines
        seen.add(fingerprint(changed))
    assert len(seen) == len(paths) + 1


def test_equal_configs_have_equal_fingerprints() -> None:
    """A lr of 1 and of 1.0 are one lr; a study must not train it twice."""
    assert Adam(lr=1) == Adam(lr=1.0)
    assert fingerprint(Adam(lr=1)) == fingerprint(Adam(lr=1.0))


def test_vary_puts_in_another_class_of_a_union() -> None:
    recipe = Recipe(model=PlainCnn())
    changed = vary(recipe, "optimizer", Sgd(lr=0.5))
    assert changed.optimizer == Sgd(lr=0.5)
    assert vary(changed, "optimizer.lr", 2).optimizer == Sgd(lr=2.0)
    assert recipe.optimizer == Adam()


def test_vary_counts_into_tuples() -> None:
    sample = Sample("a", shapes=(Circle(), Square()))
    assert vary(sample, "shapes.1.corner.radius", 4.0).shapes == (Circle(), Square(corner=Circle(4.0)))
    assert vary(sample, "sizes.0", 9).sizes == (9, 2)
    assert vary(sample, "sizes", (1, 2, 3)).sizes == (1, 2, 3)
    assert vary(sample, "only", Circle(3.0)).only == Circle(3.0)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("optimizer.lrr", "optimizer.lrr: no such field; did you mean lr?"),
        ("optimiser.lr", "optimiser.lr: no such field; did you mean optimizer?"),
        ("optimizer.lr.x", "optimizer.lr.x: no such field; there are none"),
        ("patience.x", "patience.x: no such field; there are none"),
        ("model.widths.3", "model.widths.3: no such field; there are: 0, 1, 2"),
        ("model.widths.-1", "model.widths.-1: no such field; "),
        ("model.widths.x", "model.widths.x: no such field; there are: 0, 1, 2"),
        ("augment.0.padding", "augment.0.padding: no such field; there are none"),
        ("model.widths.0.1", "model.widths.0.1: no such field; there are none"),
        ("model.widths.0.0", "model.widths.0.0: no such field; there are none"),
        ("", ": no such field; "),
    ],
)
def test_vary_names_a_field_that_is_not_there(field: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        vary(Recipe(model=PlainCnn()), field, 1)
    assert str(caught.value).startswith(message)
    assert "type" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("optimizer.lr", "0.1", "optimizer.lr: expected float, found '0.1'"),
        ("epochs", 2.5, "epochs: expected int, found 2.5"),
        ("epochs", True, "epochs: expected int, found True"),
        ("optimizer", Rotation(), "optimizer: unknown type 'Rotation'"),
        ("epochs", 0, "epochs must be at least 1"),
    ],
)
def test_vary_checks_the_value(field: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        vary(Recipe(model=PlainCnn()), field, value)


def test_differences_are_shown_leaf_by_leaf() -> None:
    before = {"a": 1, "b": {"c": [1, 2], "d": "x"}, "gone": 3}
    after = {"a": 1, "b": {"c": [1, 5], "d": None}, "new": [4]}
    assert differences(before, after) == [
        "b.c.1: 2 -> 5",
        'b.d: "x" -> null',
        "gone: 3 -> null",
        "new: null -> [4]",
    ]


def test_lists_of_other_lengths_differ_as_a_whole() -> None:
    assert differences({"a": [1]}, {"a": [1, 2]}) == ["a: [1] -> [1, 2]"]
    assert differences({"a": [1, 2]}, {"a": [1, 2]}) == []


def test_another_class_is_one_difference() -> None:
    before, after = Recipe(PlainCnn()), Recipe(PlainCnn(), optimizer=Sgd())
    assert differences(to_json(before), to_json(after)) == ['optimizer.type: "Adam" -> "Sgd"']
    assert differences(to_json(Adam()), to_json(Sgd())) == ['type: "Adam" -> "Sgd"']
