"""A race: what is run in which order, what goes on, and what is refused."""

import hashlib
import json
from dataclasses import replace

import pytest
import torch

from cifarlab.errors import Diverged, Stopped, Unavailable, UserError
from cifarlab.race.record import claimed, read_record
from cifarlab.race.tiers import TIERS
from race.fakes import TIER, Lane
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
        "pair 1 of 3, demo, seed 7: 17.0 s, accuracy 94.30%",
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
    more = lane.race(3, command="the second")
    assert more.runs[:2] == first.runs and [run.seed for run in more.runs] == [0, 1, 2]
    assert more.header["command"] == "the second"
    before, said = lane.path.read_bytes(), list[str]()
    assert lane.race(3, command="the third", say=said.append) == replace(
        more, header={**more.header, "command": "the third"}
    )
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
    with pytest.raises(Unavailable, match="rival was killed by SIGKILL before it gave an outcome"):
        lane.behaving(peer="is killed").race(1, against=rival)
    assert lane.log == ["ours 0", "peer 0"]
    record = lane.race(1, against=rival)
    assert lane.log == ["ours 0", "peer 0", "peer 0"]
    assert len(record.pairs) == 1 and record.pairs[0].first == "ours"
    assert not lane.path.with_suffix(".half.json").exists()


def test_half_a_pair_of_another_race_is_not_taken(lane: Lane) -> None:
    rival = lane.opponent()
    with pytest.raises(Unavailable):
        lane.behaving(peer="is killed").race(1, against=rival)
    lane.path.unlink()
    with pytest.raises(UserError, match=r"tiny\.half\.json is half a pair of another race"):
        lane.race(1, against=rival, recipe=small_recipe(epochs=4))


@pytest.mark.parametrize(
    "options", [{"runs": 0}, {"seed_from": -1}, {"device": "cuda:99"}, {"device": "mps"}]
)
def test_wrong_input_leaves_nothing(lane: Lane, options: dict[str, object]) -> None:
    with pytest.raises(UserError):
        lane.race(**options)  # type: ignore[arg-type]
    assert not lane.path.parent.exists()


def test_a_gpu_race_needs_a_gpu(lane: Lane) -> None:
    for device in (None, "cpu"):
        with pytest.raises(UserError, match=r"^gpu94 is raced on "):
            lane.race(1, tier=TIERS["gpu94"], device=device)


def test_a_peer_of_another_image_size_is_refused(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    small = synthetic_source(12, 6, size=8)
    monkeypatch.setattr("cifarlab.race.conduct.open_source", lambda name: small)
    with pytest.raises(UserError, match="takes 32 × 32 pixels; these data have 8 × 8"):
        lane.race(1, against=lane.opponent())
    assert len(lane.race(1).runs) == 1


def test_the_record_of_another_version_is_refused(lane: Lane) -> None:
    lane.race(1)
    lane.path.write_text(lane.path.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(UserError, match="one of another version"):
        lane.race(2)
    lane.path.write_text("[]")
    with pytest.raises(UserError, match="no file of a race"):
        lane.race(2)


def test_a_damaged_record_is_refused(lane: Lane) -> None:
    lane.race(1)
    text = lane.path.read_text()
    lane.path.write_text(text.replace('"accuracy": 0.94', '"accuracy": 94'))
    with pytest.raises(UserError, match=r"is damaged: accuracy must lie in 0 … 1, found 94"):
        lane.race(2)
