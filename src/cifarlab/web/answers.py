"""The objects of the JSON API, as its OpenAPI page describes them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Problem(_Answer):
    """What every refusal says."""

    detail: str


class RunSummary(_Answer):
    """A run in the list. What a damaged run does not tell is null."""

    name: str
    origin: Literal["given", "runs", "package"]
    status: Literal["finished", "diverged", "unfinished", "damaged"]
    recipe: str | None = None
    data: str | None = None
    network: str | None = None
    seed: int | None = None
    test_accuracy: float | None = None
    interval: tuple[float, float] | None = None
    """95 % interval of the test accuracy."""
    test_images: int | None = None
    usable: bool = False
    """Whether it has weights to classify with."""
    has_report: bool = False
    names_data: bool = False
    """Whether it says what opens its data, for sample and nearest."""


class RunList(_Answer):
    """All runs, and the one that is used where none is named."""

    runs: list[RunSummary]
    default: str | None


class RunDetails(RunSummary):
    """One run."""

    class_names: list[str] = []
    image_size: int | None = None
    epochs: int | None = None
    """That the recipe asks for."""


class Metrics(_Answer):
    """The log of a run: a row of finite numbers per epoch."""

    status: Literal["finished", "diverged", "unfinished", "damaged"]
    epochs: list[dict[str, float]]
    notes: list[str]
    """What the log lacks, in sentences."""


class Prediction(_Answer):
    """What the network says of a picture."""

    class_name: Annotated[str, Field(serialization_alias="class")]
    probabilities: dict[str, float]
    """Softmax probability of every class."""
    picture: str
    """What the network saw, as a PNG data URL."""


class Map(_Answer):
    """A map over the picture: the picture in gray below, dark blue 0, yellow 1."""

    name: str
    overlay: str
    """PNG data URL."""


class Explanation(_Answer):
    """Where the network finds evidence for a class."""

    class_name: Annotated[str, Field(serialization_alias="class")]
    layers: list[str]
    """That Grad-CAM can show, in the order of the forward pass; none for some networks."""
    grad_cam: Map | None
    masks: list[Map]
    """Of attention layers; none for networks without attention."""


class Neighbor(_Answer):
    """A training image that the network sees as similar."""

    index: int
    class_name: Annotated[str, Field(serialization_alias="class")]
    similarity: float
    """Cosine between the inputs of the last dense layer, −1 to 1."""
    picture: str
    """PNG data URL."""


class Neighbors(_Answer):
    """The most similar training images, the most similar first."""

    neighbors: list[Neighbor]
    searched: int
    """Among so many training images."""
    training_images: int


class Sample(_Answer):
    """A test image of the run's data set."""

    index: int
    class_name: Annotated[str, Field(serialization_alias="class")]
    picture: str
    """PNG data URL."""
