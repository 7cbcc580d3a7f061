"""The rows of pictures that explain single images."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from cifarlab.data.batches import DeviceSplit
from cifarlab.explain.attribution import heat, integrated_gradients, occlusion
from cifarlab.explain.explanation import ExplainedPicture, Neighbor, Panel
from cifarlab.explain.gradcam import grad_cam
from cifarlab.explain.masks import attention_masks
from cifarlab.explain.nearest import TrainingIndex
from cifarlab.explain.overlay import overlay_png, picture_png
from cifarlab.explain.subjects import Subject
from cifarlab.predict import Classifier

Item = TypeVar("Item")

NEIGHBORS = 5
_SHOWN_SIZE = 128
"""About how many pixels a picture is wide in its file."""


class Gallery:
    """PNG files under names that follow from what they show and from their content."""

    def __init__(self, image_size: int) -> None:
        self.files: dict[str, bytes] = {}
        self._zoom = max(1, round(_SHOWN_SIZE / image_size))

    def picture(self, name: str, pixels: Tensor) -> str:
        """Keep a picture, uint8 ``[3, S, S]``; returns its file's name."""
        return self._keep(name, picture_png(pixels, self._zoom))

    def overlay(self, name: str, pixels: Tensor, heat_map: Tensor) -> str:
        """Keep a picture under its heat map, float ``[S, S]``; returns its file's name."""
        return self._keep(name, overlay_png(pixels, heat_map, self._zoom))

    def _keep(self, name: str, content: bytes) -> str:
        file = f"{name}-{hashlib.sha256(content).hexdigest()[:12]}.png"
        self.files[file] = content
        return file


def explained(
    subjects: Sequence[Subject],
    classifier: Classifier,
    layers: Sequence[str],
    masks: int | None,
    training: tuple[TrainingIndex, DeviceSplit] | None,
    gallery: Gallery,
) -> tuple[ExplainedPicture, ...]:
    """Explain each of ``subjects``, all together in a few passes; their files go into ``gallery``.

    Args:
        subjects: at least one.
        classifier: the network.
        layers: whose Grad-CAM is shown, from early to late.
        masks: at most so many attention masks are shown; None for all.
        training: the training images to look for neighbors in, and their index; None where they are gone.
        gallery: takes the pictures.
    """
    network, names = classifier.network, classifier.trained.class_names
    images = classifier.normalized(torch.stack([each.pixels for each in subjects]))
    said = torch.tensor([each.said for each in subjects])
    truth = torch.tensor([each.said if each.truth is None else each.truth for each in subjects])
    cams = grad_cam(network, images, said, layers)
    for_truth = grad_cam(network, images, truth, layers[-1:])
    attention = attention_masks(network, images)
    shown_masks = evenly(list(attention), masks)
    gradients = heat(integrated_gradients(network, images, said))
    covers = heat(occlusion(network, images, said))

    def picture(place: int, subject: Subject) -> ExplainedPicture:
        stem = subject.stem

        def panel(title: str, what: str, heat_map: Tensor) -> Panel:
            return Panel(title, gallery.overlay(f"{stem}-{what}", subject.pixels, heat_map))

        return ExplainedPicture(
            name=subject.name,
            file=gallery.picture(f"{stem}-input", subject.pixels),
            said=names[subject.said],
            confidence=subject.confidence,
            truth=None if subject.truth is None else names[subject.truth],
            grad_cam=tuple(
                panel(layer, f"grad-cam-{number}", cams[layer][place])
                for number, layer in enumerate(layers, 1)
            ),
            for_truth=None
            if subject.truth is None or not layers
            else panel(layers[-1], "grad-cam-truth", for_truth[layers[-1]][place]),
            masks=tuple(
                panel(_with_range(title, mask), f"mask-{number}", _stretched(mask))
                for number, title in enumerate(shown_masks, 1)
                for mask in (attention[title][place],)
            ),
            integrated_gradients=panel("integrated gradients", "gradients", gradients[place]),
            occlusion=panel("occlusion", "occlusion", covers[place]),
            neighbors=neighbors(place, stem),
        )

    nearest = training[0].nearest(images, NEIGHBORS) if training else None

    def neighbors(place: int, stem: str) -> tuple[Neighbor, ...]:
        if training is None or nearest is None:
            return ()
        split, rows = training[1], zip(nearest[0][place].tolist(), nearest[1][place].tolist(), strict=True)
        return tuple(
            Neighbor(
                index,
                names[int(split.labels[index])],
                similarity,
                gallery.picture(f"{stem}-nearest-{number}", split.images[index]),
            )
            for number, (index, similarity) in enumerate(rows, 1)
        )

    return tuple(picture(place, subject) for place, subject in enumerate(subjects))


def evenly(items: Sequence[Item], at_most: int | None) -> tuple[Item, ...]:
    """Up to ``at_most`` (from 2 on) of the items, the first and the last among them, at even distances."""
    if at_most is None or len(items) <= at_most:
        return tuple(items)
    return tuple(items[round(place * (len(items) - 1) / (at_most - 1))] for place in range(at_most))


def _with_range(title: str, mask: Tensor) -> str:
    return f"{title}: {float(mask.min()):.2f} to {float(mask.max()):.2f}"


def _stretched(mask: Tensor) -> Tensor:
    """A mask ``[S, S]`` from 0 at its smallest to 1 at its largest value, for most lie close together."""
    low, high = mask.aminmax()
    return (mask - low) / (high - low) if high > low else torch.zeros_like(mask)
