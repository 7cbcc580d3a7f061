"""Nothing of a run folder is ever unpickled, and no damaged file of it ends in a traceback."""

import ast
import hashlib
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

import cifarlab
from cifarlab import cli, run
from cifarlab.errors import Stopped, UserError
from cifarlab.predict import predict
from cifarlab.train import train
from support import contents, small_recipe, states, stop_at, synthetic_source

SOURCE = synthetic_source()
FORBIDDEN_MODULES = {
    "pickle",
    "_pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "code",
}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_ATTRIBUTES = {
    ("torch", "load"),
    ("np", "load"),
    ("numpy", "load"),
    ("yaml", "load"),
    ("os", "system"),
}


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, sentinel: Path) -> None:
        self._sentinel = sentinel

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._sentinel,)


def _pickled(sentinel: Path, form: str, scratch: Path) -> bytes:
    if form == "plain":
        return pickle.dumps(Payload(sentinel))
    path = scratch / "payload.pt"
    torch.save({"weights": torch.zeros(2), "payload": Payload(sentinel)}, path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    train(small_recipe(epochs=1), SOURCE, folder, data_argument="digits")
    return folder


@pytest.fixture
def finished(_finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(_finished, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize("form", ["plain", "torch"])
def test_the_payload_works(form: str, tmp_path: Path) -> None:
    """Control: unpickled, it would run."""
    content = _pickled(tmp_path / "ran", form, tmp_path)
    if form == "plain":
        pickle.loads(content)
    else:
        with zipfile.ZipFile(tmp_path / "payload.pt") as archive:
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        assert name
        torch.load(tmp_path / "payload.pt", weights_only=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("form", ["plain", "torch"])
def test_weights_are_not_unpickled(form: str, finished: Path, tmp_path: Path) -> None:
    (finished / run.WEIGHTS).write_bytes(_pickled(tmp_path / "ran", form, tmp_path))
    for attempt in (
        lambda: run.load_network(finished),
        lambda: train(small_recipe(epochs=1), SOURCE, tmp_path / "new", start_from=finished),
        lambda: predict(finished, [tmp_path / "picture.png"], device="cpu"),
    ):
        with pytest.raises(UserError, match="is damaged, or not a file of cifarlab") as error:
            attempt()
        assert "\n" not in str(error.value)
    assert not (tmp_path / "ran").exists() and not (tmp_path / "new").exists()


@pytest.mark.parametrize("form", ["plain", "torch"])
@pytest.mark.parametrize("name", ["old name", "right name"])
def test_states_are_not_unpickled(
    name: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the name of the damaged state, and under that of its own hash."""
    folder, recipe = tmp_path / "run", small_recipe(epochs=1)
    stop_at(monkeypatch, 3)
    with pytest.raises(Stopped):
        train(recipe, SOURCE, folder)
    content = _pickled(tmp_path / "ran", form, tmp_path)
    digest = hashlib.sha256(content).hexdigest()
    for path in states(folder):
        path.write_bytes(content)
        if name == "right name":
            path.rename(path.with_name(f"{path.name[:14]}-{digest}.safetensors"))
    before = contents(folder)
    with pytest.raises(UserError, match="is damaged") as error:
        train(recipe, SOURCE, folder, resume=True)
    assert "\n" not in str(error.value)
    assert contents(folder) == before
    assert not (tmp_path / "ran").exists()


HOSTILE = {
    "empty": b"",
    "a long header": (2**63).to_bytes(8, "little") + b"{}",
    "no header": b"\xff" * 100,
    "deep": len(b"[" * 100_000).to_bytes(8, "little") + b"[" * 100_000,
    "no network": save({"x": torch.zeros(1)}, metadata={"cifarlab": "{}"}),
    "a list": save({"x": torch.zeros(1)}, metadata={"cifarlab": "[1]"}),
    "deep values": save({"x": torch.zeros(1)}, metadata={"cifarlab": "[" * 100_000}),
    "not ours": save({"x": torch.zeros(1)}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_weights_end_in_one_line(
    kind: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (finished / run.WEIGHTS).write_bytes(HOSTILE[kind])
    assert cli.main(["evaluate", str(finished), "--device=cpu"]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and len(printed.err) < 500
    assert not printed.out


def test_no_source_file_can_unpickle_or_evaluate() -> None:
    files = sorted(Path(cifarlab.__file__).parent.rglob("*.py"))
    assert len(files) > 30
    found = [f"{path.name}:{line}: {what}" for path in files for line, what in _forbidden(path.read_text())]
    assert found == []


def _forbidden(text: str) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                found += [(node.lineno, each.name) for each in names if each.name in FORBIDDEN_MODULES]
            case ast.ImportFrom(module=module) if module in FORBIDDEN_MODULES:
                found.append((node.lineno, str(module)))
            case ast.ImportFrom(module=module, names=names):
                pairs = [(str(module), each.name) for each in names]
                found += [(node.lineno, ".".join(pair)) for pair in pairs if pair in FORBIDDEN_ATTRIBUTES]
            case ast.Call(func=ast.Name(id=name)) if name in FORBIDDEN_CALLS:
                found.append((node.lineno, name))
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if (owner, name) in FORBIDDEN_ATTRIBUTES:
                found.append((node.lineno, f"{owner}.{name}"))
            case ast.keyword(arg="allow_pickle" | "shell"):
                found.append((node.value.lineno, str(node.arg)))
    return found


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from pickle import loads",
        "import torch\ntorch.load('x')",
        "from torch import load",
        "eval('1')",
        "import numpy as np\nnp.load('x')",
        "f(allow_pickle=True)",
    ],
)
def test_the_search_finds(text: str) -> None:
    """Control for the test above."""
    assert _forbidden(text)
