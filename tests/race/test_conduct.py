"""A race: what is run in which order, what goes on, and what is refused."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch

from cifarlab.errors import Diverged, Stopped, Unavailable, UserError
from cifarlab.race.official import is_official_cifar10
from cifarlab.race.record import claimed, read_record
from cifarlab.race.summary import summarize
from cifarlab.race.tiers import TIERS
from cifarlab.race.verdict import peer_name, raised_text
from race.fakes import SOURCE, TIER, Lane
from support import small_recipe, stop_at, synthetic_source


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


def test_it_goes_on_where_it_was_and_is_prolonged(lane: Lane) -> None:
    first = lane.race(2, command="the first")
    assert first.header["command"] == "the first" and len(first.runs) == 2
    assert summarize(first, TIER).times_raised == 0
    more = lane.race(3, command="the second")
    assert more.runs[:2] == first.runs and [run.seed for run in more.runs] == [0, 1, 2]
    assert more.header["command"] == "the first"
    asked = [(each["command"], each["runs"]) for each in more.header["commands"]]
    assert asked == [("the first", 2), ("the second", 3)]
    times = [datetime.fromisoformat(each["time"]) for each in more.header["commands"]]
    assert times[0] <= times[1] and times[0].tzinfo is not None
    assert summarize(more, TIER).times_raised == 1
    assert raised_text(summarize(more, TIER)) == "the number of runs was raised 1 time"
    before, said = lane.path.read_bytes(), list[str]()
    assert lane.race(3, command="the third", say=said.append) == more
    assert said == [f"{lane.path} holds 3 runs already"] and lane.path.read_bytes() == before
    assert lane.log == ["ours 0", "ours 1", "ours 2"]


def test_what_would_not_belong_together_is_refused(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    rival = lane.opponent()
    lane.race(1, against=rival)
    before, log = lane.path.read_bytes(), lane.log

    def refused(message: str, **options: object) -> None:
        with pytest.raises(UserError) as refusal:
            lane.race(2, **{"against": rival, **options})
        assert message in str(refusal.value) and "choose another --out" in str(refusal.value)
        assert lane.path.read_bytes() == before and lane.log == log

    refused("ours.recipe.epochs: 3 -> 4", recipe=small_recipe(epochs=4))
    refused("peer: ", against=None)
    refused("peer.epochs: null -> 2", against=replace(rival, epochs=2))
    lane.opponent("another text")
    refused("peer.sha256: ")
    lane.opponent()
    lane = lane.behaving(peer="changes its batch size")
    refused('changes.0: "none" -> "changes its batch size"')
    with monkeypatch.context() as patch:
        patch.setattr("cifarlab.race.conduct.open_source", lambda name: synthetic_source(15, 6, size=32))
        refused("data.train_images: 12 -> 15")
    monkeypatch.setattr("cifarlab.race.header.hardware", lambda device: {"processor": "another"})
    refused("hardware.processor: ")


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


def test_half_a_pair_waits_for_its_other_half(lane: Lane) -> None:
    rival = lane.opponent()
    with pytest.raises(Unavailable, match="rival was killed by SIGTERM before it gave an outcome"):
        lane.behaving(peer="is stopped").race(1, against=rival)
    assert lane.log == ["ours 0", "peer 0"]
    record = lane.race(1, against=rival)
    assert lane.log == ["ours 0", "peer 0", "peer 0"]
    assert len(record.pairs) == 1 and record.pairs[0].first == "ours"
    assert not lane.path.with_suffix(".half.json").exists()


def test_half_a_pair_of_another_race_is_not_taken(lane: Lane) -> None:
    rival = lane.opponent()
    with pytest.raises(Unavailable):
        lane.behaving(peer="is stopped").race(1, against=rival)
    lane.path.unlink()
    with pytest.raises(UserError, match=r"tiny\.half\.json is half a pair of another race"):
        lane.race(1, against=rival, recipe=small_recipe(epochs=4))


@pytest.mark.parametrize(
    "options", [{"runs": 0}, {"seed_from": -1}, {"device": "cuda:99"}, {"device": "mps"}, {"device": "x"}]
)
def test_wrong_input_leaves_nothing(lane: Lane, options: dict[str, object]) -> None:
    with pytest.raises(UserError):
        lane.race(**options)  # type: ignore[arg-type]
    assert not lane.path.parent.exists()


def test_a_gpu_race_needs_a_gpu(lane: Lane) -> None:
    for device in (None, "cpu"):
        with pytest.raises(UserError, match=r"^gpu94 is raced on "):
            lane.race(1, tier=TIERS["gpu94"], device=device)
    with pytest.raises(UserError, match=r"^tiny is raced on cpu, not on cuda; leave out --device$"):
        lane.race(1, device="cuda")  # whether there is one or not


def test_a_peer_of_another_image_size_is_refused(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    small = synthetic_source(12, 6, size=8)
    monkeypatch.setattr("cifarlab.race.conduct.open_source", lambda name: small)
    with pytest.raises(UserError, match="takes 32 × 32 pixels; these data have 8 × 8"):
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
