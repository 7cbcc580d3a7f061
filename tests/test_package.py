"""The package as a whole: every module can be imported, and importing does nothing."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import cifarlab

IMPORT_EVERYTHING = """
import importlib, json, pkgutil, random, sys
import matplotlib, matplotlib.font_manager, numpy, rich.style, sklearn, torch  # what these do is not ours
import cifarlab
import os
torch.manual_seed(5), random.seed(5), numpy.random.seed(5)
def state():
    return [
        torch.get_rng_state().tolist(), repr(random.getstate()), numpy.random.get_state()[1].tolist(),
        torch.get_num_threads(), str(torch.get_default_dtype()), torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark,
        torch.get_float32_matmul_precision(), sorted(os.environ), os.getcwd(),
        matplotlib.get_backend(auto_select=False),
    ]
before = state()
names = [module.name for module in pkgutil.walk_packages(cifarlab.__path__, "cifarlab.")]
for name in names:
    importlib.import_module(name)
changed = [place for place, pair in enumerate(zip(before, state())) if pair[0] != pair[1]]
print(json.dumps({"names": names, "changed": changed}))
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, str]:
    """What importing every module left: names, global state that changed, a home folder, what was printed."""
    home = tmp_path_factory.mktemp("home")
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "CIFARLAB_CACHE": str(home / "cifarlab"),
        "MPLCONFIGDIR": str(tmp_path_factory.mktemp("matplotlib")),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path_factory.mktemp("inductor")),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING],
        capture_output=True,
        text=True,
        cwd=home,
        env=environment,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    *printed, found = done.stdout.splitlines()
    return json.loads(found), home, "".join(printed) + done.stderr


def test_every_module_can_be_imported(imported: tuple[dict[str, Any], Path, str]) -> None:
    folder = Path(cifarlab.__file__).parent
    expected = {
        ".".join(["cifarlab", *path.relative_to(folder).with_suffix("").parts]).removesuffix(".__init__")
        for path in folder.rglob("*.py")
    } - {"cifarlab"}
    assert set(imported[0]["names"]) == expected  # so every folder is a package, too
    assert "cifarlab.models.plain_cnn" in expected


def test_importing_changes_no_global_state(imported: tuple[dict[str, Any], Path, str]) -> None:
    assert imported[0]["changed"] == []


def test_importing_prints_nothing_and_leaves_no_file(imported: tuple[dict[str, Any], Path, str]) -> None:
    _, home, printed = imported
    assert printed == ""
    assert list(home.rglob("*")) == []


def test_the_version_is_the_one_that_is_declared() -> None:
    project = Path(__file__).parents[1] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == cifarlab.__version__
