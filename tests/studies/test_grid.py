"""A grid of recipes: every combination once, values read as their field wants them."""

from typing import Any

import pytest

from cifarlab.errors import UserError
from cifarlab.recipes import recipe_named
from cifarlab.studies.grid import grid, values_of
from study_samples import RECIPE

DEMO = recipe_named("demo").make()


def test_every_combination_once_per_seed() -> None:
    variants = grid("demo", [("optimizer.lr", [0.1, 0.05]), ("batch_size", [64, 128])], seeds=(0, 1, 2))
    assert [each.label for each in variants] == [
        "optimizer.lr=0.1 · batch_size=64",
        "optimizer.lr=0.1 · batch_size=128",
        "optimizer.lr=0.05 · batch_size=64",
        "optimizer.lr=0.05 · batch_size=128",
    ]
    for variant, (lr, size) in zip(variants, [(0.1, 64), (0.1, 128), (0.05, 64), (0.05, 128)], strict=True):
        assert [run.seed for run in variant.runs] == [0, 1, 2]
        for run in variant.runs:
            assert (run.recipe.optimizer.lr, run.recipe.batch_size) == (lr, size)
            assert (run.recipe_name, run.data, run.protocols) == ("demo", "digits", "C")
            assert run.recipe.schedule == DEMO.schedule
    assert len({run for variant in variants for run in variant.runs}) == 12


def test_nothing_varied_is_the_recipe_itself() -> None:
    (variant,) = grid("demo", seeds=(4,), data="cifar10", protocols="B,C", recipe=RECIPE)
    (run,) = variant.runs
    assert variant.label == "demo"
    assert (run.recipe, run.data, run.protocols, run.seed) == (RECIPE, "cifar10", "B,C", 4)


@pytest.mark.parametrize(
    ("field", "text", "values"),
    [
        ("optimizer.lr", "0.1,5e-2, 1", [0.1, 0.05, 1]),
        ("batch_size", "64,128", [64, 128]),
        ("compile", "true,False", [True, False]),
        ("patience", "3,none", [3, None]),
        ("precision", "fp32,bf16", ["fp32", "bf16"]),
        ("model.widths", "4 4 8,16 32 64", [(4, 4, 8), (16, 32, 64)]),
        ("augment.1.degrees", "0,.5", [0, 0.5]),
    ],
)
def test_values_are_read_as_their_field_wants_them(field: str, text: str, values: list[Any]) -> None:
    read = values_of(DEMO, field, text)
    assert read == values and [type(each) for each in read] == [type(each) for each in values]
    assert len(grid("demo", [(field, read)])) == len(values)


@pytest.mark.parametrize(
    ("field", "text", "complaint"),
    [
        ("optimizer.rl", "0.1", "optimizer.rl: no such field; did you mean lr?"),
        ("optimiser.lr", "0.1", "optimiser.lr: no such field; did you mean optimizer?"),
        ("optimizer.lr", "fast", "optimizer.lr: expected float, found 'fast'"),
        ("batch_size", "64,1.5", "batch_size: expected int, found 1.5"),
        ("batch_size", "64,true", "batch_size: expected int, found True"),
        ("batch_size", "0", "batch_size must be at least 1, found 0"),
        ("optimizer.lr", "0.1,,0.2", "optimizer.lr: a value is missing"),
        ("optimizer.lr", "nan", "optimizer.lr: expected float, found 'nan'"),
        ("optimizer.lr", "1e999", "optimizer.lr: expected float, found '1e999'"),
        ("precision", "fp8", "precision: 'fp8' is not one of 'auto', 'fp32', 'bf16'"),
        ("model.widths", "4 x 8", "model.widths.1: expected int, found 'x'"),
    ],
)
def test_what_a_field_does_not_take_is_said_in_one_line(field: str, text: str, complaint: str) -> None:
    with pytest.raises(UserError) as refusal:
        values_of(DEMO, field, text)
    assert str(refusal.value).startswith(complaint)


@pytest.mark.parametrize(
    ("varied", "complaint"),
    [
        ([("batch_size", [64]), ("batch_size", [32])], "batch_size is varied twice"),
        ([("optimizer.lr", [0.1, 0.10])], "optimizer.lr=0.1 is there twice"),
        ([("optimizer.lr", [1, 1.0])], "optimizer.lr=1 is there twice"),
        ([("batch_size", [])], "batch_size is varied, but no value is given"),
    ],
)
def test_what_is_asked_twice_is_refused(varied: list[tuple[str, list[Any]]], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        grid("demo", varied)


def test_an_unknown_recipe_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean demo"):
        grid("demmo")
