"""The adapter of airbench94_muon.py, by Keller Jordan: 94.01 % (n = 200) in 2.59 s on an A100."""

from cifarlab.race.peers.common_changes import (
    FIGURES_HANDED_OVER,
    FILES_READ_BEFORE,
    NO_ACCURACY_PER_EPOCH,
    WITHOUT_MAIN_BLOCK,
    eager_on_cpu,
    fp32_for_bf16,
)
from cifarlab.race.peers.peer import Peer
from cifarlab.race.peers.single_network import build, image_operations, race
from cifarlab.race.peers.written_numbers import WrittenNumber

AIRBENCH94_MUON = Peer(
    name="airbench94_muon.py",
    source="https://github.com/KellerJordan/cifar10-airbench",
    sha256=("704e29251a5207d8aed8a35adf13f772ff386b90a712aaddc2a28854385b536e",),
    published_accuracy=0.9401,
    published_seconds=2.59,
    epochs=8.0,
    batch_size=2000,
    marks=("class Muon(", "def zeropower_via_newtonschulz5(", "def init_whiten(self, train_images"),
    loader="CifarLoader",
    written_epochs=(
        WrittenNumber("total_train_steps = ceil({} * len(train_loader))", "8"),
        WrittenNumber("whiten_bias_train_steps = ceil({} * len(train_loader))", "3"),
    ),
    written_batches=(WrittenNumber("    batch_size = {}\n", "2000"),),
    everywhere=(WITHOUT_MAIN_BLOCK, FILES_READ_BEFORE, NO_ACCURACY_PER_EPOCH, FIGURES_HANDED_OVER),
    on_cpu=eager_on_cpu(
        half_calls=2,
        compiled_functions=1,
        cuda_names=1,
        synchronizations=1,
    ),
    in_fp32=fp32_for_bf16(calls=1),
    build=build,
    race=race,
    image_operations=image_operations,
)
