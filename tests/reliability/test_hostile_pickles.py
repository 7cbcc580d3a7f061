"""A hostile pickle in a CIFAR archive is refused, and nothing that it asks for happens."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from cifar_samples import BY_FOLDER, files
from cifarlab.data.cifar.official import OfficialArchive
from cifarlab.data.cifar.pickles import read_pickled_dict
from cifarlab.errors import UserError
from reliability.hostile_pickles import programs, values_of
from reliability.mutations import little_memory

PYTHON = [BY_FOLDER["cifar-10-batches-py"], BY_FOLDER["cifar-100-python"]]


@pytest.mark.parametrize("name", programs(Path("sentinel")))
def test_every_hostile_program_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    content = programs(tmp_path / "ran")[name]
    with little_memory(8), pytest.raises(UserError) as caught:
        read_pickled_dict(content, "data_batch_1")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", values_of(Path("sentinel")))
def test_the_payloads_work(name: str, tmp_path: Path) -> None:
    """Control: unpickled, each would run."""
    pickle.loads(values_of(tmp_path / "ran")[name])
    assert (tmp_path / "ran").exists()


def test_nothing_runs_wherever_the_program_stands(tmp_path: Path) -> None:
    """Every program in the place of every file, under an audit hook that sees all that Python does."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]),
        "CIFARLAB_CACHE": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-m", "reliability.hostile_pickles", str(tmp_path / "work")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["seen"] == {}
    places = sum(len(archive.files) for archive in PYTHON)
    assert found["refused"] == places * len(programs(Path("x"))) > 500
    assert {"import", "open", "os.system", "subprocess.Popen"} <= set(found["control"])
    assert not (tmp_path / "work" / "ran").exists()


@pytest.mark.parametrize("archive", PYTHON, ids=lambda archive: archive.folder)
def test_the_honest_files_are_read(archive: OfficialArchive) -> None:
    """Control: what the programs are put in the place of."""
    for name, content in files(archive).items():
        assert read_pickled_dict(content, name)
