"""The last chapter of a run: the chosen weights are judged on the test set and everything is written down."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from cifarlab import metrics, run
from cifarlab.checkpoint import encode, remove_states
from cifarlab.config import fingerprint, to_json
from cifarlab.data.batches import DeviceSplit, whole
from cifarlab.data.split import Source, Split
from cifarlab.errors import Diverged
from cifarlab.evaluate import logits_in_mode, verdict
from cifarlab.files import write_atomic, write_json
from cifarlab.interrupts import Interrupts
from cifarlab.job import Job
from cifarlab.models.cost import count_parameters, forward_flops
from cifarlab.progress import Progress
from cifarlab.runtime import effective_precision, hardware, versions


def finish(
    job: Job, source: Source, progress: Progress, out: Path, interrupts: Interrupts, record: dict[str, str]
) -> dict[str, Any]:
    """Open the test set, judge the last and the best epoch's weights, and write the run's results.

    Leaves the best weights in the network. ``record`` holds what is kept of how the run was started. Of
    several processes, all evaluate and the first writes.
    """
    split = source.read_test()
    test = whole(split, job.training.images.device)
    last_logits = _logits(job, test, interrupts)
    job.judged.load_state_dict(progress.best_weights)
    logits = _logits(job, test, interrupts)
    written = job.group.from_first(lambda: _write(job, progress, split, logits, last_logits, out, record))
    return cast(dict[str, Any], written)


def _write(
    job: Job,
    progress: Progress,
    split: Split,
    logits: Tensor,
    last_logits: Tensor,
    out: Path,
    record: dict[str, str],
) -> dict[str, Any]:
    """Write everything, ``result.json`` last: where it is, the run is complete.

    A crash before loses nothing, since the resume state still holds both sets of weights.
    """
    if not bool(logits.isfinite().all() & last_logits.isfinite().all()):
        raise Diverged("the logits of the test images are not finite")
    description, device = job.description, job.training.images.device
    figures = verdict(logits, split.labels, split.class_names)
    untrained = _untrained(description)
    parameters = count_parameters(untrained)
    flops = forward_flops(untrained, description.data.image_size)
    # Backward costs twice as much as forward, but hardly anything where only the last layer is trained.
    passes = 1 if job.is_frozen else 3
    best, last = progress.history[progress.best_epoch - 1], progress.history[-1]
    result = {
        "schema": run.SCHEMA_VERSION,
        "fingerprint": fingerprint(description),
        "status": "finished",
        "recipe_name": description.recipe_name,
        "test_accuracy": figures.pop("accuracy"),
        "test_images": figures.pop("images"),
        "test_loss": figures.pop("loss"),
        **figures,
        "train_images": len(job.training),
        "val_images": len(job.validation),
        "val_accuracy": best.get("val_accuracy"),
        "val_loss": best.get("val_loss"),
        "best_epoch": best["epoch"],
        "last_epoch": last["epoch"],
        "last": {
            "epoch": last["epoch"],
            "val_accuracy": last.get("val_accuracy"),
            "test_accuracy": metrics.correct_count(last_logits, split.labels) / len(split),
        },
        "best_on_test": _best_on_test(progress.history),
        "parameters": {**asdict(parameters), "total": parameters.total},
        "flops": flops,
        "training_flops": passes * flops * len(job.training) * last["epoch"],
        "seconds": round(progress.seconds, 3),
        "data": to_json(description.data),
        "seed": description.seed,
        "protocols": description.protocols,
        "select_by": job.judging.select_by,
        "evaluation_mode": to_json(job.judging.mode),
        "device": str(device),
        "processes": progress.teams,
        "precision": effective_precision(description.recipe.precision, device),
        "versions": versions(),
        "hardware": hardware(device),
        **record,
    }
    write_atomic(out / run.TEST_LOGITS, encode(_kept(logits, split), {}))
    sha256 = run.write_weights(out, progress.best_weights, run.trained_network(description))
    result["weights_sha256"] = sha256
    write_json(out / run.RESULT, result)
    remove_states(out / run.STATES)
    return result


def _untrained(description: run.RunDescription) -> nn.Module:
    """The network as its recipe has it, to count: without values, and with all that a run may have frozen."""
    with torch.device("meta"):
        return description.recipe.model.build(len(description.data.class_names), description.data.image_size)


def _logits(job: Job, test: DeviceSplit, interrupts: Interrupts) -> Tensor:
    recipe = job.description.recipe
    return logits_in_mode(
        job.judging.mode,
        job.judged,
        test,
        recipe.normalize,
        part="test",
        seed=job.description.seed,
        precision=recipe.precision,
        check_stop=interrupts.check,
        group=job.group,
    )


def _best_on_test(history: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Protocol B's epoch: the earliest with the highest test accuracy, where it was watched."""
    watched = [line for line in history if "test_accuracy" in line]
    if not watched:
        return None
    best = max(watched, key=lambda line: float(line["test_accuracy"]))
    return {"epoch": best["epoch"], "test_accuracy": best["test_accuracy"]}


def _kept(logits: Tensor, split: Split) -> dict[str, Tensor]:
    """What a report or a paired test needs later: logits, labels, and the most confident mistakes."""
    mistakes = metrics.most_confident_mistakes(logits, split.labels)
    return {
        "logits": logits,
        "labels": split.labels,
        "mistakes": mistakes,
        "mistake_images": split.images[mistakes],
    }
