"""The adapter of cifar10_speedrun.py, by hiverge: 94.02 % in 1.98 s on an A100."""

from cifarlab.race.peers.changes import Change
from cifarlab.race.peers.common_changes import (
    FIGURES_HANDED_OVER,
    FILES_READ_BEFORE,
    WITHOUT_MAIN_BLOCK,
    eager_on_cpu,
    fp32_for_bf16,
)
from cifarlab.race.peers.peer import Peer
from cifarlab.race.peers.single_network import build, image_operations, race
from cifarlab.race.peers.written_numbers import WrittenNumber

NO_ACCURACY_AFTER_THE_CLOCK = Change(
    name="no evaluation after its own clock",
    pattern=(
        r"^    train_acc = evaluate\(model, train_loader, tta_level=0\)\n"
        r"    val_acc = evaluate\(model, test_loader, tta_level=0\)\n"
    ),
    replacement="    val_acc = None\n",
)
NO_UNUSED_BUFFER = Change(
    # Nothing reads it, and its own clock leaves it out; by ours, pinning 300 MB would count against it.
    name="no pinned buffer, which it never uses",
    pattern=r"\bself\._cpu_buffer = torch\.zeros\([^()]*\)\.pin_memory\(\)\.contiguous\(\)",
    replacement="pass",
)

CIFAR10_SPEEDRUN = Peer(
    name="cifar10_speedrun.py",
    source="https://github.com/hiverge/cifar10-speedrun",
    sha256=("d1e1f6991cc3e1758c0bbc0e728c86a4b3119dd42a9233075b2edb9735d0ba91",),
    published_accuracy=0.9402,
    published_seconds=1.98,
    epochs=7.59,
    batch_size=1536,
    marks=("class Muon(", "def _zeropower_via_newtonschulz5(", "def batch_color_jitter("),
    loader="CifarLoader",
    written_epochs=(
        WrittenNumber("total_train_steps = ceil({} * len(train_loader))", "7.59"),
        WrittenNumber("whiten_bias_train_steps = ceil({} * len(train_loader))", "0.19"),
    ),
    written_batches=(WrittenNumber("training_batch_size = {}\n", "1536"),),
    everywhere=(
        WITHOUT_MAIN_BLOCK,
        FILES_READ_BEFORE,
        NO_UNUSED_BUFFER,
        NO_ACCURACY_AFTER_THE_CLOCK,
        FIGURES_HANDED_OVER,
    ),
    on_cpu=eager_on_cpu(
        half_calls=2,
        half_types=6,
        compiled_functions=7,
        cuda_names=2,
        synchronizations=1,
    ),
    in_fp32=fp32_for_bf16(calls=0),
    build=build,
    race=race,
    image_operations=image_operations,
)
