"""The explanation itself: from a run folder to ``RUN/explain/``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cifarlab import run
from cifarlab.data.batches import DeviceSplit
from cifarlab.errors import UserError, nearest
from cifarlab.evaluate import logits_in_mode, with_views
from cifarlab.explain.activations import ZeroCount, images_to_count_on, zero_counts
from cifarlab.explain.attribution import require_captum
from cifarlab.explain.confidence import Temperature, temperature_scaling
from cifarlab.explain.drawing import Gallery, evenly, explained
from cifarlab.explain.explanation import ExplainedPicture, Explanation, write_explanation
from cifarlab.explain.gradcam import evidence, layers_of
from cifarlab.explain.nearest import TrainingIndex
from cifarlab.explain.subjects import KeptTest, confident_mistakes, own_pictures, read_kept_test
from cifarlab.files import sha256_of
from cifarlab.own_data import OwnData, own_data, own_source
from cifarlab.predict import Classifier
from cifarlab.recipe import TrainingMode, judging_under

MISTAKES, MOST_MISTAKES = 8, 24
ALL = ("all",)
LAYERS = 6
"""How many layers, and how many attention masks, are shown unless the user says otherwise."""
_AT_ONCE = 32
"""Pictures that are explained together; gradients of more would take much memory."""


def explain(
    folder: Path,
    images: Sequence[Path] = (),
    *,
    mistakes: int = MISTAKES,
    layers: Sequence[str] | None = None,
    device: str = "auto",
    say: Callable[[str], None] = lambda text: None,
) -> Explanation:
    """Look inside the network of the finished run in ``folder`` and keep what is seen in ``RUN/explain/``.

    Args:
        images: the user's own picture files.
        mistakes: how many of the most confident mistakes on the test set are explained, 0 to 24.
        layers: whose Grad-CAM is shown, or ``("all",)``, see ``layers_of``; None for six of them, from the
            first to the last.
        device: auto, cpu, cuda, cuda:1 or mps.
        say: is told what is being done.

    Raises:
        UserError: no finished run, a damaged file, no such layer, or captum is not installed. What merely
            cannot be shown, as when the data are gone, is a sentence in the explanation's ``notes``.
    """
    if not 0 <= mistakes <= MOST_MISTAKES:
        raise UserError(f"mistakes: a run keeps at most {MOST_MISTAKES} of them; found {mistakes}")
    require_captum()
    result, description = run.read_result(folder), run.read_description(folder)
    classifier = Classifier.open(folder, device)
    trained = classifier.trained
    shown = _chosen(layers_of(classifier.network), dict(classifier.network.named_modules()), layers)
    notes = [] if shown else ["This network has no layer that Grad-CAM can show."]
    kept = read_kept_test(folder, len(trained.class_names), trained.image_size)
    evidence(classifier.network, *_blank(classifier), shown)  # a layer without a map is refused at once
    if isinstance(judging_under(description.recipe, description.protocols).mode, TrainingMode):
        notes.append(
            "The run was judged in training mode, as published. What is shown here is the network in "
            "evaluation mode, which may answer differently."
        )
    if trained.views is not None:
        notes.append(
            "The network answers after several views of a picture. The probabilities here are those; what is "
            "shown of its inside is the picture's as it is."
        )
    if (precision := result.get("precision", "fp32")) != "fp32":
        notes.append(
            f"The run was judged in {precision}. What is shown here is the network in fp32, whose "
            "probabilities differ by a little."
        )
    subjects = own_pictures(images, classifier)
    if kept is None:
        notes.append("The run keeps no test images, so there are no mistakes to explain.")
    else:
        subjects += confident_mistakes(kept, mistakes)
        if not len(kept.mistakes):
            notes.append("There are no mistakes to explain: every test image was classified right.")
    with run.claimed(folder):
        data, reason = _own_data(folder, classifier)
        if data is None:
            notes.append(
                "The nearest training images, the zeros among the activations and the temperature are left "
                f"out, since the run's data cannot be used: {reason}."
            )
        gallery = Gallery(trained.image_size)
        pictures: list[ExplainedPicture] = []
        if subjects:
            index = _index(classifier, data, say)
            say(f"explaining {len(subjects)} {'picture' if len(subjects) == 1 else 'pictures'}")
            most = None if layers is not None and tuple(layers) == ALL else LAYERS
            for first in range(0, len(subjects), _AT_ONCE):
                some = subjects[first : first + _AT_ONCE]
                pictures += explained(some, classifier, shown, most, index, gallery)
        temperature, missing = temperature_of(description, classifier, data, kept)
        explanation = Explanation(
            weights_sha256=sha256_of(folder / run.WEIGHTS),
            image_size=trained.image_size,
            pictures=tuple(pictures),
            zeros=_zeros(classifier, data),
            zeros_images=len(images_to_count_on(data.test.labels)) if data else 0,
            temperature=temperature,
            notes=(*notes, *missing),
        )
        write_explanation(folder, explanation, gallery.files)
    return explanation


def _chosen(known: tuple[str, ...], modules: dict[str, Any], wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The layers to show: those that are asked for, in the network's order."""
    if wanted is None:
        return evenly(known, LAYERS)
    if tuple(wanted) == ALL:
        return known
    for name in wanted:
        if name in ALL:
            raise UserError("layers: give all alone, or the names of layers")
        if name not in modules or not name:
            raise UserError(f"no layer is called {name!r}; {nearest(name, known)}")
    return tuple(name for name in modules if name in wanted)


def _own_data(folder: Path, classifier: Classifier) -> tuple[OwnData | None, str]:
    """The run's data, or None and the reason why they cannot be used."""
    try:
        return own_data(folder, own_source(folder), classifier.device), ""
    except UserError as error:
        return None, str(error).rstrip(".")


def _index(
    classifier: Classifier, data: OwnData | None, say: Callable[[str], None]
) -> tuple[TrainingIndex, DeviceSplit] | None:
    if data is None:
        return None
    say(f"looking for similar pictures among {len(data.training):,} training images")
    normalize = classifier.trained.normalize
    return TrainingIndex.build(classifier.network, data.training, normalize), data.training


def _zeros(classifier: Classifier, data: OwnData | None) -> tuple[ZeroCount, ...]:
    if data is None:
        return ()
    images, _ = data.test.batch(images_to_count_on(data.test.labels).to(classifier.device))
    return tuple(zero_counts(classifier.network, classifier.normalized(images)))


def temperature_of(
    description: run.RunDescription, classifier: Classifier, data: OwnData | None, kept: KeptTest | None
) -> tuple[Temperature | None, list[str]]:
    """The temperature, fitted on the validation images and judged on the test set, and what to say of it."""
    if data is None or kept is None:
        return None, []
    if not len(data.validation):
        return None, [
            "No temperature is fitted: the run held out no validation images, and one that is fitted on the "
            "test set would be judged on the images that chose it."
        ]
    trained, precision = classifier.trained, description.recipe.precision
    logits = logits_in_mode(
        judging_under(description.recipe, description.protocols).mode,
        classifier.network,
        data.validation,
        trained.normalize,
        part="validation",
        seed=description.seed,
        precision=precision,
    )
    logits = with_views(
        trained.views, logits, classifier.network, data.validation, trained.normalize, precision=precision
    )
    labels = data.validation.labels[data.validation.indices].cpu()
    found = temperature_scaling((logits, labels), (kept.logits, kept.labels))
    remarks = []
    if bool((logits.argmax(1) == labels).all()):
        remarks.append("Every validation image is classified right, so the temperature says little.")
    if found.loss_after >= found.loss_before:
        remarks.append(
            f"The temperature does not carry over from the {found.fitted_on:,} validation images to the test "
            "set: without it the loss there is no higher."
        )
    return found, remarks


def _blank(classifier: Classifier) -> tuple[Tensor, Tensor]:
    """One picture of zeros and a class, to ask a network something about itself."""
    size, device = classifier.trained.image_size, classifier.device
    return torch.zeros(1, 3, size, size, device=device), torch.zeros(1, dtype=torch.int64, device=device)
