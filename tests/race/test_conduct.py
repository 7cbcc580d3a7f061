"""A race: what is run in which order, what goes on, and what is refused."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cifarlab.errors import Diverged, Stopped, Unavailable, UserError
from cifarlab.race.official import is_official_cifar10
from cifarlab.race.record import claimed, read_record
from cifarlab.race.tiers import TIERS
from cifarlab.race.verdict import peer_name
from race.fakes import SOURCE, TIER, Lane
from support import stop_at, synthetic_source


def test_pairs_alternate_and_no_seed_is_used_twice(lane: Lane) -> None:
    said: list[str] = []
    record = lane.race(3, against=lane.opponent(), seed_from=7, say=said.append)
    assert lane.log == ["ours 7", "peer 7", "peer 8", "ours 8", "ours 9", "peer 9"]
    assert [pair.first for pair in record.pairs] == ["ours", "peer", "ours"]
    assert [(pair.ours.seconds, pair.peer.seconds) for pair in record.pairs] == [(17, 21), (18, 22), (19, 20)]
    assert [pair.ours.seed for pair in record.pairs] == [pair.peer.seed for pair in record.pairs] == [7, 8, 9]
    assert read_record(lane.path) == record
    assert said[:2] == [
        "pair 1 of 3, demo, seed 7: starts",
        "pair 1 of 3, demo, seed 7: 17.0 s, accuracy 94.30 %",
    ]
    assert said[4] == "pair 2 of 3, rival, seed 8: starts, about 21.0 s by those before"


def test_on_a_cpu_every_run_has_a_process_of_its_own(lane: Lane) -> None:
    record = lane.race(2, against=lane.opponent())
    processes = [run.details["process"] for run in (*record.ours, *record.peers)]
    assert len(set(processes)) == 4
    assert not any(run.details["warm"] for run in record.ours)


def test_on_a_gpu_both_stay_warm_and_take_turns(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as a machine without one can tell: the workers only talk."""
    monkeypatch.setattr("cifarlab.race.conduct.device_named", torch.device)
    monkeypatch.setattr("cifarlab.race.header.hardware", lambda device: {"gpu": "none"})
    tier = replace(TIER, device="cuda")
    record = lane.race(3, against=lane.opponent(), tier=tier, device="cuda:0")
    for outcomes in (record.ours, record.peers):
        assert len({run.details["process"] for run in outcomes}) == 1
        assert all((run.details["device"], run.details["warm"]) == ("cuda:0", True) for run in outcomes)
    assert lane.log == ["ours 0", "peer 0", "peer 1", "ours 1", "ours 2", "peer 2"]


def test_the_file_says_what_was_raced_with(lane: Lane) -> None:
    lane.race(1, against=lane.opponent("its text"), command="cifarlab race tiny")
    document = json.loads(lane.path.read_text())
    assert document["tier"] == "tiny" and document["command"] == "cifarlab race tiny"
    assert document["clock"].startswith("Included: everything")
    assert document["data"]["name"] == "synthetic" and len(document["data"]["test_sha256"]) == 64
    assert document["hardware"]["threads"] == "1" and "torch" in document["versions"]
    assert document["ours"]["recipe"]["epochs"] == 3 and len(document["ours"]["fingerprint"]) == 64
    peer = document["peer"]
    assert (peer["name"], peer["facts"]) == ("rival", {"changes": ["none"]})
    assert peer["sha256"] == hashlib.sha256(b"its text").hexdigest()
    assert document["pairs"][0]["ours"]["seconds"] == 10.0
    assert [path.name for path in lane.path.parent.iterdir() if not path.name.startswith(".")] == [
        "tiny.json"
    ]


def test_a_peer_that_is_edited_during_the_race_ends_it(lane: Lane) -> None:
    lane = lane.behaving(peer="is edited after a run")
    with pytest.raises(UserError, match="runs the peer otherwise than in"):
        lane.race(1, against=lane.opponent())
    assert lane.log == ["ours 0", "peer 0"] and read_record(lane.path).pairs == ()


def test_a_run_that_diverges_is_recorded_and_its_seed_is_used_up(lane: Lane) -> None:
    rival, wild = lane.opponent(), lane.behaving(ours="diverges at 1")
    with pytest.raises(
        Diverged, match=r"pair 2 of 3, demo, seed 1 gave no result: the loss is not finite; it is"
    ):
        wild.race(3, against=rival)
    (failure,) = read_record(lane.path).failures
    assert (failure.side, failure.seed, failure.reason) == ("ours", 1, "the loss is not finite")
    assert failure.other is not None and failure.other.seconds == 21.0  # the peer was first in this pair
    record = wild.race(3, against=rival)
    assert [pair.ours.seed for pair in record.pairs] == [0, 2, 3] and record.failures == (failure,)


def test_stopped_by_the_user_nothing_is_lost(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    rival = lane.opponent()
    with monkeypatch.context() as patch, pytest.raises(Stopped, match="every finished run is kept"):
        stop_at(patch, 9)
        lane.behaving(ours="slow", peer="slow").race(50, against=rival)
    kept = len(lane.log)
    record = lane.race(3, against=rival)
    assert len(record.pairs) == 3 and len(lane.log) in (6, 7), (
        "at most the run that was going on is made again"
    )
    assert kept > 0 and sorted(set(lane.log)) == sorted(
        {f"{side} {n}" for side in ("ours", "peer") for n in range(3)}
    )


def test_a_wrong_script_shows_before_ours_has_run(lane: Lane) -> None:
    with pytest.raises(UserError, match=r"^this is no script of a peer$"):
        lane.behaving(peer="refuses").race(1, against=lane.opponent())
    assert lane.log == [] and not lane.path.exists()


def test_a_second_race_into_the_same_file_is_refused(lane: Lane) -> None:
    refusal = pytest.raises(UserError, match=r"another process races into .*tiny\.json; wait for it")
    with claimed(lane.path), refusal:
        lane.race(1)
    assert len(lane.race(1).runs) == 1


@pytest.mark.parametrize(
    "options", [{"runs": 0}, {"seed_from": -1}, {"device": "cuda:99"}, {"device": "mps"}, {"device": "x"}]
)
def test_wrong_input_leaves_nothing(lane: Lane, options: dict[str, object]) -> None:
    with pytest.raises(UserError):
        lane.race(**options)  # type: ignore[arg-type]
    assert not lane.path.parent.exists()


def test_a_gpu_race_needs_a_gpu(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for device in (None, "cpu"):
        with pytest.raises(UserError, match=r"^gpu94 is raced on "):
            lane.race(1, tier=TIERS["gpu94"], device=device)
    with pytest.raises(UserError, match=r"^tiny is raced on cpu, not on cuda; leave out --device$"):
        lane.race(1, device="cuda")  # whether there is one or not


@pytest.mark.parametrize(
    ("size", "classes", "message"),
    [
        (8, 10, "takes 32 × 32 pixels; these data have 8 × 8"),
        (32, 11, "takes 10 classes; these data have 11"),
    ],
)
def test_data_that_no_peer_takes_are_refused(
    size: int, classes: int, message: str, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = synthetic_source(12, 6, size=size)
    names = tuple(map(str, range(classes)))
    given = replace(given, description=replace(given.description, class_names=names))
    monkeypatch.setattr("cifarlab.race.conduct.open_source", lambda name: given)
    with pytest.raises(UserError, match=message):
        lane.race(1, against=lane.opponent())
    assert not lane.path.parent.exists()
    assert len(lane.race(1).runs) == 1


@pytest.mark.parametrize("side", ["ours", "peer"])
def test_a_run_of_which_its_process_dies_is_recorded(side: str, lane: Lane) -> None:
    """Out of memory, say: the same seed would meet the same end again, and nobody would know."""
    rival = lane.opponent()
    with pytest.raises(Unavailable, match=r"seed 0 gave no result: .* was killed by SIGKILL .*is recorded"):
        lane.behaving(**{side: "is killed"}).race(1, against=rival)
    (failure,) = read_record(lane.path).failures
    assert (failure.side, failure.seed) == (side, 0) and "SIGKILL" in failure.reason
    record = lane.race(1, against=rival)
    assert [pair.ours.seed for pair in record.pairs] == [1] and record.failures == (failure,)


def test_a_worker_that_died_because_the_race_was_stopped_is_no_failure(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival = lane.opponent()
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr("cifarlab.race.racer.LOOK_SECONDS", 30)
        patch.setattr("cifarlab.interrupts.Interrupts.check", stopped_after(lane))
        lane.behaving(ours="is killed").race(1, against=rival)
    assert lane.log == ["ours 0"] and not read_record(lane.path).failures


def stopped_after(lane: Lane) -> Callable[[Any], None]:
    """As if the signal had come while the run went on."""

    def check(self: Any) -> None:
        if lane.log:
            raise Stopped("stopped by a test")

    return check


@pytest.mark.parametrize("against", [True, False])
def test_the_data_that_a_killed_race_has_left_for_its_peer_go(against: bool, lane: Lane) -> None:
    left = lane.path.parent / ".tiny-peer-data"
    left.mkdir(parents=True)
    (left / "train.pt").write_bytes(b"180 megabytes")
    lane.race(1, against=lane.opponent() if against else None)
    assert not left.exists()


def test_a_race_that_is_done_writes_no_data_for_the_peer(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    rival = lane.opponent()
    record = lane.race(1, against=rival)
    monkeypatch.delattr("cifarlab.race.conduct.peer_files")
    assert lane.race(1, against=rival) == record


def test_the_peer_is_called_what_its_adapter_knows_it_by(lane: Lane) -> None:
    record = lane.race(1, against=lane.opponent())
    assert peer_name(record.header) == "rival"
    lane = replace(lane, folder=lane.folder / "edited", peer="was edited")
    edited = lane.race(1, against=lane.opponent())
    assert peer_name(edited.header) == "your own version of known"


def test_the_peer_s_precision_is_told_and_kept(lane: Lane) -> None:
    rival = replace(lane.opponent(), precision="bf16")
    record = lane.race(1, against=rival)
    assert record.peers[0].details["precision"] == "bf16" and record.header["peer"]["precision"] == "bf16"
    with pytest.raises(UserError, match=r'peer\.precision: "bf16" -> "fp32"'):
        lane.race(2, against=replace(rival, precision="fp32"))


def test_a_folder_of_pictures_called_cifar10_is_not_cifar10(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = replace(SOURCE.description, name="cifar10")
    assert is_official_cifar10("cifar10", description)  # opened by its name: checked by open_source
    assert not is_official_cifar10("photographs", SOURCE.description)
    pictures = tmp_path / "cifar10"
    (pictures / "cat").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for path in ("./cifar10", str(pictures), "cifar10[500,100]"):
        assert not is_official_cifar10(path, description)
