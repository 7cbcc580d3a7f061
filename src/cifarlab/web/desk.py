"""The work of the inference thread: opened networks and data sets, and what is asked of them.

Nothing in here may be called from two threads.
"""

import base64
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor

from cifarlab import run
from cifarlab.data.batches import DeviceSplit
from cifarlab.data.pictures import Preparation
from cifarlab.data.sources import open_source
from cifarlab.data.split import Source
from cifarlab.errors import printable
from cifarlab.explain.gradcam import grad_cam, layers_of
from cifarlab.explain.masks import attention_masks
from cifarlab.explain.nearest import TrainingIndex
from cifarlab.explain.overlay import overlay_png, picture_png
from cifarlab.own_data import OwnData, own_data, own_source
from cifarlab.predict import Classifier
from cifarlab.runtime import generator
from cifarlab.web import answers
from cifarlab.web.faults import NoSuchThing, RunFault

NETWORKS_KEPT, DATA_SETS_KEPT = 4, 2
SEARCHED_IMAGES = 5_000
"""Of a larger training set a random part is searched, so that the first answer comes soon."""
OVERLAY_PIXELS = 256

Kept = TypeVar("Kept")


class Desk:
    """Answers about pictures, from networks that are opened when asked for and kept for a while."""

    def __init__(self, device: str = "auto") -> None:
        self._device = device
        self._classifiers = _Recent[Classifier](NETWORKS_KEPT)
        self._sources = _Recent[Source](DATA_SETS_KEPT)
        self._indices = _Recent[TrainingIndex](NETWORKS_KEPT)

    def predict(self, folder: Path, content: bytes) -> answers.Prediction:
        """The class of the picture file ``content`` and the probability of every class.

        Raises:
            UserError: not a picture that can be read.
            RunFault: the run cannot be used.
        """
        classifier, pixels = self._prepared(folder, content)
        shares = self._logits(classifier, pixels).double().softmax(1)[0]
        names = _class_names(classifier)
        return answers.Prediction(
            class_name=names[int(shares.argmax())],
            probabilities=dict(zip(names, shares.tolist(), strict=True)),
            picture=data_url(picture_png(pixels[0], zoom=1)),
        )

    def explain(
        self, folder: Path, content: bytes, layer: str | None, class_name: str | None
    ) -> answers.Explanation:
        """Where ``layer`` (None: the last) finds evidence for a class (None: the likeliest), and the masks.

        Raises:
            UserError: not a picture that can be read.
            NoSuchThing: no such layer or class.
            RunFault: the run cannot be used.
        """
        classifier, pixels = self._prepared(folder, content)
        names, layers = _class_names(classifier), layers_of(classifier.network)
        if layer is not None and layer not in layers:
            raise NoSuchThing("this network has no such layer; an answer without one lists them")
        if class_name is not None and class_name not in names:
            raise NoSuchThing("this network has no such class")
        best = (
            int(self._logits(classifier, pixels).argmax()) if class_name is None else names.index(class_name)
        )
        images, zoom = classifier.normalized(pixels), max(1, OVERLAY_PIXELS // pixels.shape[-1])

        def drawn(name: str, heat: Tensor) -> answers.Map:
            return answers.Map(name=name, overlay=data_url(overlay_png(pixels[0], heat[0], zoom)))

        shown = layer or (layers[-1] if layers else None)
        target = torch.tensor([best], device=classifier.device)
        maps = grad_cam(classifier.network, images, target, [shown]) if shown else {}
        masks = attention_masks(classifier.network, images)
        return answers.Explanation(
            class_name=names[best],
            layers=list(layers),
            grad_cam=drawn(shown, maps[shown]) if shown else None,
            masks=[drawn(name, mask) for name, mask in masks.items()],
        )

    def nearest(self, folder: Path, content: bytes, count: int) -> answers.Neighbors:
        """The ``count`` training images that the network sees as most like the picture.

        Raises:
            UserError: not a picture that can be read.
            RunFault: the run cannot be used, or its data are not at hand.
        """
        classifier, pixels = self._prepared(folder, content)
        training = self._data_of(folder, classifier).training
        index = self._indices.get(
            _state_of(folder),
            lambda: TrainingIndex.build(classifier.network, _part(training), classifier.trained.normalize),
        )
        places, similarities = index.nearest(classifier.normalized(pixels), count)
        names = _class_names(classifier)
        found = [
            answers.Neighbor(
                index=place,
                class_name=names[int(training.labels[place])],
                similarity=similarity,
                picture=data_url(picture_png(training.images[place], zoom=1)),
            )
            for place, similarity in zip(places[0].tolist(), similarities[0].tolist(), strict=True)
        ]
        return answers.Neighbors(neighbors=found, searched=len(index.indices), training_images=len(training))

    def sample(self, folder: Path, index: int) -> answers.Sample:
        """A test image of the run's data set; ``index`` counts round and round.

        Raises:
            RunFault: the run cannot be used, or its data are not at hand.
        """
        classifier = self._classifier(folder)
        test = self._data_of(folder, classifier).test
        place = index % len(test)
        return answers.Sample(
            index=place,
            class_name=_class_names(classifier)[int(test.labels[place])],
            picture=data_url(picture_png(test.images[place], zoom=1)),
        )

    def _classifier(self, folder: Path) -> Classifier:
        with RunFault.instead("this run's network cannot be used"):
            return self._classifiers.get(_state_of(folder), lambda: Classifier.open(folder, self._device))

    def _prepared(self, folder: Path, content: bytes) -> tuple[Classifier, Tensor]:
        """The run's network and the picture as it takes it, uint8 ``[1, 3, S, S]``."""
        classifier = self._classifier(folder)
        return classifier, classifier.decode(content, "sent").unsqueeze(0)

    def _logits(self, classifier: Classifier, pixels: Tensor) -> Tensor:
        with RunFault.instead("this run's network gives no finite answer"):
            return classifier.logits(pixels)

    def _data_of(self, folder: Path, classifier: Classifier) -> OwnData:
        with RunFault.instead("this run's data are not at hand"):
            return own_data(folder, own_source(folder, self._open), classifier.device)

    def _open(self, name: str, preparation: Preparation) -> Source:
        return self._sources.get((name, preparation), lambda: _in_memory(name, preparation))


class _Recent(Generic[Kept]):
    """The last few things that were made, by what they were made from."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        if key not in self._kept:
            self._kept[key] = make()  # first: where it fails, nothing is pushed out
            if len(self._kept) > self._count:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def data_url(png: bytes) -> str:
    """A PNG as text that stands for it in a page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _in_memory(argument: str, preparation: Preparation) -> Source:
    """A data set that is read once, however many runs of it are shown."""
    source = open_source(argument, preparation)
    return replace(source, read_train=cache(source.read_train), read_test=cache(source.read_test))


def _part(training: DeviceSplit) -> DeviceSplit:
    """At most ``SEARCHED_IMAGES`` of the training images, the same each time."""
    order = torch.randperm(len(training), generator=generator(0, "searched images"))
    chosen = order[:SEARCHED_IMAGES].sort().values.to(training.indices.device)
    return replace(training, indices=training.indices[chosen])


def _state_of(folder: Path) -> tuple[Path, int]:
    """Changes when the run's weights do."""
    try:
        return folder, (folder / run.WEIGHTS).stat().st_mtime_ns
    except OSError:
        return folder, 0  # whoever opens them says what is wrong


def _class_names(classifier: Classifier) -> list[str]:
    return [printable(name) for name in classifier.trained.class_names]
