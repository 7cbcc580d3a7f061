"""The loop: one recipe on one data set, in plain lines, stopped and resumed anywhere.

All randomness is a function of (seed, epoch, step), so a run that was killed and resumed ends with the same
bits as one that was not (on the same machine, with the same versions and number of threads).
"""

import contextlib
import math
from pathlib import Path
from typing import Any, cast

from cifarlab import metrics, parameter_statistics, resumption, run
from cifarlab.captured import CapturedStep, steps_for
from cifarlab.config import fingerprint
from cifarlab.data.split import Source
from cifarlab.distributed import ALONE, Group
from cifarlab.errors import Diverged, Stopped, printable
from cifarlab.evaluate import logits_in_mode
from cifarlab.feed import feed_of_epoch
from cifarlab.finish import finish
from cifarlab.guard import FiniteGuard, guard_for
from cifarlab.interrupts import Interrupts
from cifarlab.job import Job, prepare
from cifarlab.logs import Display, Silence
from cifarlab.optim import set_rate
from cifarlab.preconditions import check_patience
from cifarlab.progress import Progress, Stopwatch
from cifarlab.recipe import Judging, Protocols, Recipe, judging_under
from cifarlab.runtime import keep_freed_memory, own_randomness, reseed
from cifarlab.schedules import Moment
from cifarlab.step import EagerStep


def train(
    recipe: Recipe,
    source: Source,
    out: Path,
    *,
    recipe_name: str = "custom",
    seed: int = 0,
    protocols: Protocols = "C",
    resume: bool = False,
    start_from: Path | None = None,
    freeze: bool = False,
    device: str = "auto",
    group: Group = ALONE,
    display: Display | None = None,
    command: str = "",
    data_argument: str = "",
    throwaway: bool = False,
) -> dict[str, Any]:
    """Train ``recipe`` on ``source`` into the run folder ``out``; return what ``result.json`` holds.

    Args:
        recipe_name: what the run calls its recipe.
        seed: decides the hold-out, first weights, order, augmentation and dropout.
        protocols: how the run is judged; see ``recipe.judging_under``.
        resume: go on with the run in ``out``; one that is finished is returned as it is.
        start_from: a finished run of the same network whose weights are the first ones; for other classes
            it gets a new last layer.
        freeze: of ``start_from``'s network train the last layer alone.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        group: the processes that train together; see ``launch.joined``. The first writes and shows.
        display: where progress is shown.
        command: how the run was started, for the record.
        data_argument: what opens ``source`` again with ``open_source``, for ``evaluate``.
        throwaway: ``out`` goes when the run has ended: keep no states and no statistics of parameters.

    Raises:
        UserError: wrong input, or ``out`` holds something else.
        Diverged: the loss was not finite; the run is marked so.
        Stopped: SIGINT or SIGTERM; the state is saved, except of a run that is thrown away.
        Unavailable: another process of the group has ended.
    """
    watch = Stopwatch()
    keep_freed_memory()
    display = display or Silence()
    judging = judging_under(recipe, protocols)
    place = group.device(device)
    data = source.description
    first_weights, origin = resumption.initial_weights(
        start_from, freeze, recipe, data.class_names, data.image_size
    )
    description = run.RunDescription(recipe_name, recipe, source.description, seed, protocols, origin)
    group.agree(f"{fingerprint(description)} {place.type} {group.batch_statistics}")
    group.from_first(lambda: None if resume and run.is_run(out) else _check_new(out, recipe, judging))
    with own_randomness(place), contextlib.ExitStack() as held:
        # Whatever is wrong with recipe or data shows here, before anything is written; what a device cannot
        # do may show later.
        job = prepare(description, judging, source, first_weights, place, group)
        group.from_first(lambda: held.enter_context(run.claimed(out)))
        with Interrupts(group) as interrupts:
            result = group.from_first(lambda: resumption.claim(out, description, resume, display))
            if result is not None:
                return cast(dict[str, Any], result)
            progress = resumption.latest(out, job.network, job.optimizer, job.average, display, group)
            progress.note_team(group.size, group.batch_statistics)
            group.from_first(lambda: _write_epochs_so_far(out, progress))
            display.begin(job.all_steps)
            try:
                _run_epochs(job, progress, out, interrupts, display, throwaway)
                record = {"command": command, "data_argument": data_argument}
                return finish(job, source, progress, out, interrupts, record, watch)
            except Stopped as stop:
                done = f"{progress.epoch} epochs and {progress.step} steps"
                advice = "" if throwaway else f"; go on with --resume --out {printable(out)}"
                raise Stopped(f"{stop} after {done}{advice}") from stop
            except Diverged as error:
                if group.is_first:
                    run.mark_diverged(out, str(error))
                raise Diverged(f"{printable(out)} diverged: {error}") from error


def _check_new(out: Path, recipe: Recipe, judging: Judging) -> None:
    """Refuse what a run that is to begin may not have; one that was begun goes on with it."""
    run.refuse_existing(out)
    check_patience(recipe, judging)


def _write_epochs_so_far(out: Path, progress: Progress) -> None:
    """What a crash has logged of later epochs is logged again."""
    run.write_metrics(out, progress.history)
    parameter_statistics.keep_epochs(out, progress.epoch)


def _run_epochs(
    job: Job, progress: Progress, out: Path, interrupts: Interrupts, display: Display, throwaway: bool
) -> None:
    """Train and judge epoch after epoch; unless ``throwaway``, save now and then, and always when stopped."""
    recipe = job.description.recipe
    guard = guard_for(job.optimizer, job.training.images.device, job.group)
    steps = steps_for(job, guard)
    steps.prepare(progress)
    keep = resumption.NoSaver if throwaway else resumption.Saver
    saver = keep(out, job.network, job.optimizer, job.average, job.group)
    try:
        while progress.epoch < recipe.epochs and not _patience_is_over(recipe, progress):
            train_epoch(job, progress, steps, guard, saver, interrupts, display)
            line = judge_epoch(job, progress, interrupts)
            watch = Stopwatch()
            if job.group.is_first:
                run.append_metrics(out, line)
            if job.group.is_first and not throwaway:
                parameter_statistics.append_parameters(out, line["epoch"], job.judged)
            progress.finish_epoch(line, _score(job.judging, line), job.judged)
            display.epoch(line)
            saver.save_if_due(progress)
            progress.seconds += watch.lap()
        saver.save(progress)
    except Stopped:
        guard.look()
        saver.save(progress)
        raise


def train_epoch(
    job: Job,
    progress: Progress,
    steps: EagerStep | CapturedStep,
    guard: FiniteGuard,
    saver: resumption.Saver,
    interrupts: Interrupts,
    display: Display,
) -> None:
    """The steps of one epoch that are not done yet; see ``step.update`` for what a step does."""
    recipe, seed, epoch = job.description.recipe, job.description.seed, progress.epoch
    group, classes = job.group, len(job.description.data.class_names)
    val_losses = progress.val_losses
    watch = Stopwatch()
    feed = feed_of_epoch(recipe, job.training, classes, seed, epoch)
    job.switch_to_training()
    for step in range(progress.step, job.steps):
        interrupts.check()
        reseed(seed, "step", epoch, step, *group.keys)
        moment = job.moment(epoch, step, val_losses)
        lr = learning_rate(recipe, moment)
        set_rate(job.optimizer, lr)
        if recipe.freezing is not None:
            recipe.freezing.apply(job.network, feed.share_done(step))

        done = moment.step + 1
        taken = steps.take(feed, step, done)
        if recipe.average is not None and job.average is not None:
            recipe.average.update(job.average, job.network, done)

        progress.count(taken.loss * taken.images / group.size, taken.correct)
        progress.spend(watch.lap())
        speed = progress.step * recipe.batch_size / progress.training_seconds
        display.step(epoch + 1, done, lr, taken.loss, speed)
        if saver.is_due():
            guard.look()
            progress.spend(watch.lap())
            saver.save(progress)
            progress.seconds += watch.lap()
    guard.look()  # an accelerator has done all steps only now
    progress.spend(watch.lap())


def judge_epoch(job: Job, progress: Progress, interrupts: Interrupts) -> dict[str, Any]:
    """The line of ``metrics.jsonl`` for the epoch whose steps are all done."""
    recipe, watch = job.description.recipe, Stopwatch()
    job.group.same_statistics(job.network)
    if job.average is not None:
        job.group.same_statistics(job.average)
    loss, correct = job.group.sum(progress.totals).tolist()
    line = {
        "epoch": progress.epoch + 1,
        "step": (progress.epoch + 1) * job.steps,
        "lr": learning_rate(recipe, job.moment(progress.epoch, job.steps - 1, progress.val_losses)),
        "train_loss": loss / len(job.training),
        "train_accuracy": correct / len(job.training),
        "images_per_second": round(len(job.training) / progress.training_seconds, 1),
    }
    if recipe.penalty is not None:
        line["penalty"] = float(recipe.penalty.value(job.network))
    for part, data in (("validation", job.validation), ("test", job.watched_test)):
        if data is not None and len(data):
            logits = logits_in_mode(
                job.judging.mode,
                job.judged,
                data,
                recipe.normalize,
                part=part,
                seed=job.description.seed,
                precision=recipe.precision,
                check_stop=interrupts.check,
                group=job.group,
            )
            labels = data.labels[data.indices].cpu()
            name = "val" if part == "validation" else "test"
            line[f"{name}_loss"] = metrics.mean_loss(logits, labels)
            line[f"{name}_accuracy"] = metrics.correct_count(logits, labels) / len(labels)
            line[f"{name}_balanced_accuracy"] = metrics.balanced_accuracy(logits, labels)
    progress.seconds += watch.lap()
    line["seconds"] = round(progress.seconds, 3)
    # All processes decide by the same figures, also where their own differ in the last bit.
    shared: dict[str, Any] = job.group.from_first(lambda: line)
    for part, name in (("validation", "val"), ("test", "test")):
        if not math.isfinite(shared.get(f"{name}_loss", 0.0)):
            raise Diverged(f"after epoch {progress.epoch + 1} the {part} loss is not finite")
    return shared


def learning_rate(recipe: Recipe, at: Moment) -> float:
    """The rate at a point of the run: a function of progress alone."""
    return recipe.optimizer.lr * recipe.schedule.factor(at)


def _patience_is_over(recipe: Recipe, progress: Progress) -> bool:
    return recipe.patience is not None and progress.epoch - progress.best_epoch >= recipe.patience


def _score(judging: Judging, line: dict[str, Any]) -> float:
    """What the best epoch has most of."""
    match judging.select_by:
        case "val_loss":
            return -float(line["val_loss"])
        case "last":
            return float(line["epoch"])
        case figure:
            return float(line[figure])
