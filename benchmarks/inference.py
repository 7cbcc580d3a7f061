"""How fast trained networks answer: torch as cifarlab runs it, compiled by torch, and as exported to ONNX.

    python -m benchmarks.inference [--networks NAME,NAME] [--rounds N] [--threads N] [--out FILE]

Every way goes from bytes to probabilities, so normalization and softmax count. Batches of one picture tell
the latency, batches of 256 the throughput. A round asks each way in turn, after an uncounted call each, so
that a slow moment of the machine meets all of them. All ways must give the same logits, else the benchmark
ends. Weights are as drawn: the speed does not depend on what was learned. On a CPU; it needs the extra
``export``.
"""

import argparse
import json
import shutil
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor

from benchmarks.measuring import ratios, spread
from cifarlab.augment import Normalize
from cifarlab.errors import UserError, nearest
from cifarlab.export.graph import FromBytes, strip, trace
from cifarlab.models import CATALOG
from cifarlab.models.cost import count_parameters, forward_flops
from cifarlab.race.clock import now
from cifarlab.runtime import generator, hardware, versions

CPU = torch.device("cpu")
CLASSES, IMAGE_SIZE = 10, 32
ONE, MANY = 1, 256
TOLERANCE = 1e-4
"""Of the logits; of logits above 1, of the largest one."""
LATENCY_SECONDS = 0.5
"""For how long a round asks one way for single pictures; 10 of them at least."""

Way = Callable[[Tensor], Tensor]
"""From uint8 ``[N, 3, S, S]`` to logits ``[N, classes]``."""


def build(name: str) -> FromBytes:
    """The network as ``predict`` has it, in evaluation mode and channels last."""
    network = CATALOG[name][1].build(CLASSES, IMAGE_SIZE)
    whole = FromBytes(network, Normalize()).eval()
    return whole.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def in_torch(whole: FromBytes) -> Way:
    """torch, without gradients."""

    def ask(images: Tensor) -> Tensor:
        with torch.inference_mode():
            return whole(images)[1]  # type: ignore[no-any-return]

    return ask


def exported(whole: FromBytes) -> Way:
    """The exported graph in ONNX Runtime, on as many threads as torch has."""
    model = trace(whole, IMAGE_SIZE)
    strip(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Its threads would go on spinning after an answer, in the time of whoever is measured next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    # Both outputs are asked for, as torch computes both.
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[1])


def ways_of(name: str) -> tuple[dict[str, Way], dict[str, str]]:
    """All ways to ask a network, and the reasons for which some are missing."""
    whole = build(name)
    ways = {"eager": in_torch(whole)}
    missing = {}
    if any(map(shutil.which, ("c++", "g++", "clang++"))):
        torch.compiler.reset()  # its limit of variants counts those of earlier networks too
        compiled = torch.compile(whole.network, dynamic=False)  # the network alone, as a run compiles it
        ways["compiled"] = in_torch(FromBytes(compiled, whole.normalize))  # type: ignore[arg-type]
    else:
        missing["compiled"] = "no C++ compiler is here, which torch.compile needs"
    ways["onnx"] = exported(whole)
    return ways, missing


def latencies(way: Way, images: Tensor) -> list[float]:
    """Milliseconds of single calls."""
    way(images)
    began, found = now(CPU), list[float]()
    while len(found) < 10 or now(CPU) - began < LATENCY_SECONDS:
        start = now(CPU)
        way(images)
        found.append((now(CPU) - start) * 1e3)
    return found


def rate(way: Way, images: Tensor) -> float:
    """Images per second."""
    way(images)
    start = now(CPU)
    way(images)
    return len(images) / (now(CPU) - start)


def differences(ways: dict[str, Way], images: Tensor) -> dict[str, float]:
    """The largest difference of each way's logits from those of eager torch.

    Raises:
        SystemExit: one is not the same network.
    """
    expected = ways["eager"](images)
    allowed = TOLERANCE * max(1.0, float(expected.abs().max()))
    found = {way: float((ask(images) - expected).abs().max()) for way, ask in ways.items()}
    for way, difference in found.items():
        if not difference <= allowed:
            raise SystemExit(f"{way}: the logits differ from eager torch's by {difference}")
    return found


def measure(name: str, rounds: int) -> dict[str, Any]:
    """A row of the record."""
    ways, missing = ways_of(name)
    shape = (MANY, 3, IMAGE_SIZE, IMAGE_SIZE)
    many = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator(0, "inference"))
    one = many[:ONE]
    different = [differences(ways, images) for images in (one, many)]  # also compiles for both sizes
    milliseconds: dict[str, list[float]] = defaultdict(list)
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for way, ask in ways.items():
            milliseconds[way] += latencies(ask, one)
        for way, ask in ways.items():
            rates[way].append(rate(ask, many))
    network = CATALOG[name][1].build(CLASSES, IMAGE_SIZE)
    return {
        "network": name,
        "parameters": count_parameters(network).total,
        "gflop_per_image": round(forward_flops(network, IMAGE_SIZE) / 1e9, 4),
        "ways": {
            way: {
                "latency_ms": _latency(milliseconds[way]),
                "images_per_second": spread(rates[way]),
                "throughput_to_eager": ratios(rates[way], rates["eager"]),
                "largest_difference": max(each[way] for each in different),
            }
            for way in ways
        },
        "missing": missing,
    }


def _latency(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "p95": round(statistics.quantiles(values, n=20)[-1], 3),
        "calls": len(values),
    }


def shown(row: dict[str, Any]) -> str:
    """A row as plain lines, a way each."""
    lines = [
        f"{row['network']:<22} {way:<8} {figures['latency_ms']['median']:>8.2f} ms "
        f"(p95 {figures['latency_ms']['p95']:.2f}) {figures['images_per_second']['median']:>10,.1f} images/s,"
        f" {figures['throughput_to_eager']['median']:.2f} of eager"
        for way, figures in row["ways"].items()
    ]
    return "\n".join([*lines, *[f"{row['network']:<22} {way}: {why}" for way, why in row["missing"].items()]])


def networks_named(text: str) -> list[str]:
    """Names of the catalog, given with commas between them."""
    names = text.split(",")
    for name in names:
        if name not in CATALOG:
            raise UserError(f"no network is called {name!r}; {nearest(name, CATALOG)}")
    return names


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--networks", default=",".join(CATALOG), metavar="NAME,NAME", help="(default: all)")
    made.add_argument("--rounds", type=int, default=5, help="(default: 5)")
    made.add_argument("--threads", type=int, help="of every way (default: torch's choice)")
    made.add_argument("--out", type=Path, help="write the record as JSON, anew after every network")
    return made


def main() -> None:
    """Measure, print, and write the record where one is asked for."""
    options = parser().parse_args()
    try:
        names = networks_named(options.networks)
    except UserError as error:
        parser().error(str(error))
    if options.threads:
        torch.set_num_threads(options.threads)
    packages = ("onnx", "onnxscript", "onnxruntime")
    record: dict[str, Any] = {
        "command": "python -m benchmarks.inference " + " ".join(sys.argv[1:]),
        "data": "random pixels, 32×32, 10 classes",
        "batch_sizes": {"latency": ONE, "throughput": MANY},
        "hardware": hardware(CPU),
        "versions": versions() | {name: metadata.version(name) for name in packages},
        "rows": [],
    }
    for name in names:
        record["rows"].append(measure(name, options.rounds))
        print(shown(record["rows"][-1]), flush=True)
        if options.out:
            options.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    if not options.out:
        print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
