"""The tutorial notebook: it runs from top to bottom, and what it says of its own output is so."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("onnxscript")

NOTEBOOK = Path(__file__).parents[1] / "docs" / "tutorial.ipynb"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a kernel that is this interpreter, known nowhere but in this test."""
    folder = tmp_path / "jupyter" / "kernels" / "this-python"
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specification = {"argv": command, "display_name": "this Python", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(specification))
    for name, place in {
        "JUPYTER_PATH": "jupyter",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
    }.items():
        (tmp_path / place).mkdir(exist_ok=True)
        monkeypatch.setenv(name, str(tmp_path / place))
    return folder.name


def text_of(cell: Any) -> str:
    """What a cell printed, to either stream."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_the_tutorial_runs_and_says_what_is_so(kernel: str, tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (tmp_path / "work").mkdir()
    client = nbclient.NotebookClient(
        notebook, kernel_name=kernel, timeout=120, resources={"metadata": {"path": str(tmp_path / "work")}}
    )
    client.execute()  # raises what a cell raised

    said = "\n".join(text_of(cell) for cell in notebook.cells if cell.cell_type == "code")
    assert "Warning" not in said
    shares = [float(share) for share in re.findall(r": ([\d.]+)% of 450 test images", said)]
    assert len(shares) == 2
    difference = re.search(r"with-batch-norm − without: ([+-][\d.]+) points", said)
    assert difference and float(difference[1]) == pytest.approx(shares[0] - shares[1], abs=0.2)
    onnx = re.search(r"the file says ([\d.]+)%; counted again with onnxruntime: ([\d.]+)%", said)
    assert onnx and float(onnx[1]) == shares[0] == float(onnx[2])
    pictures = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 5, "digits, curves, a picture and two maps"
    for run in ("with-batch-norm", "without"):
        assert (tmp_path / "work" / "tutorial" / run / "result.json").is_file()


def test_the_tutorial_is_committed_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    assert not re.search(r"/(home|root|tmp|work)/", NOTEBOOK.read_text())
