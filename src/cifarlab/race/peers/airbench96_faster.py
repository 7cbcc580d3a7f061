"""The adapter of airbench96_faster.py, by Keller Jordan: 96.00 % (n = 200) in 27.3 s on an A100.

A small proxy network trains first and marks, in every batch, the half of the images with the largest loss;
the network proper trains on these alone. There are three networks: the proxy, the network, and a copy of it
whose whitening bias is frozen. That copy is to take over after ``whiten_bias_epochs``; the published text
compares an epoch with a number of steps there, so in its 45 epochs it never does.
"""

from types import ModuleType

import torch
from torch import nn

from cifarlab.race.peers.common_changes import (
    FIGURES_HANDED_OVER,
    FILES_READ_BEFORE,
    NO_ACCURACY_PER_EPOCH,
    WITHOUT_MAIN_BLOCK,
    eager_on_cpu,
    fp32_for_bf16,
)
from cifarlab.race.peers.operations import forward_operations, training_operations
from cifarlab.race.peers.peer import WARM_UP, Peer, Race
from cifarlab.race.peers.written_numbers import WrittenNumber

WARM_UP_EPOCHS = 1.0
"""The script has no warm-up; this many epochs of its own training compile all that a run executes."""


def build(module: ModuleType, device: torch.device) -> list[nn.Module]:
    """Three networks, each compiled on CUDA."""
    proxy = module.make_net(module.hyp["proxy"])
    training_bias, frozen_bias = (module.make_net(module.hyp["net"]) for _ in range(2))
    for network in (proxy, frozen_bias):
        network[0].bias.requires_grad = False
    networks = [proxy, training_bias, frozen_bias]
    if device.type == "cuda":
        networks = [torch.compile(network, mode="max-autotune") for network in networks]
    return networks


def race(module: ModuleType, networks: list[nn.Module]) -> Race:
    """Its ``main`` takes the numbers of the recipe too; a warm-up has fewer epochs."""
    short = {**module.hyp, "opt": {**module.hyp["opt"], "train_epochs": WARM_UP_EPOCHS}}
    return lambda run: module.main(run, short if run == WARM_UP else module.hyp, *networks)


def image_operations(module: ModuleType) -> float:
    """The proxy looks at all images and learns from every fourth batch; the network sees a share of each."""
    proxy, network = (module.make_net(module.hyp[name]) for name in ("proxy", "net"))
    proxy[0].bias.requires_grad = False
    looking, learning = forward_operations(proxy), training_operations(proxy)
    share = float(module.hyp["opt"]["batch_size_masked"] / module.hyp["opt"]["batch_size"])
    return looking + (learning - looking) / 4 + share * training_operations(network)


AIRBENCH96_FASTER = Peer(
    name="airbench96_faster.py",
    source="https://github.com/KellerJordan/cifar10-airbench",
    sha256=("53b6aafd8a2775c47472bf2f31784f4733a38dc76a784bd5ed1450e1498109b3",),
    published_accuracy=0.96,
    published_seconds=27.3,
    epochs=45.0,
    batch_size=1024,
    marks=("class InfiniteCifarLoader", "def train_proxy(", "'batch_size_masked'"),
    loader="InfiniteCifarLoader",
    written_epochs=(
        WrittenNumber("'train_epochs': {},", "45.0"),
        WrittenNumber("'whiten_bias_epochs': {},", "3"),
    ),
    written_batches=(
        WrittenNumber("'batch_size': {},", "1024"),
        WrittenNumber("'batch_size_masked': {},", "512"),
    ),
    everywhere=(WITHOUT_MAIN_BLOCK, FILES_READ_BEFORE, NO_ACCURACY_PER_EPOCH, FIGURES_HANDED_OVER),
    on_cpu=eager_on_cpu(
        half_calls=2,
        half_types=1,
        compiled_modules=2,
        cuda_calls=4,
        cuda_names=1,
        synchronizations=4,
    ),
    in_fp32=fp32_for_bf16(calls=0),
    build=build,
    race=race,
    image_operations=image_operations,
)
