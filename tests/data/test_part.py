"""A part of a data set: drawn evenly, the same everywhere, opened by its name."""

import pytest
import torch

from cifarlab.data.digits import open_digits
from cifarlab.data.part import divided_name, part_of
from cifarlab.data.pictures import Preparation
from cifarlab.data.sources import lasting_name, open_source
from cifarlab.data.split import Split, source_of
from cifarlab.errors import UserError
from support import synthetic_source


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cifar10", ("cifar10", None)),
        ("cifar10[256]", ("cifar10", (256, 256))),
        ("cifar10[5000,1000]", ("cifar10", (5000, 1000))),
        ("a[1]/b[20,3]", ("a[1]/b", (20, 3))),
        ("cifar10[]", ("cifar10[]", None)),
        ("cifar10[-1]", ("cifar10[-1]", None)),
        ("[5]", ("[5]", None)),
    ],
)
def test_names(name: str, expected: tuple[str, tuple[int, int] | None]) -> None:
    assert divided_name(name) == expected


def test_every_class_keeps_its_share() -> None:
    whole, part = open_digits(), part_of(open_digits(), 300, 100)
    assert (part.description.train_images, part.description.test_images) == (300, 100)
    assert part.description.name == "digits[300,100]"
    for read, size in ((lambda s: s.read_train(), 300), (lambda s: s.read_test(), 100)):
        labels, all_labels = read(part).labels, read(whole).labels
        share = size / len(all_labels)
        for label in range(10):
            assert abs(int((labels == label).sum()) - share * int((all_labels == label).sum())) <= 1


def test_images_labels_and_names_belong_together() -> None:
    whole, part = open_digits(), part_of(open_digits(), 50, 20)
    train, _ = part.image_names()
    everything = whole.read_train()
    for place in (0, 17, 49):
        at = int(train[place].removeprefix("train[").removesuffix("]"))
        assert torch.equal(part.read_train().images[place], everything.images[at])
        assert part.read_train().labels[place] == everything.labels[at]


def test_it_is_the_same_part_every_time_and_has_a_hash_of_its_own() -> None:
    first, second = (part_of(open_digits(), 100, 50).description for _ in range(2))
    assert first == second
    assert first.train_sha256 != open_digits().description.train_sha256
    assert part_of(open_digits(), 101, 50).description.test_sha256 == first.test_sha256


def test_all_but_a_few_images_can_be_a_part() -> None:
    part = part_of(synthetic_source(60, 30), 59, 30)
    assert part.description.train_images == 59
    assert torch.equal(part.read_test().labels, synthetic_source(60, 30).read_test().labels)


@pytest.mark.parametrize("part", ["digits[9]", "digits[2000,20]", "digits[20,2000]"])
def test_too_many_or_too_few_are_refused(part: str) -> None:
    with pytest.raises(UserError, match="a part takes 10 to"):
        open_source(part)


def test_a_part_is_opened_by_its_name(tmp_path: object) -> None:
    assert open_source("digits[40]").description.train_images == 40
    with pytest.raises(UserError, match="no-such-folder"):
        open_source("no-such-folder[40]")


@pytest.mark.parametrize(("each", "size"), [([2] * 30, 40), ([1, *[20] * 9], 100)])
def test_every_class_keeps_its_share_where_few_are_left_out_or_there(each: list[int], size: int) -> None:
    labels = torch.repeat_interleave(torch.arange(len(each)), torch.tensor(each))
    names = tuple(f"class {number}" for number in range(len(each)))
    split = Split(torch.zeros(len(labels), 3, 8, 8, dtype=torch.uint8), labels, names)
    source = source_of("few", split, split, "given", Preparation(size=8))
    kept = torch.bincount(part_of(source, size, size).read_train().labels, minlength=len(each))
    share = torch.tensor(each) * size / len(labels)
    assert int(kept.sum()) == size and bool(((kept - share).abs() < 1).all())


def test_lasting_names() -> None:
    assert lasting_name("digits") == "digits"
    assert lasting_name("") == ""
    assert lasting_name("digits[40]") == "digits[40,40]"
    assert lasting_name("digits[400][256,64]") == "digits[400,400][256,64]"
    assert open_source("digits[400,400][256,64]").description.test_images == 64
    assert lasting_name("pictures[40,2]").startswith("/")
    assert lasting_name("pictures[40,2]").endswith("/pictures[40,2]")
