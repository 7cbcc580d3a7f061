"""Configs to JSON and back, fingerprints, variations, and the messages for what is wrong."""

import json
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cifarlab.augment import HorizontalFlip, Normalize, RandomCrop, Rotation
from cifarlab.config import differences, fingerprint, from_json, to_json, vary
from cifarlab.data.holdout import Counts, Fraction
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import DataDescription
from cifarlab.errors import UserError
from cifarlab.losses import CrossEntropy
from cifarlab.models import CATALOG, PlainCnn
from cifarlab.optim import Adam, Sgd
from cifarlab.recipe import EvaluationMode, Judging, Recipe, TrainingMode
from cifarlab.recipes import RECIPES
from cifarlab.run import InitialWeights, RunDescription, TrainedNetwork
from cifarlab.schedules import Constant, MultiStep


@dataclass(frozen=True)
class Circle:
    radius: float = 1.0


@dataclass(frozen=True)
class Square:
    side: int = 2
    corner: Circle = Circle(0.25)


@dataclass(frozen=True)
class Sample:
    """One field of every kind that a config may hold."""

    name: str
    shape: Circle | Square = Circle()
    only: Circle | None = None
    sizes: tuple[int, ...] = (1, 2)
    pair: tuple[float, str] = (0.5, "x")
    shapes: tuple[Circle | Square, ...] = ()
    on: bool = False
    limit: int | None = None
    word: Literal["red", "green"] = "red"


_positive = st.floats(min_value=1e-9, max_value=1e9)
_share = st.floats(min_value=0, max_value=0.99)
_model = st.builds(
    PlainCnn,
    widths=st.tuples(*[st.integers(1, 512)] * 3),
    batch_norm=st.booleans(),
    dropout=st.tuples(_share, _share, _share),
)
_normalize = st.builds(
    Normalize,
    mean=st.tuples(*[st.floats(-1, 1)] * 3),
    deviation=st.tuples(_positive, _positive, _positive),
)
_judging = st.builds(
    Judging,
    holdout=st.builds(Fraction, st.floats(0.01, 0.5)) | st.builds(Counts, st.integers(1), st.integers(1)),
    select_by=st.sampled_from(["val_loss", "val_accuracy", "test_accuracy", "last"]),
    mode=st.builds(EvaluationMode, st.integers(1)) | st.builds(TrainingMode, st.integers(1), st.integers(1)),
)
_milestones = st.sets(st.integers(0, 1000), max_size=4).map(lambda found: tuple(sorted(found)))
_recipe = st.builds(
    Recipe,
    model=_model,
    augment=st.lists(
        st.builds(RandomCrop, st.integers(0, 16))
        | st.builds(HorizontalFlip, _share)
        | st.builds(Rotation, _positive),
        max_size=4,
    ).map(tuple),
    normalize=_normalize,
    optimizer=st.builds(Adam, _positive, _share, _share, _positive, _positive)
    | st.builds(Sgd, _positive, _positive, st.booleans(), _positive),
    schedule=st.just(Constant()) | st.builds(MultiStep, _milestones, _share),
    loss=st.just(CrossEntropy()),
    epochs=st.integers(1),
    batch_size=st.integers(1),
    patience=st.none() | st.integers(1),
    train_images=st.none() | st.integers(1),
    judging=_judging,
    published=st.none() | _judging,
    precision=st.sampled_from(["auto", "fp32", "bf16"]),
    compile=st.booleans(),
)
_preparation = st.builds(
    Preparation,
    size=st.integers(1, 1024),
    fit=st.sampled_from(["crop", "stretch"]),
    resample=st.sampled_from(["lanczos", "bilinear", "nearest"]),
    background=st.tuples(*[st.integers(0, 255)] * 3),
)
_names = st.lists(st.text(), min_size=1, max_size=3).map(tuple)
_data = st.builds(
    DataDescription,
    name=st.text(),
    class_names=_names,
    train_images=st.integers(0),
    test_images=st.integers(0),
    train_sha256=st.text(),
    test_sha256=st.text(),
    image_size=st.integers(1),
    test_set=st.text(),
    preparation=_preparation,
)
_description = st.builds(
    RunDescription,
    recipe_name=st.text(),
    recipe=_recipe,
    data=_data,
    seed=st.integers(0),
    protocols=st.sampled_from(["C", "B,C", "A"]),
    initial_weights=st.none() | st.builds(InitialWeights, st.text(), st.text()),
)
_network = st.builds(
    TrainedNetwork,
    model=_model,
    normalize=_normalize,
    class_names=_names,
    image_size=st.integers(1),
    preparation=_preparation,
)


def through_json(config: Any) -> Any:
    """``config`` as it comes back from a file."""
    return from_json(type(config), json.loads(json.dumps(to_json(config), allow_nan=False)))


@settings(max_examples=50, deadline=None)
@given(_description | _network)
def test_whatever_a_run_records_comes_back_equal(config: RunDescription | TrainedNetwork) -> None:
    back = through_json(config)
    assert back == config
    assert repr(back) == repr(config)  # 1 == 1.0 == True: the types are kept, too
    assert fingerprint(back) == fingerprint(config)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_comes_back_equal(name: str) -> None:
    recipe = RECIPES[name].make()
    assert repr(through_json(recipe)) == repr(recipe)


@pytest.mark.parametrize("name", CATALOG)
def test_every_model_comes_back_equal(name: str) -> None:
    model = CATALOG[name][1]
    assert repr(through_json(model)) == repr(model)


def test_the_json_is_plain_and_names_every_class() -> None:
    sample = Sample("a", Square(3), only=None, shapes=(Circle(2.0),), limit=5)
    assert to_json(sample) == {
        "type": "Sample",
        "name": "a",
        "shape": {"type": "Square", "side": 3, "corner": {"type": "Circle", "radius": 0.25}},
        "only": None,
        "sizes": [1, 2],
        "pair": [0.5, "x"],
        "shapes": [{"type": "Circle", "radius": 2.0}],
        "on": False,
        "limit": 5,
        "word": "red",
    }


@pytest.mark.parametrize("thing", [{1, 2}, object(), Circle, 1j, b"x"])
def test_a_config_holds_nothing_else(thing: Any) -> None:
    with pytest.raises(TypeError, match="a config cannot hold a"):
        to_json((thing,))


def test_missing_fields_take_their_defaults() -> None:
    assert from_json(Sample, {"name": "a"}) == Sample("a")


def test_an_integer_is_taken_for_a_float_and_becomes_one() -> None:
    found = from_json(Circle, {"radius": 3})
    assert repr(found) == "Circle(radius=3.0)"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"nam": "a"}, "nam: no such field; did you mean name?"),
    ({}, "name: this field is missing"),
    ({"name": 3}, "name: expected str, found 3"),
    ({"name": None}, "name: expected str, found None"),
    ({"name": "a", "shape": {"type": "Circel"}}, "shape: unknown type 'Circel'; did you mean Circle?"),
    ({"name": "a", "shape": {"type": "Zzz"}}, "shape: unknown type 'Zzz'; there are: Circle, Square"),
    ({"name": "a", "shape": {}}, "shape: unknown type None; there are: Circle, Square"),
    ({"name": "a", "shape": 4}, "shape: 4 is not allowed here"),
    ({"name": "a", "shape": None}, "shape: None is not allowed here"),
    (
        {"name": "a", "shape": {"type": "Square", "corner": {"type": "Circle", "radios": 1.0}}},
        "shape.corner.radios: no such field; did you mean radius?",
    ),
    (
        {"name": "a", "shape": {"type": "Square", "corner": {"type": "Square"}}},
        "shape.corner: expected a Circle, found a Square",
    ),
    ({"name": "a", "shape": {"type": "Square", "corner": 3}}, "shape.corner: expected an object, found 3"),
    ({"name": "a", "shape": {"type": "Circle", "radius": "1"}}, "shape.radius: expected float, found '1'"),
    ({"name": "a", "shape": {"type": "Circle", "radius": True}}, "shape.radius: expected float, found True"),
    ({"name": "a", "shape": {"type": "Square", "side": 2.0}}, "shape.side: expected int, found 2.0"),
    ({"name": "a", "shape": {"type": "Square", "side": True}}, "shape.side: expected int, found True"),
    ({"name": "a", "sizes": 3}, "sizes: expected a list, found 3"),
    ({"name": "a", "sizes": [1, "2"]}, "sizes.1: expected int, found '2'"),
    ({"name": "a", "pair": [0.5]}, "pair: expected 2 values, found 1"),
    ({"name": "a", "pair": [0.5, 1]}, "pair.1: expected str, found 1"),
    ({"name": "a", "shapes": [{"type": "Round"}]}, "shapes.0: unknown type 'Round'; "),
    ({"name": "a", "on": 1}, "on: expected bool, found 1"),
    ({"name": "a", "limit": 1.5}, "limit: 1.5 is not allowed here"),
    ({"name": "a", "limit": True}, "limit: True is not allowed here"),
    ({"name": "a", "word": "blue"}, "word: 'blue' is not one of 'red', 'green'"),
    ({"name": "a", "word": ["red"]}, "word: ['red'] is not one of 'red', 'green'"),
]


@pytest.mark.parametrize(("value", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_value_is_named_with_its_path_in_one_line(value: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        from_json(Sample, value)
    assert str(caught.value).startswith(message)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", [None, 3, "Sample", [], [["name", "a"]]])
def test_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(UserError, match="Sample: expected an object"):
        from_json(Sample, value)


def test_an_object_of_another_class_is_refused() -> None:
    with pytest.raises(UserError, match="expected a Sample, found a Circle"):
        from_json(Sample, {"type": "Circle", "name": "a"})


@pytest.mark.parametrize(
    "value",
    [
        {"name": "a", "shape": {"type": ["Circle"]}},
        {"name": "a", "shape": {"type": {}}},
        {"name": "a", "shape": {"type": "Circle", "radius": 10**400}},
    ],
    ids=["a list as type", "an object as type", "an integer beyond floats"],
)
def test_hostile_json_is_refused_in_one_line(value: Any) -> None:
    with pytest.raises(UserError) as caught:
        from_json(Sample, value)
    assert str(caught.value).isprintable()


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(-2, 2)
    | st.sampled_from(["Circle", "x", "red"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*Sample.__dataclass_fields__, "type", "radius", "?"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(_json)
def test_any_json_gives_a_config_or_a_user_error(value: Any) -> None:
    try:
        found = from_json(Sample, value)
    except UserError:
        return
    assert isinstance(found, Sample)
    assert through_json(found) == found


def test_values_that_the_class_itself_refuses_are_user_errors() -> None:
    with pytest.raises(UserError, match="PlainCnn: every width must be at least 1"):
        from_json(PlainCnn, {"widths": [0, 1, 1]})


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
        "published": Judging(),
        "augment": (Rotation(),),
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
    "recipe", [WHOLE, Recipe(model=PlainCnn(), optimizer=Sgd(momentum=0.5))], ids=["Adam", "Sgd"]
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
        ("optimizer.lr.x", "optimizer.lr.x: no such field; there are: none"),
        ("patience.x", "patience.x: no such field; there are: none"),
        ("model.widths.3", "model.widths.3: no such field; there are: 0, 1, 2"),
        ("model.widths.-1", "model.widths.-1: no such field; "),
        ("model.widths.x", "model.widths.x: no such field; there are: 0, 1, 2"),
        ("augment.0.padding", "augment.0.padding: no such field; there are: none"),
        ("model.widths.0.1", "model.widths.0.1: no such field; there are: none"),
        ("model.widths.0.0", "model.widths.0.0: no such field; there are: none"),
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
