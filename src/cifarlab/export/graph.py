"""The ONNX export: one graph from bytes to probabilities, which any ONNX runtime can run.

Input ``images``: uint8 ``[N, 3, S, S]``, RGB, N free. Outputs ``probabilities`` and ``logits``: float32
``[N, classes]``. Normalization, test-time views and softmax are part of the graph; the network is in
evaluation mode, and the exporter folds each BatchNorm that follows a convolution into it. Without cifarlab,
for a run of 32 × 32 pixels whose pictures were cut to a square (the usual way):

    import numpy as np, onnxruntime as ort, PIL.ImageOps as ops
    pixels = np.array(ops.fit(ops.Image.open("photo.png").convert("RGB"), (32, 32), ops.Image.LANCZOS))
    print(ort.InferenceSession("model.onnx").run(None, {"images": pixels.transpose(2, 0, 1)[None]})[0])

The metadata (``get_modelmeta().custom_metadata_map``) tell the class names, the recipe, the data, the
accuracy, and what else was done to the training pictures, such as the EXIF rotation.
"""

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from cifarlab.augment import Normalization
from cifarlab.config import to_json
from cifarlab.errors import Unavailable, UserError
from cifarlab.export.check import check
from cifarlab.export.facts import Facts, preparation_in_words
from cifarlab.predict import Classifier
from cifarlab.views import TestTimeViews

OPSET = 20
"""The version of ONNX's operators, of 2023."""
MARK = "cifarlab"
"""The key by which a file of ours is known; its value is the version that wrote it."""


class FromBytes(nn.Module):
    """A network behind its normalization, asked by its views, and before its temperature and a softmax."""

    def __init__(
        self,
        network: nn.Module,
        normalize: Normalization,
        temperature: float = 1.0,
        views: TestTimeViews | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.normalize = normalize
        self.temperature = temperature
        self.views = views

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 ``[N, 3, S, S]`` to probabilities and logits, float32 ``[N, classes]``."""
        normalized = self.normalize.apply(images)
        logits = self.network(normalized).float()
        if self.views is not None:
            # A graph asks again for all pictures and takes the answer for those that are unsure. One whose
            # first answer lies at the limit to the last bits may be taken the other way than by torch.
            average = self.views.average(logits, self.network, normalized)
            logits = torch.where(self.views.asks_again(logits)[:, None], average, logits)
        logits = logits / self.temperature
        return logits.softmax(1), logits


def require_onnx() -> None:
    """Raise a UserError unless the extra ``export`` is installed."""
    try:
        import onnx  # noqa: F401, PLC0415 - an extra: loaded when asked for
        import onnxruntime  # noqa: F401, PLC0415
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        raise UserError("ONNX is not installed; run: pip install 'cifarlab[export]'") from error


def encode(classifier: Classifier, facts: Facts) -> bytes:
    """The content of an ONNX file, checked against the network itself.

    Raises:
        Unavailable: the graph does not compute what the network does.
    """
    trained = classifier.trained
    whole = FromBytes(classifier.network, trained.normalize, trained.temperature, trained.views).eval()
    model = trace(whole, trained.image_size)
    strip(model)
    for key, value in metadata(classifier, facts).items():
        model.metadata_props.add(key=key, value=value)
    content: bytes = model.SerializeToString(deterministic=True)
    check(content, whole, trained.image_size)
    return content


def trace(whole: FromBytes, image_size: int) -> Any:
    """The ``onnx.ModelProto`` that torch's exporter makes of the network.

    Raises:
        Unavailable: the exporter fails.
    """
    images = torch.zeros(2, 3, image_size, image_size, dtype=torch.uint8)
    whole.normalize.apply(images)  # so that the constants it keeps are numbers, not the exporter's stand-ins
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                whole,
                (images,),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=["images"],
                output_names=["probabilities", "logits"],
                dynamic_shapes=({0: torch.export.Dim("N")},),
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise Unavailable(
            f"torch {torch.__version__} cannot export this network to ONNX; try another version of torch"
        ) from error
    assert program is not None  # it is None for the old exporter alone
    return program.model_proto


def strip(model: Any) -> None:
    """Remove what the exporter notes of source files and their places: equal networks have equal files."""
    graph = model.graph
    model.doc_string = graph.doc_string = ""
    for part in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        part.doc_string = ""
        del part.metadata_props[:]


def metadata(classifier: Classifier, facts: Facts) -> dict[str, str]:
    """What the file says of itself, key to text; JSON where it is not plain."""
    trained, description = classifier.trained, facts.description
    values = {
        MARK: facts.cifarlab,
        "class_names": list(trained.class_names),
        "image_size": trained.image_size,
        "preparation": to_json(trained.preparation),
        "preparation_in_words": preparation_in_words(trained.preparation),
        "normalization": to_json(trained.normalize),
        "recipe_name": description.recipe_name,
        "run": to_json(description),
        **facts.result,
    }
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for name, value in values.items()
    }
    return dict(sorted(texts.items()))


def is_ours(content: bytes) -> bool:
    """Whether the content is that of such an export, so that a new one may replace it."""
    import onnx  # noqa: PLC0415 - an extra: loaded when asked for

    try:
        model = onnx.load_model_from_string(content)
    except Exception:  # whatever its parser makes of a file that is none
        return False
    return any(each.key == MARK for each in model.metadata_props)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks about itself, torch's deprecations and packages that are not needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
