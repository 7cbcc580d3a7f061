"""A peer's worker as the race meets it: a process, and lines of JSON."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cifarlab.race.peers.worker import main
from cifarlab.race.racer import Limits, Racer
from race.peer_samples import MUON, TEST, write_data

LIMITS = Limits(start=120, run=120)


def worker(**order: Any) -> Racer:
    command = [sys.executable, "-m", "cifarlab.race.peers.worker", json.dumps(order)]
    return Racer("the peer", command, stays=True, limits=LIMITS)


@pytest.mark.parametrize(("asked", "precision"), [({}, "fp32"), ({"precision": "bf16"}, "bf16")])
def test_a_process_serves_runs_and_leaves_nothing(
    asked: dict[str, str], precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, rooms = tmp_path / "copy.py", tmp_path / "rooms"
    script.write_text(MUON.replace("time.sleep(", "float("))
    data = write_data(tmp_path / "data")
    rooms.mkdir()
    monkeypatch.setenv("TMPDIR", str(rooms))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = sorted(path.read_bytes() for path in data.iterdir())
    with worker(
        script=str(script),
        data=str(data),
        device="cpu",
        warm_up=True,
        epochs=2,
        batch_size=10,
        **asked,
    ) as racer:
        racer.start()
        assert racer.facts["peer"] == "airbench94_muon.py"
        assert racer.facts["published"] == {"accuracy": 0.9401, "seconds": 2.59}
        assert racer.facts["precision"] == precision and racer.facts["as_published"] is False
        assert racer.facts["warm_up_seconds"] is None  # nothing is compiled on a CPU
        outcomes = [racer.run(seed) for seed in (5, 5)]
        assert [path.name for path in rooms.iterdir() if path.name.startswith("cifarlab-peer-")]
    assert outcomes[0].accuracy == outcomes[1].accuracy
    assert outcomes[0].details["precision"] == precision
    assert outcomes[0].details["steps"] == 8 and outcomes[0].accuracy * TEST % 1 == 0
    assert not [path for path in rooms.iterdir() if path.name.startswith("cifarlab-peer-")]
    assert sorted(path.read_bytes() for path in data.iterdir()) == before


def test_the_only_gpu_has_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``cuda``, as the tiers say it; torch selects a device by its number alone."""
    told: list[dict[str, Any]] = []
    talk = SimpleNamespace(ready=told.append, seeds=list)  # in which no run is asked for
    script = tmp_path / "copy.py"
    script.write_text(MUON)
    order = {"script": str(script), "data": str(write_data(tmp_path / "data")), "device": "cuda"}
    monkeypatch.setattr("sys.argv", ["worker", json.dumps({**order, "warm_up": False})])
    monkeypatch.setattr("cifarlab.race.peers.worker.Conversation", lambda: talk)
    monkeypatch.setattr("cifarlab.race.peers.worker.Contestant", lambda *arguments: None)
    monkeypatch.setattr("cifarlab.race.peers.worker.device_named", torch.device)
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    main()
    assert [facts["peer"] for facts in told] == ["airbench94_muon.py"]


@pytest.mark.parametrize(
    ("script", "order", "message"),
    [
        (MUON, {}, "there is no train.pt"),
        ("print(1)", {}, "this is none of the scripts that a race can run"),
        (MUON, {"epochs": 0}, "more than 0 epochs"),
        (MUON, {"device": "cuda:99"}, "the device 'cuda:99' is not available"),
        (MUON, {"speed": 1}, "speed"),
        (MUON, {"precision": "fp16"}, "precision"),
    ],
)
def test_a_wrong_order_ends_in_one_line(
    script: str,
    order: dict[str, Any],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "copy.py"
    path.write_text(script)
    whole = {"script": str(path), "data": str(tmp_path), "device": "cpu", "warm_up": False, **order}
    monkeypatch.setattr("sys.argv", ["worker", json.dumps(whole)])
    monkeypatch.setattr("cifarlab.race.peers.worker.Conversation", object)
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2 and not said.out
    assert said.err.startswith("cifarlab: ") and said.err.count("\n") == 1 and message in said.err
