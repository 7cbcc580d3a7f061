"""A record that is gone on with: what is prolonged, what is refused, and half pairs."""

import json
from dataclasses import replace
from datetime import datetime

import pytest

from cifarlab.errors import Unavailable, UserError
from cifarlab.race.summary import summarize
from cifarlab.race.verdict import raised_text
from cifarlab.views import TestTimeViews
from race.fakes import TIER, Lane
from support import small_recipe, synthetic_source


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


def test_half_a_pair_of_an_older_record_is_taken(lane: Lane) -> None:
    rival = lane.opponent()
    lane.race(1, against=rival)
    document = json.loads(lane.path.read_text())
    del document["ours"]["recipe"]["views"]
    document["ours"]["fingerprint"] = "of a recipe without them"
    lane.path.write_text(json.dumps(document))
    with pytest.raises(Unavailable):
        lane.behaving(ours="is stopped").race(2, against=rival)
    assert lane.path.with_suffix(".half.json").exists()
    assert len(lane.race(2, against=rival).pairs) == 2


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


def test_a_setting_that_came_after_a_record_has_its_default_there(lane: Lane) -> None:
    lane.race(1)
    document = json.loads(lane.path.read_text())
    del document["ours"]["recipe"]["views"]
    document["ours"]["fingerprint"] = "of a recipe without them"
    lane.path.write_text(json.dumps(document))
    assert len(lane.race(2).runs) == 2
    with pytest.raises(UserError, match="views"):
        lane.race(3, recipe=replace(small_recipe(), views=TestTimeViews()))


def test_half_a_pair_waits_for_its_other_half(lane: Lane) -> None:
    rival = lane.opponent()
    with pytest.raises(Unavailable, match="rival was killed by SIGTERM before it gave an outcome"):
        lane.behaving(peer="is stopped").race(1, against=rival)
    assert lane.log == ["ours 0", "peer 0"]
    record = lane.race(1, against=rival)
    assert lane.log == ["ours 0", "peer 0", "peer 0"]
    assert len(record.pairs) == 1 and record.pairs[0].first == "ours"
    assert not lane.path.with_suffix(".half.json").exists()


def test_half_a_pair_without_a_header_is_damaged(lane: Lane) -> None:
    rival = lane.opponent()
    with pytest.raises(Unavailable):
        lane.behaving(peer="is stopped").race(1, against=rival)
    half = lane.path.with_suffix(".half.json")
    half.write_text(json.dumps({**json.loads(half.read_text()), "header": []}))
    with pytest.raises(UserError, match=r"tiny\.half\.json is damaged: header must be an object"):
        lane.race(1, against=rival)


def test_half_a_pair_of_another_race_is_not_taken(lane: Lane) -> None:
    rival = lane.opponent()
    with pytest.raises(Unavailable):
        lane.behaving(peer="is stopped").race(1, against=rival)
    lane.path.unlink()
    with pytest.raises(UserError, match=r"tiny\.half\.json is half a pair of another race"):
        lane.race(1, against=rival, recipe=small_recipe(epochs=4))
