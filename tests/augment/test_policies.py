"""AutoAugment, RandAugment and TrivialAugment: what they draw, and what they do against Pillow."""

import math
from collections import defaultdict

import pytest
import torch
from torch import Tensor

from augment.pillow import from_pillow, in_pillow, random_images, structured_images, to_pillow
from cifarlab.augment import AutoAugment, RandAugment, TrivialAugment
from cifarlab.augment.auto_augment import sub_policies
from cifarlab.augment.magnitudes import NARROW, WIDE, strengths
from cifarlab.augment.operations import Operation, operate
from cifarlab.runtime import generator

Policy = AutoAugment | RandAugment | TrivialAugment
POLICIES: list[Policy] = [AutoAugment(), RandAugment(), RandAugment(3, 30), TrivialAugment()]
DRAWS = 50_000
BOTH_SIDES = range(Operation.SHEAR_X, Operation.CONTRAST + 1)


def step_by_step(image: Tensor, draws: Tensor, policy: Policy) -> Tensor:
    picture = to_pillow(image)
    for operation, strength in draws.tolist():
        picture = in_pillow(picture, Operation(int(operation)), strength, policy.fill)
    return from_pillow(picture)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 41)])
@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_a_policy_is_the_same_operations_in_pillow(policy: Policy, height: int, width: int) -> None:
    structured = structured_images(height, width)
    images = torch.cat([random_images(300, 3, height, width), structured.repeat(8, 1, 1, 1)])
    draws = policy.draw(len(images), generator(3, "policy"))
    found = policy.apply(images, draws)
    expected = torch.stack([step_by_step(*pair, policy) for pair in zip(images, draws, strict=True)])
    point_only = ((draws[:, :, 0] == 0) | (draws[:, :, 0] > Operation.ROTATE)).all(1)
    assert point_only.double().mean() > 0.1
    assert torch.equal(found[point_only], expected[point_only])
    assert (found == expected).double().mean() > 0.9999


@pytest.mark.parametrize(("height", "width"), [(32, 32), (11, 26)])
@pytest.mark.parametrize("operation", list(Operation), ids=lambda operation: operation.name)
def test_every_operation_at_every_strength_of_the_policies(
    operation: Operation, height: int, width: int
) -> None:
    table = torch.cat([strengths(NARROW, 10)[operation], strengths(WIDE, 31)[operation]])
    magnitudes = torch.cat([table, -table]) if operation in BOTH_SIDES else table
    images = random_images(len(magnitudes), 3, height, width)
    found = operate(images, torch.full((len(images),), float(operation)), magnitudes, (9, 99, 200))
    for image, ours, strength in zip(images, found, magnitudes.tolist(), strict=True):
        theirs = from_pillow(in_pillow(to_pillow(image), operation, strength, (9, 99, 200)))
        assert (ours == theirs).double().mean() > (0.995 if operation <= Operation.ROTATE else 0.9999)


def test_an_accelerator_s_way_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """There all images go through every operation and the right result is chosen."""
    images = random_images(200, 3, 32, 32)
    for policy in POLICIES:
        draws = policy.draw(200, generator(0))
        expected = policy.apply(images, draws)
        with monkeypatch.context() as patch:
            patch.setattr("cifarlab.augment.operations.change_chosen", change_all)
            assert torch.equal(policy.apply(images, draws), expected)


def change_all(chosen: Tensor, start: Tensor, change: object, *values: Tensor) -> Tensor:
    changed = change(*values)  # type: ignore[operator]
    return torch.where(chosen.reshape(-1, *[1] * (start.dim() - 1)), changed, start)


def test_the_policy_is_the_published_one() -> None:
    """Table 7 of the paper, written the way torchvision writes it; None where a bin means nothing."""
    expected = [
        (("Invert", 0.1, None), ("Contrast", 0.2, 6)),
        (("Rotate", 0.7, 2), ("TranslateX", 0.3, 9)),
        (("Sharpness", 0.8, 1), ("Sharpness", 0.9, 3)),
        (("ShearY", 0.5, 8), ("TranslateY", 0.7, 9)),
        (("AutoContrast", 0.5, None), ("Equalize", 0.9, None)),
        (("ShearY", 0.2, 7), ("Posterize", 0.3, 7)),
        (("Color", 0.4, 3), ("Brightness", 0.6, 7)),
        (("Sharpness", 0.3, 9), ("Brightness", 0.7, 9)),
        (("Equalize", 0.6, None), ("Equalize", 0.5, None)),
        (("Contrast", 0.6, 7), ("Sharpness", 0.6, 5)),
        (("Color", 0.7, 7), ("TranslateX", 0.5, 8)),
        (("Equalize", 0.3, None), ("AutoContrast", 0.4, None)),
        (("TranslateY", 0.4, 3), ("Sharpness", 0.2, 6)),
        (("Brightness", 0.9, 6), ("Color", 0.2, 8)),
        (("Solarize", 0.5, 2), ("Invert", 0.0, None)),
        (("Equalize", 0.2, None), ("AutoContrast", 0.6, None)),
        (("Equalize", 0.2, None), ("Equalize", 0.6, None)),
        (("Color", 0.9, 9), ("Equalize", 0.6, None)),
        (("AutoContrast", 0.8, None), ("Solarize", 0.2, 8)),
        (("Brightness", 0.1, 3), ("Color", 0.7, 0)),
        (("Solarize", 0.4, 5), ("AutoContrast", 0.9, None)),
        (("TranslateY", 0.9, 9), ("TranslateY", 0.7, 9)),
        (("AutoContrast", 0.9, None), ("Solarize", 0.8, 3)),
        (("Equalize", 0.8, None), ("Invert", 0.1, None)),
        (("TranslateY", 0.7, 9), ("AutoContrast", 0.9, None)),
    ]
    assert len(sub_policies()) == 25
    for ours, theirs in zip(sub_policies(), expected, strict=True):
        for (operation, probability, place), (name, published, at) in zip(ours, theirs, strict=True):
            assert operation.name.replace("_", "").lower() == name.lower()
            assert probability == published
            assert at is None or place == at


def test_auto_augment_draws_its_table() -> None:
    """Each sub-policy at 1/25, each operation at its probability: the rates of all operations together."""
    draws = AutoAugment().draw(DRAWS, generator(1, "policy"))
    assert draws.shape == (DRAWS, 2, 2)
    for place in range(2):
        expected: dict[Operation, float] = defaultdict(float)
        for pair in sub_policies():
            operation, probability, _ = pair[place]
            expected[operation] += probability / 25
        for operation in set(Operation) - {Operation.IDENTITY}:
            found = float((draws[:, place, 0] == operation).double().mean())
            tolerance = 6 * math.sqrt(max(expected[operation], 1e-9) / DRAWS)
            assert abs(found - expected[operation]) <= tolerance, operation


def test_auto_augment_s_strengths_belong_to_their_sub_policy() -> None:
    draws = AutoAugment().draw(DRAWS, generator(1, "policy"))
    first, second = draws.unbind(1)
    rotated = first[:, 0] == Operation.ROTATE
    assert first[rotated, 1].abs().unique().tolist() == pytest.approx([2 * 30 / 9])
    followed = rotated & (second[:, 0] != Operation.IDENTITY)
    assert set(second[followed, 0].tolist()) == {Operation.TRANSLATE_X}
    assert second[followed, 1].abs().unique().tolist() == pytest.approx([150 / 331])
    colored = first[:, 0] == Operation.COLOR
    assert first[colored, 1].abs().unique().tolist() == pytest.approx([0.3, 0.7, 0.9])
    posterized = second[:, 0] == Operation.POSTERIZE
    assert second[posterized, 1].unique().tolist() == [5.0]
    solarized = first[:, 0] == Operation.SOLARIZE
    assert first[solarized, 1].unique().tolist() == pytest.approx([255 * 4 / 9, 255 * 7 / 9])


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_signs_are_even_where_an_operation_has_two_sides(policy: Policy) -> None:
    operations, magnitudes = policy.draw(DRAWS, generator(2, "policy")).flatten(0, 1).unbind(1)
    for operation in Operation:
        drawn = magnitudes[(operations == operation) & (magnitudes != 0)]
        if operation not in BOTH_SIDES:
            assert (drawn > 0).all()
        elif len(drawn):
            negative = float((drawn < 0).double().mean())
            assert abs(negative - 0.5) < 6 * 0.5 / math.sqrt(len(drawn)), operation


@pytest.mark.parametrize("policy", [RandAugment(2, 9), TrivialAugment()], ids=repr)
def test_operations_are_drawn_evenly_without_invert(policy: Policy) -> None:
    operations = policy.draw(DRAWS, generator(2, "policy"))[:, :, 0]
    for place in operations.unbind(1):
        counts = torch.bincount(place.long(), minlength=15)
        assert counts[Operation.INVERT] == 0
        others = counts[[i for i in range(15) if i != Operation.INVERT]]
        assert (others - DRAWS / 14).abs().max() < 6 * math.sqrt(DRAWS / 14)


def test_rand_augment_has_one_strength_and_trivial_augment_all() -> None:
    one = RandAugment(2, 9).draw(DRAWS, generator(2, "policy")).flatten(0, 1)
    every = TrivialAugment().draw(DRAWS, generator(2, "policy")).flatten(0, 1)
    for operation, expected in {
        Operation.SHEAR_X: 0.09,
        Operation.TRANSLATE_Y: 150 / 331 * 0.3,
        Operation.ROTATE: 9.0,
        Operation.CONTRAST: 0.27,
        Operation.POSTERIZE: 7.0,
        Operation.SOLARIZE: 178.5,
        Operation.EQUALIZE: 0.0,
    }.items():
        assert one[one[:, 0] == operation, 1].abs().unique().tolist() == pytest.approx([expected])
    for operation, last, different in (
        (Operation.SHEAR_X, 0.99, 31),
        (Operation.TRANSLATE_X, 1.0, 31),
        (Operation.ROTATE, 135.0, 31),
        (Operation.SHARPNESS, 0.99, 31),
        (Operation.SOLARIZE, 255.0, 31),
        (Operation.POSTERIZE, 8.0, 7),
    ):
        values = every[every[:, 0] == operation, 1].abs().unique()
        assert len(values) == different
        assert float(values.max()) == pytest.approx(last)


def test_nothing_chosen_is_the_identity_to_the_bit() -> None:
    images = random_images(50, 3, 32, 32)
    draws = torch.zeros(50, 2, 2)
    draws[:, :, 1] = 0.7  # a strength without an operation
    assert torch.equal(AutoAugment().apply(images, draws), images)
    assert torch.equal(RandAugment(0).apply(images, RandAugment(0).draw(50, generator(0))), images)


def test_the_fill_is_what_moving_brings_in() -> None:
    images = random_images(1, 3, 32, 32)
    draws = torch.tensor([[[float(Operation.TRANSLATE_X), 0.5], [0.0, 0.0]]])
    moved = AutoAugment(fill=(1, 2, 3)).apply(images, draws)
    assert torch.equal(moved[..., 16:], images[..., :16])
    assert (moved[..., :16] == torch.tensor([1, 2, 3])[:, None, None]).all()
