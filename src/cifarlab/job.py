"""What a run works with from its beginning to its end: network, optimizer, and the parts of its data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cifarlab.averaging import average_of
from cifarlab.data.batches import DeviceSplit, on_device, whole
from cifarlab.data.holdout import per_class_subset
from cifarlab.data.split import Source
from cifarlab.distributed import ALONE, Group
from cifarlab.models.data_dependent import fit_to_data
from cifarlab.preconditions import (
    check_average,
    check_capture,
    check_convolutions,
    check_freezing,
    check_last_batch,
    check_rates,
    check_resolution,
    check_views,
)
from cifarlab.recipe import Judging, Recipe
from cifarlab.run import RunDescription, load_weights, trained_network
from cifarlab.runtime import generator, reseed
from cifarlab.schedules import Moment

MOST_VARIANTS = 64
"""Of a compiled network; a recipe that needs more computes the others uncompiled."""


@dataclass(frozen=True)
class Job:
    """All that stays while ``Progress`` moves. Everything in it lives on the run's device."""

    description: RunDescription
    judging: Judging
    group: Group
    network: nn.Module
    forward: Any
    """``network``, compiled where the recipe asks for it, its gradients shared where there are several
    processes."""
    optimizer: torch.optim.Optimizer
    average: nn.Module | None
    """The average of the weights, where the recipe asks for one."""
    class_weights: Tensor | None
    """float32 ``[K]`` where the recipe's loss weights the classes."""
    training: DeviceSplit
    validation: DeviceSplit
    watched_test: DeviceSplit | None
    """The test set where protocol A or B evaluates it every epoch; None under protocol C."""

    @property
    def judged(self) -> nn.Module:
        """The network whose weights are judged and kept."""
        return self.network if self.average is None else self.average

    @property
    def is_frozen(self) -> bool:
        """Whether the last dense layer alone is trained."""
        return self.description.is_frozen

    def switch_to_training(self) -> None:
        """Training mode; what is frozen stays as it is in evaluation, BatchNorm's statistics too."""
        self.network.train(not self.is_frozen)
        self.network.get_submodule("classifier").train()

    @property
    def steps(self) -> int:
        """Steps per epoch; the last batch may be a smaller one."""
        return self.description.recipe.steps_of_epoch(len(self.training))

    def moment(self, epoch: int, step: int, val_losses: Sequence[float]) -> Moment:
        """Where the run stands before step ``step`` of epoch ``epoch``; both count from 0."""
        recipe = self.description.recipe
        return Moment(epoch * self.steps + step, self.steps, recipe.epochs, val_losses)

    @property
    def all_steps(self) -> int:
        """Steps of the whole run, if it does not stop early."""
        return self.steps * self.description.recipe.epochs


def prepare(
    description: RunDescription,
    judging: Judging,
    source: Source,
    first_weights: dict[str, Tensor] | None,
    device: torch.device,
    group: Group = ALONE,
) -> Job:
    """Build everything that ``description`` asks for.

    Args:
        judging: the one of the run's protocols.
        first_weights: to begin with instead of those that follow from the seed.

    Raises:
        UserError: the data do not fit the recipe, or the weights the network.
    """
    recipe = description.recipe
    training, validation = divide(source, description, judging, device)
    check_average(recipe, len(training))
    check_rates(recipe, len(training))
    check_capture(recipe, group)
    check_resolution(description)
    check_freezing(description, group)
    check_views(description)
    if not description.is_frozen:
        check_last_batch(description, len(training), group)
    if device.type == "cpu":
        check_convolutions(recipe, description.data.image_size)
    network = placed(build_network(description, first_weights), device)
    if first_weights is None:
        fit_to_data(network, lambda: _as_seen(training, recipe, description.seed))
    network = group.with_statistics(network, device)
    if description.is_frozen:
        network.requires_grad_(False)
        network.get_submodule("classifier").requires_grad_()
    watches_test = description.protocols == "B,C" or judging.select_by == "test_accuracy"
    labels = training.labels[training.indices]
    forward = _compiled(network) if recipe.compile else network
    return Job(
        description=description,
        judging=judging,
        group=group,
        network=network,
        forward=group.shared(forward, device),
        optimizer=recipe.optimizer.build(network),
        average=None if recipe.average is None else average_of(network),
        class_weights=recipe.loss.weights(labels, len(description.data.class_names)),
        training=training,
        validation=validation,
        watched_test=whole(source.read_test(), device) if watches_test else None,
    )


def _compiled(network: nn.Module) -> Any:
    """``network`` compiled for each size of its images and each part that is frozen; all of them are few.

    Kernels for one size alone are the faster ones. Beyond its limit of variants, 8, torch would compute
    uncompiled, and say so in a warning alone; the limit is raised for the whole process.
    """
    limits = torch.compiler.config
    limits.recompile_limit = max(limits.recompile_limit, MOST_VARIANTS)
    return torch.compile(network, dynamic=False)


def build_network(description: RunDescription, weights: dict[str, Tensor] | None) -> nn.Module:
    """The network of a run before its first step: from the seed, or with the given weights.

    Raises:
        UserError: the weights are those of another network.
    """
    reseed(description.seed, "first weights")
    network = trained_network(description).build()
    first = description.initial_weights
    if weights is not None and first is not None:
        if first.head == "new":
            weights = with_head_of(network, weights)
        load_weights(network, weights, f"{first.run}, given by --from,")
    return network


def with_head_of(network: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """``weights`` with the last dense layer of ``network`` in the place of their own."""
    heads = {id(tensor) for tensor in network.get_submodule("classifier").state_dict(keep_vars=True).values()}
    own = {name: value for name, value in network.state_dict(keep_vars=True).items() if id(value) in heads}
    return weights | {name: value.detach().clone() for name, value in own.items()}


def _as_seen(training: DeviceSplit, recipe: Recipe, seed: int, batch_size: int = 1000) -> Iterator[Tensor]:
    """The training images as the network sees them in evaluation, float32 ``[N, 3, H, W]`` a batch.

    In random order: whoever looks at the first few sees all classes.
    """
    order = torch.randperm(len(training), generator=generator(seed, "fit"))
    for positions in order.to(training.images.device).split(batch_size):
        yield recipe.normalize.apply(training.batch(positions)[0])


def placed(network: nn.Module, device: torch.device) -> nn.Module:
    """``network`` on ``device``, its weights channels last in memory, which convolutions like best."""
    # The stubs of Module.to do not know memory_format.
    moved: nn.Module = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def divide(
    source: Source, description: RunDescription, judging: Judging, device: torch.device
) -> tuple[DeviceSplit, DeviceSplit]:
    """The training and the validation part of a source's training set, on the device."""
    recipe, seed = description.recipe, description.seed
    split = source.read_train()
    training, validation = judging.holdout.divide(split.labels, seed)
    if recipe.train_images is not None:
        training = training[per_class_subset(split.labels[training], recipe.train_images, seed)]
    first, second = on_device(split, [training, validation], device)
    return first, second
