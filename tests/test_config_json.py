"""Configs to JSON and back, and the messages for what is wrong in the JSON."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cifarlab.augment import HorizontalFlip, Normalize, RandomCrop, Rotation
from cifarlab.config import fingerprint, from_json, to_json
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
from config_samples import Circle, Sample, Square

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
        st.builds(RandomCrop, st.integers(0, 16), st.sampled_from(["black", "edge", "reflect"]))
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
