"""The last chapter of a run: the chosen weights are judged on the test set and everything is written down."""

from collections import Counter
from dataclasses import asdict, dataclass
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
from cifarlab.evaluate import logits_in_mode, verdict, with_views
from cifarlab.files import write_atomic, write_json
from cifarlab.freezing import freeze_first
from cifarlab.interrupts import Interrupts
from cifarlab.job import Job
from cifarlab.models.cost import backward_flops, count_parameters, forward_flops
from cifarlab.progress import Progress, Stopwatch
from cifarlab.runtime import effective_precision, hardware, versions


def finish(
    job: Job,
    source: Source,
    progress: Progress,
    out: Path,
    interrupts: Interrupts,
    record: dict[str, str],
    watch: Stopwatch,
) -> dict[str, Any]:
    """Open the test set, judge the last and the best epoch's weights, and write the run's results.

    Leaves the best weights in the network. ``record`` holds what is kept of how the run was started, and
    ``watch`` has run since then. Of several processes, all evaluate and the first writes.
    """
    split = source.read_test()
    test = whole(split, job.training.images.device)
    last = _judged(job, test, interrupts)
    best = last
    if progress.best_epoch != progress.epoch:
        job.judged.load_state_dict(progress.best_weights)
        best = _judged(job, test, interrupts)
    seconds = watch.lap()
    written = job.group.from_first(lambda: _write(job, progress, split, best, last, out, record, seconds))
    return cast(dict[str, Any], written)


@dataclass(frozen=True)
class Judged:
    """What a network says of the test images: logits, float32 ``[N, K]``."""

    logits: Tensor
    """After all views, where the recipe has some."""
    without_views: Tensor


def _write(
    job: Job,
    progress: Progress,
    split: Split,
    judged: Judged,
    judged_last: Judged,
    out: Path,
    record: dict[str, str],
    seconds: float,
) -> dict[str, Any]:
    """Write everything, ``result.json`` last: where it is, the run is complete.

    A crash before loses nothing, since the resume state still holds both sets of weights.
    """
    logits, last_logits = judged.logits, judged_last.logits
    if not bool(logits.isfinite().all() & last_logits.isfinite().all()):
        raise Diverged("the logits of the test images are not finite")
    description, device = job.description, job.training.images.device
    figures = verdict(logits, split.labels, split.class_names)
    untrained = _untrained(description)
    parameters = count_parameters(untrained)
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
        "flops": forward_flops(untrained, description.data.image_size),
        "training_flops": training_flops(job, last["epoch"]),
        "seconds": round(progress.seconds, 3),
        "preparation_seconds": round(progress.preparation_seconds, 3),
        # Of this process, preparation included: from its first line to the last test prediction.
        "seconds_to_predictions": round(seconds, 4),
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
    if description.recipe.views is not None:
        correct = metrics.correct_count(judged.without_views, split.labels)
        result["test_accuracy_without_views"] = correct / len(split)
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


def training_flops(job: Job, epochs: int) -> int:
    """What ``epochs`` epochs cost, at the true sizes of their images and without what was frozen."""
    recipe, full_size = job.description.recipe, job.description.data.image_size
    resolution, freezing = recipe.resolution, None if job.is_frozen else recipe.freezing
    images: Counter[tuple[int, int]] = Counter()
    for step in range(epochs * job.steps):
        done = recipe.share_done(step, len(job.training))
        size = full_size if resolution is None else resolution.size_at(done, full_size)
        frozen = 0 if freezing is None else freezing.count_at(done)
        begin = step % job.steps * recipe.batch_size
        images[size, frozen] += min(recipe.batch_size, len(job.training) - begin)
    return sum(count * _flops_per_image(job, *kind) for kind, count in images.items())


def _flops_per_image(job: Job, size: int, frozen: int) -> int:
    """Of one training image of ``size`` pixels, with so many parts of the network ``frozen``."""
    network = _untrained(job.description)
    forward = forward_flops(network, size)
    # Backward costs twice as much as forward, but hardly anything where only the last layer is trained.
    if job.is_frozen:
        return forward
    if not frozen:
        return 3 * forward
    backward = backward_flops(network, size)
    freeze_first(network, frozen)
    return 3 * forward - (backward - backward_flops(network, size))


def _judged(job: Job, test: DeviceSplit, interrupts: Interrupts) -> Judged:
    recipe = job.description.recipe
    first = logits_in_mode(
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
    logits = with_views(
        recipe.views,
        first,
        job.judged,
        test,
        recipe.normalize,
        batch_size=job.judging.mode.batch_size,
        precision=recipe.precision,
        check_stop=interrupts.check,
        group=job.group,
    )
    return Judged(logits, first)


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
