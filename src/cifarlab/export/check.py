"""Whether an ONNX graph is well formed and computes what the network computes, before anyone relies on it."""

import torch
from torch import nn

from cifarlab.errors import Unavailable, first_line
from cifarlab.runtime import generator

BATCH_SIZES = (1, 2, 7, 64)
TOLERANCE = 1e-4
"""Of the logits; of logits above 1, of the largest one."""


def check(content: bytes, network: nn.Module, image_size: int) -> None:
    """Run the graph and ``network`` on the same random bytes, in batches of several sizes.

    Args:
        content: of the ONNX file.
        network: uint8 ``[N, 3, S, S]`` to probabilities and logits.
        image_size: S, in pixels.

    Raises:
        Unavailable: the graph breaks ONNX's rules, does not run, or answers differently.
    """
    import onnx  # noqa: PLC0415 - an extra: loaded when asked for
    import onnxruntime  # noqa: PLC0415

    try:
        onnx.checker.check_model(onnx.load_model_from_string(content), full_check=True)
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        for size in BATCH_SIZES:
            randomness = generator(0, "export", size)
            shape = (size, 3, image_size, image_size)
            images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=randomness)
            with torch.no_grad():
                probabilities, logits = network(images)
            answers = session.run(["logits", "probabilities"], {"images": images.numpy()})
            _compare("logits", torch.from_numpy(answers[0]), logits)
            _compare("probabilities", torch.from_numpy(answers[1]), probabilities)
    except Unavailable:
        raise
    except Exception as error:  # onnx and its runtime raise classes of their own
        raise _refused(f"it cannot be run: {first_line(error)[:200]}") from error


def _compare(name: str, answer: torch.Tensor, wanted: torch.Tensor) -> None:
    if answer.shape != wanted.shape:
        raise _refused(f"its {name} have the shape {list(answer.shape)}, not {list(wanted.shape)}")
    difference = float((answer - wanted).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(wanted.abs().max())):  # also where it is no number
        raise _refused(f"its {name} differ from the network's by {difference:.2g}")


def _refused(reason: str) -> Unavailable:
    return Unavailable(
        f"the exported graph failed its check, so nothing was written: {reason}; "
        "try other versions of torch and onnxscript"
    )
