"""The digits: the same on every machine, with a fixed test set."""

import torch
from sklearn.datasets import load_digits

from cifarlab.data.digits import open_digits
from data_samples import class_counts


def test_both_halves_are_what_the_description_says() -> None:
    source = open_digits()
    train, test = source.read_train(), source.read_test()
    assert (len(train), len(test)) == (1347, 450)
    assert (source.description.train_images, source.description.test_images) == (1347, 450)
    assert source.description.class_names == tuple("0123456789") == train.class_names
    for split in (train, test):
        assert split.images.dtype == torch.uint8
        assert split.images.shape[1:] == (3, 32, 32)
        assert torch.equal(split.images[:, 0], split.images[:, 1])
        assert torch.equal(split.images[:, 0], split.images[:, 2])
        assert (int(split.images.min()), int(split.images.max())) == (0, 255)


def test_a_quarter_of_each_class_is_the_test_set() -> None:
    source = open_digits()
    train, test = (class_counts(half.labels, 10) for half in (source.read_train(), source.read_test()))
    for in_train, in_test in zip(train, test, strict=True):
        assert abs(in_test - (in_train + in_test) / 4) < 1


def test_every_digit_is_in_one_half_exactly_once() -> None:
    source = open_digits()
    labels = torch.cat([source.read_train().labels, source.read_test().labels])
    assert class_counts(labels, 10) == class_counts(torch.from_numpy(load_digits().target), 10)


def test_the_digits_are_the_same_on_every_machine() -> None:
    description = open_digits().description
    assert description.train_sha256 == "20ea74657b9ed8d257e9f7cf56574e3e322ff0ca58efc2548d6790a7ecdd8410"
    assert description.test_sha256 == "f749f8138232bc64dc2db6904b54ebd5ea68ab29ea27d6567f67708ffb97953e"
