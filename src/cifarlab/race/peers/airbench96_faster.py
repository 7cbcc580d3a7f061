"""The adapter of airbench96_faster.py, by Keller Jordan: 96.00 % (n = 200) in 27.3 s on an A100.

A small proxy network trains first and marks, in every batch, the half of the images with the largest loss;
the network proper trains on these alone. There are three networks: the proxy, the network, and a copy of it
whose whitening bias is frozen.
"""

from types import ModuleType

import torch

from cifarlab.race.peers.common_changes import (
    FIGURES_HANDED_OVER,
    FILES_READ_BEFORE,
    NO_ACCURACY_PER_EPOCH,
    WITHOUT_MAIN_BLOCK,
    eager_in_single_precision,
)
from cifarlab.race.peers.operations import forward_operations, training_operations
from cifarlab.race.peers.peer import WARM_UP, Peer, Race
from cifarlab.race.peers.written_numbers import WrittenNumber

WARM_UP_EPOCHS = 1.0
"""The script has no warm-up; this many epochs of its own training compile all that a run executes."""


def prepare(module: ModuleType, device: torch.device) -> Race:
    """Three networks, each compiled on CUDA."""
    proxy = module.make_net(module.hyp["proxy"])
    training_bias, frozen_bias = (module.make_net(module.hyp["net"]) for _ in range(2))
    for network in (proxy, frozen_bias):
        network[0].bias.requires_grad = False
    networks = [proxy, training_bias, frozen_bias]
    if device.type == "cuda":
        networks = [torch.compile(network, mode="max-autotune") for network in networks]
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
    on_cpu=eager_in_single_precision(
        half_calls=2,
        half_types=1,
        bfloat16_calls=0,
        compiled_functions=0,
        compiled_modules=2,
        cuda_calls=4,
        cuda_names=1,
        synchronizations=4,
    ),
    prepare=prepare,
    image_operations=image_operations,
)
