"""What the network is fed in one epoch: batches drawn, augmented, normalized, scaled, mixed on the device."""

from dataclasses import dataclass

from torch import Tensor

from cifarlab.augment import apply_all, draw_epoch
from cifarlab.augment.mixing import mixed_labels
from cifarlab.data.batches import DeviceSplit, epoch_order
from cifarlab.distributed import Group
from cifarlab.recipe import Recipe
from cifarlab.resolution import scaled_down
from cifarlab.runtime import generator


@dataclass(frozen=True)
class Batch:
    """One process's part of a batch."""

    images: Tensor
    """Normalized float32 ``[N, 3, S, S]``, of the size of this step."""
    targets: Tensor
    """Labels, int64 ``[N]``; where images are mixed, the share of every class, float32 ``[N, K]``."""
    weight: float
    """Of this part's mean loss; see ``Group.part_of``."""
    size: int
    """Images of the whole batch."""


@dataclass(frozen=True)
class Feed:
    """The batches of one epoch, functions of (seed, epoch, step) and of nothing else."""

    recipe: Recipe
    training: DeviceSplit
    classes: int
    epoch: int
    order: Tensor
    draws: list[Tensor]
    mixing_draws: Tensor | None

    def positions(self, step: int) -> Tensor:
        """Which images batch ``step`` (from 0) has, a view of the epoch's order: int64 ``[N]``."""
        size = self.recipe.batch_size
        return self.order[step * size : (step + 1) * size]

    def batch(self, step: int, group: Group) -> Batch:
        """The part of batch ``step`` (from 0) that this process of ``group`` computes."""
        positions_of_all = self.positions(step)
        positions, weight = group.part_of(positions_of_all)
        pixels = self.size_at(step)
        images, labels = self._prepared(positions, pixels)
        if self.recipe.mix is None or self.mixing_draws is None:
            return Batch(images, labels, weight, len(positions_of_all))
        # The order is random, so the image at the other end of the batch is a random partner.
        if group.size == 1:
            other_images, other_labels = images.flip(0), labels.flip(0)
        else:
            # An image's draws are its own: the partner comes out as it does in the other process.
            partners = group.part_of(positions_of_all.flip(0))[0]
            other_images, other_labels = self._prepared(partners, pixels)
        images, share = self.recipe.mix.apply(images, other_images, self.mixing_draws[positions])
        targets = mixed_labels(labels, other_labels, share, self.classes)
        return Batch(images, targets, weight, len(positions_of_all))

    def size_at(self, step: int) -> int:
        """Height and width in pixels at which batch ``step`` is seen."""
        whole, recipe = self.training.images.shape[-1], self.recipe
        if recipe.resolution is None:
            return whole
        return recipe.resolution.size_at(self.share_done(step), whole)

    def share_done(self, step: int) -> float:
        """What part of the run is done before batch ``step`` of this epoch."""
        images = len(self.training)
        return self.recipe.share_done(self.epoch * self.recipe.steps_of_epoch(images) + step, images)

    def _prepared(self, positions: Tensor, size: int) -> tuple[Tensor, Tensor]:
        images, labels = self.training.batch(positions)
        images = apply_all(self.recipe.augment, images, [drawn[positions] for drawn in self.draws])
        return scaled_down(self.recipe.normalize.apply(images), size), labels


def feed_of_epoch(recipe: Recipe, training: DeviceSplit, classes: int, seed: int, epoch: int) -> Feed:
    """Everything that epoch ``epoch`` (from 0) draws, put on the device of ``training``."""
    count, device = len(training), training.images.device
    mixing_draws = None
    if recipe.mix is not None:
        mixing_draws = recipe.mix.draw(count, generator(seed, "mix", epoch)).to(device)
    return Feed(
        recipe,
        training,
        classes,
        epoch,
        order=epoch_order(count, seed, epoch).to(device),
        draws=[drawn.to(device) for drawn in draw_epoch(recipe.augment, count, seed, epoch)],
        mixing_draws=mixing_draws,
    )


def correct_share(logits: Tensor, targets: Tensor) -> Tensor:
    """How many images of a batch are right, a scalar; a mixed image counts by its share of the answer."""
    answers = logits.detach().argmax(1)
    if targets.dim() == 1:
        return (answers == targets).sum()
    return targets.gather(1, answers[:, None]).sum()
