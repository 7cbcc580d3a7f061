"""The ONNX export of every family of networks answers as the network itself, and carries what it must."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cifarlab
from cifarlab.augment import MeanImage, Normalization
from cifarlab.config import to_json
from cifarlab.errors import Unavailable, UserError
from cifarlab.export import export, graph
from cifarlab.models import (
    CATALOG,
    Aspp,
    Cbam,
    FastCnn,
    LeNet,
    Model,
    PlainCnn,
    ResNet,
    SlimAttention,
    TinyAttention,
)
from cifarlab.predict import Classifier
from cifarlab.run import read_description
from cifarlab.views import TestTimeViews
from export_samples import SKEWED, answers, colored_digits, untrained_run
from models.narrow import NARROW

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

# Families but LeNet, which the views have, and Shake-Shake; `make soak` exports every structure.
FAMILIES: dict[str, tuple[Model, Normalization]] = {
    "plain-cnn": (PlainCnn((8, 8, 16), batch_norm=True, dropout=(0.1, 0.2, 0.3)), SKEWED),
    "resnet-cbam-aspp": (
        ResNet((1, 1), (8, 16), attention=Cbam(ratio=2), head=Aspp(width=8)),
        MeanImage(),
    ),
    "tiny-attention": (TinyAttention(width=8, depths=(1, 1, 1), last_units=0, unit="basic"), SKEWED),
    "slim-attention": (SlimAttention(width=2), SKEWED),
    "fast-cnn": (FastCnn((8, 8, 16)), SKEWED),
}


@pytest.fixture(scope="module")
def lenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = untrained_run(tmp_path_factory.mktemp("runs") / "lenet", LeNet())
    export(folder)
    return folder


def assert_same_answers(folder: Path, file: Path) -> None:
    """Batches of any size, logits within 1e-4, the same class on 1,000 pictures."""
    classifier = Classifier.open(folder, "cpu")
    for size in (1, 2, 7, 64, 1000):
        pixels = colored_digits(size)
        expected = classifier.logits(pixels)
        probabilities, logits = answers(file, pixels)
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)
        torch.testing.assert_close(probabilities, expected.softmax(1), rtol=0, atol=1e-4)
        assert torch.equal(logits.argmax(1), expected.argmax(1))
    assert len(expected.argmax(1).unique()) > 1, "a network that tells nothing apart shows no difference"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_graph_answers_as_the_network(family: str, tmp_path: Path) -> None:
    model, normalize = FAMILIES[family]
    folder = untrained_run(tmp_path / "run", model, normalize)
    assert_same_answers(folder, export(folder))


@pytest.mark.parametrize("unsure", [0.4, pytest.param(1.0, marks=pytest.mark.soak)])
def test_the_graph_asks_by_the_network_s_views(unsure: float, tmp_path: Path) -> None:
    """Also where it must choose picture by picture."""
    folder = untrained_run(tmp_path / "run", LeNet(), SKEWED, TestTimeViews(1, unsure))
    assert_same_answers(folder, export(folder))
    asked = Classifier.open(folder, "cpu")
    plain = replace(asked, trained=replace(asked.trained, views=None)).logits(colored_digits(64))
    changed = int(((asked.logits(colored_digits(64)) - plain).abs().amax(1) > 1e-3).sum())
    assert changed == 64 if unsure == 1 else 5 < changed < 59


@pytest.mark.soak
@pytest.mark.parametrize("name", [*NARROW, *CATALOG])
def test_every_network_s_graph_answers_as_the_network(name: str, tmp_path: Path) -> None:
    model = NARROW[name] if name in NARROW else CATALOG[name][1]
    folder = untrained_run(tmp_path / "run", model, MeanImage() if "slim" in name else SKEWED)
    assert_same_answers(folder, export(folder))


def test_the_input_is_bytes_of_any_number_of_pictures(lenet: Path) -> None:
    session = onnxruntime.InferenceSession(lenet / "model.onnx", providers=["CPUExecutionProvider"])
    (images,) = session.get_inputs()
    assert (images.name, images.type, images.shape) == ("images", "tensor(uint8)", ["N", 3, 32, 32])
    assert [(each.name, each.type, each.shape) for each in session.get_outputs()] == [
        ("probabilities", "tensor(float)", ["N", 10]),
        ("logits", "tensor(float)", ["N", 10]),
    ]
    for wrong in (np.zeros((1, 3, 32, 32), np.float32), np.zeros((1, 3, 28, 28), np.uint8)):
        with pytest.raises(Exception, match="INVALID_ARGUMENT"):
            session.run(None, {"images": wrong})


def test_the_metadata_tell_all_about_the_run(lenet: Path) -> None:
    session = onnxruntime.InferenceSession(lenet / "model.onnx", providers=["CPUExecutionProvider"])
    told = session.get_modelmeta().custom_metadata_map
    description = read_description(lenet)
    assert json.loads(told["class_names"]) == list("0123456789")
    assert json.loads(told["run"]) == to_json(description)
    assert json.loads(told["preparation"]) == to_json(description.data.preparation)
    assert json.loads(told["normalization"]) == to_json(SKEWED)
    assert (told["cifarlab"], told["recipe_name"]) == (cifarlab.__version__, "sample")
    assert (float(told["test_accuracy"]), told["test_images"], told["image_size"]) == (0.5, "450", "32")
    assert json.loads(told["interval"]) == [0.45, 0.55]
    assert "bilinear" in told["preparation_in_words"] and "32 × 32" in told["preparation_in_words"]


def test_nothing_of_this_machine_is_in_the_file(lenet: Path) -> None:
    content = (lenet / "model.onnx").read_bytes()
    for place in (
        Path(cifarlab.__file__).parent,
        Path(torch.__file__).parent,
        lenet,
        Path.home(),
        Path.cwd(),
    ):
        assert str(place).encode() not in content
    assert b".py" not in content and b"stack_trace" not in content
    assert {(each.domain, each.version) for each in onnx.load(lenet / "model.onnx").opset_import} == {
        ("", graph.OPSET)
    }


def test_another_process_writes_the_same_bytes_and_no_remarks(lenet: Path, tmp_path: Path) -> None:
    folder = untrained_run(tmp_path / "elsewhere", LeNet())
    done = subprocess.run(
        [sys.executable, "-m", "cifarlab", "export", "elsewhere"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("wrote elsewhere/model.onnx (") and done.stdout.count("\n") == 1
    assert (folder / "model.onnx").read_bytes() == (lenet / "model.onnx").read_bytes()


def test_the_network_answers_as_before_after_an_export(tmp_path: Path) -> None:
    """torch's exporter computes with stand-ins for tensors; none may stay in what normalization keeps."""
    from cifarlab.augment.normalize import _constants

    _constants.cache_clear()
    whole = graph.FromBytes(LeNet().build(10, 32), SKEWED).eval()
    graph.trace(whole, 32)
    pixels = colored_digits(2)
    assert type(SKEWED.apply(pixels)) is torch.Tensor
    assert whole(pixels)[1].detach().numpy().shape == (2, 10)


SNIPPET = "".join(
    line[4:] for line in str(graph.__doc__).splitlines(keepends=True) if line.startswith("    ")
)


def test_three_lines_without_cifarlab_give_its_answer(lenet: Path, tmp_path: Path) -> None:
    assert SNIPPET.count("\n") == 3 and "cifarlab" not in SNIPPET
    colors = np.random.RandomState(0).randint(0, 256, (15, 15, 3), dtype=np.uint8)
    picture = Image.fromarray(colors).resize((150, 150), Image.Resampling.BICUBIC)
    picture.save(tmp_path / "photo.png")
    (tmp_path / "model.onnx").write_bytes((lenet / "model.onnx").read_bytes())
    hidden = "import sys; sys.modules['cifarlab'] = sys.modules['torch'] = None\n"
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", hidden + SNIPPET],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    printed = [float(word) for word in done.stdout.replace("[", " ").replace("]", " ").split()]
    expected = _with_lanczos(lenet, tmp_path / "photo.png")
    assert printed == pytest.approx(expected, abs=1e-4)
    assert max(printed) < 0.999, "a saturated softmax would hide a difference"


def _with_lanczos(folder: Path, picture: Path) -> list[float]:
    """cifarlab's own answer, were the digits enlarged by the filter that is the default for photographs."""
    classifier = Classifier.open(folder, "cpu")
    preparation = replace(classifier.trained.preparation, resample="lanczos")
    lanczos = replace(classifier, trained=replace(classifier.trained, preparation=preparation))
    pixels = lanczos.decode(picture.read_bytes(), picture.name)
    return [float(value) for value in lanczos.logits(pixels[None]).softmax(1)[0]]


def _changed_weight(model: Any) -> None:
    largest = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    values = np.frombuffer(largest.raw_data, np.float32) * 1.01
    largest.raw_data = values.astype(np.float32).tobytes()


def _not_a_number(model: Any) -> None:
    for each in model.graph.initializer:
        if each.data_type == onnx.TensorProto.FLOAT:
            each.raw_data = np.full(len(each.raw_data) // 4, np.nan, np.float32).tobytes()


def _fixed_batch(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2


def _swapped_outputs(model: Any) -> None:
    first, second = model.graph.output
    first.name, second.name = second.name, first.name
    for node in model.graph.node:
        swapped = {"logits": "probabilities", "probabilities": "logits"}
        node.output[:] = [swapped.get(name, name) for name in node.output]
        node.input[:] = [swapped.get(name, name) for name in node.input]


def _unknown_operator(model: Any) -> None:
    model.graph.node[0].op_type = "NoSuchOperator"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_changed_weight, "its logits differ from the network's by"),
        (_swapped_outputs, "its logits differ from the network's by"),
        (_not_a_number, "its logits differ from the network's by nan"),
        (_fixed_batch, "it cannot be run"),
        (_unknown_operator, "it cannot be run: No Op registered for NoSuchOperator"),
    ],
)
def test_a_graph_that_is_not_the_network_s_is_not_published(
    spoil: Callable[[Any], None], reason: str, lenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = untrained_run(tmp_path / "run", LeNet())
    model = onnx.load(lenet / "model.onnx")
    del model.metadata_props[:]
    spoil(model)
    monkeypatch.setattr(graph, "trace", lambda whole, image_size: model)
    before = sorted(folder.iterdir())
    with pytest.raises(Unavailable) as caught:
        export(folder)
    assert reason in str(caught.value) and "nothing was written" in str(caught.value)
    assert caught.value.exit_code == 1 and str(caught.value).isprintable()
    assert sorted(folder.iterdir()) == before


def test_the_spoiled_graphs_would_pass_unspoiled(
    lenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control."""
    folder = untrained_run(tmp_path / "run", LeNet())
    model = onnx.load(lenet / "model.onnx")
    del model.metadata_props[:]
    monkeypatch.setattr(graph, "trace", lambda whole, image_size: model)
    assert export(folder).read_bytes() == (lenet / "model.onnx").read_bytes()


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_is_said_in_one_line(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = untrained_run(tmp_path / "run", LeNet())
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=r"ONNX is not installed; run: pip install 'cifarlab\[export\]'"):
        export(folder)
    assert not (folder / "model.onnx").exists()


def test_a_network_that_the_exporter_does_not_know_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: Any, **options: Any) -> None:
        raise torch.onnx.errors.OnnxExporterError("many\nlines")

    folder = untrained_run(tmp_path / "run", LeNet())
    monkeypatch.setattr(torch.onnx, "export", fails)
    with pytest.raises(Unavailable, match="cannot export this network to ONNX"):
        export(folder)
