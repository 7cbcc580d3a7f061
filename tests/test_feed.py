"""What the network is fed: pairs for mixing, and the same images for any division among processes."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from cifarlab.augment import CutMix, HorizontalFlip, Mixing, Mixup, RandomCrop
from cifarlab.data.batches import DeviceSplit, whole
from cifarlab.distributed import Group
from cifarlab.feed import Feed, correct_share, feed_of_epoch
from cifarlab.losses import CrossEntropy
from support import small_recipe, synthetic_split

CLASSES = 3
ALONE = Group()


def training() -> DeviceSplit:
    return whole(synthetic_split(23, 1), torch.device("cpu"))


def feed_of(mix: Mixing | None, epoch: int = 2, **changes: Any) -> Feed:
    recipe = small_recipe(augment=(RandomCrop(padding=2), HorizontalFlip()), mix=mix, **changes)
    return feed_of_epoch(recipe, training(), CLASSES, seed=1, epoch=epoch)


def unmixed(feed: Feed, step: int) -> tuple[Tensor, Tensor]:
    batch = replace(feed, recipe=replace(feed.recipe, mix=None)).batch(step, ALONE)
    return batch.images, batch.targets


def test_without_mixing_targets_are_labels() -> None:
    feed, data = feed_of(None), training()
    seen = []
    for step, size in enumerate((10, 10, 3)):
        batch = feed.batch(step, ALONE)
        assert (batch.size, len(batch.images), batch.weight) == (size, size, 1.0)
        positions = feed.order[step * 10 : step * 10 + size]
        assert torch.equal(batch.targets, data.labels[positions])
        seen += positions.tolist()
    assert sorted(seen) == list(range(23))


@pytest.mark.parametrize("mix", [Mixup(), CutMix(probability=1.0)], ids=["mixup", "cutmix"])
def test_images_and_targets_are_mixed_in_the_same_parts(mix: Mixing) -> None:
    """Report 002, section 2.1.7: the same λ for the images and for their labels."""
    feed = feed_of(mix)
    assert feed.mixing_draws is not None
    for step in range(3):
        images, labels = unmixed(feed, step)
        batch = feed.batch(step, ALONE)
        draws = feed.mixing_draws[feed.order[step * 10 : (step + 1) * 10]]
        for place in range(len(images)):
            partner = len(images) - 1 - place
            expected, share = mix.apply(
                images[place : place + 1], images[partner : partner + 1], draws[place : place + 1]
            )
            torch.testing.assert_close(batch.images[place], expected[0])
            target = torch.zeros(CLASSES)
            target[labels[place]] += share[0]
            target[labels[partner]] += 1 - share[0]
            torch.testing.assert_close(batch.targets[place], target)
        torch.testing.assert_close(batch.targets.sum(1), torch.ones(len(images)))
    assert not torch.equal(batch.images, images)


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("mix", [None, Mixup(), CutMix()], ids=["none", "mixup", "cutmix"])
def test_several_processes_are_fed_the_same_images(mix: Mixing | None, size: int) -> None:
    feed = feed_of(mix)
    for step in range(3):
        alone = feed.batch(step, ALONE)
        parts = [feed.batch(step, Group(rank, size)) for rank in range(size)]
        own = [part for part in parts if part.weight > 0]
        torch.testing.assert_close(torch.cat([part.images for part in own]), alone.images, rtol=0, atol=0)
        torch.testing.assert_close(torch.cat([part.targets for part in own]), alone.targets, rtol=0, atol=0)


def test_mixing_differs_between_epochs_and_seeds() -> None:
    batches = [feed_of(Mixup(), epoch=epoch).batch(0, ALONE).images for epoch in (0, 1)]
    assert not torch.equal(*batches)
    assert torch.equal(batches[0], feed_of(Mixup(), epoch=0).batch(0, ALONE).images)


def test_a_batch_of_one_is_its_own_partner() -> None:
    feed = feed_of(Mixup(), batch_size=22)
    images, labels = unmixed(feed, 1)
    batch = feed.batch(1, ALONE)
    torch.testing.assert_close(batch.images, images)
    assert batch.targets.argmax(1).tolist() == labels.tolist()


def test_right_answers_count_by_their_share() -> None:
    logits = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert correct_share(logits, torch.tensor([0, 2])) == 1
    assert correct_share(logits, torch.tensor([[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]])) == 0.75


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 1.0, 2.0])], ids=["equal", "weighted"])
def test_the_loss_of_soft_targets_is_the_mean_of_both_losses(weights: Tensor | None) -> None:
    """λ · loss(own) + (1 − λ) · loss(other), as the authors of mixup compute it."""
    logits = torch.randn(6, CLASSES, generator=torch.Generator().manual_seed(0))
    first, second = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([1, 1, 0, 2, 0, 2])
    share = torch.linspace(0, 1, 6)
    targets = torch.zeros(6, CLASSES)
    targets[torch.arange(6), first] += share
    targets[torch.arange(6), second] += 1 - share
    loss = CrossEntropy()
    expected = sum(
        part * loss.mean(logits[i : i + 1], labels[i : i + 1], weights) / 6
        for i in range(6)
        for part, labels in ((share[i], first), (1 - share[i], second))
    )
    torch.testing.assert_close(loss.mean(logits, targets, weights), expected)


def test_label_smoothing_is_a_part_of_every_class() -> None:
    logits = torch.randn(5, CLASSES, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0, 1])
    soft = torch.nn.functional.one_hot(labels, CLASSES) * 0.7 + 0.3 / CLASSES
    found = CrossEntropy(label_smoothing=0.3).mean(logits, labels)
    torch.testing.assert_close(found, CrossEntropy().mean(logits, soft))
