"""The safetensors export: a network's weights and all that is known of it, in one file.

A run's own ``model.safetensors`` holds the weights and what rebuilds the network; here are the recipe, the
data's description and the accuracy, too. With cifarlab:

    from pathlib import Path
    from cifarlab.export import open_exported

    exported = open_exported(Path("export.safetensors"))
    exported.network(exported.trained.normalize.apply(pixels))  # uint8 [N, 3, S, S] to logits

These are before the temperature and the test-time views in ``exported.trained``, where it has any. Without
it, the tensors and one JSON object:

    from safetensors import safe_open

    with safe_open("export.safetensors", "pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}
        about = json.loads(file.metadata()["cifarlab"])  # network, run, result, cifarlab
"""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from cifarlab import checkpoint
from cifarlab.config import from_json, to_json
from cifarlab.errors import UserError
from cifarlab.export.facts import Facts
from cifarlab.files import one_line_errors
from cifarlab.predict import Classifier
from cifarlab.run import RunDescription, TrainedNetwork, load_weights


@dataclass(frozen=True)
class Exported:
    """What an exported file holds, rebuilt."""

    trained: TrainedNetwork
    """Model, normalization, class names, size and preparation."""
    network: nn.Module
    """With its weights, in evaluation mode, on the CPU."""
    facts: Facts


def encode(classifier: Classifier, facts: Facts) -> bytes:
    """The file's content: sorted names, no times, no paths."""
    values = {"network": to_json(classifier.trained), **facts.as_json()}
    return checkpoint.encode(classifier.network.state_dict(), values)


def open_exported(path: Path) -> Exported:
    """The network in a file of ``cifarlab export --format safetensors``, and what is known of it.

    Raises:
        UserError: no such file, a damaged one, or not an export.
    """
    with one_line_errors(f"read {path}"):
        content = path.read_bytes()
    weights, values = checkpoint.decode(content, path)
    missing = {"network", "run", "result", "cifarlab"} - values.keys()
    if missing:
        raise UserError(f"{path} is not an export of cifarlab; it lacks {', '.join(sorted(missing))}")
    trained: TrainedNetwork = from_json(TrainedNetwork, values["network"])
    facts = Facts(from_json(RunDescription, values["run"]), values["result"], values["cifarlab"])
    network = trained.build()
    load_weights(network, weights, str(path))
    return Exported(trained, network.eval(), facts)


def is_ours(content: bytes) -> bool:
    """Whether the content is that of such an export, so that a new one may replace it."""
    try:
        _, values = checkpoint.decode(content, Path())
    except UserError:
        return False
    return "network" in values and "result" in values
