"""What ``list reports`` knows: every item, its cost, and what of it is done."""

from pathlib import Path

import pytest

from cifarlab import offers
from cifarlab.studies.estimates import estimate
from cifarlab.studies.items import ITEMS
from cifarlab.studies.table import Claim, Entry, ItemTable, Row
from cifarlab.studies.table_files import write_table


def item_of(rows: list[dict[str, object]], report: str, name: str) -> dict[str, object]:
    (row,) = (row for row in rows if row["name"] == report)
    items = row["items"]
    assert isinstance(items, list)
    (item,) = (item for item in items if item["name"] == name)
    assert isinstance(item, dict)
    return item


def test_every_item_with_claim_and_cost(tmp_path: Path) -> None:
    rows = offers.reports(tmp_path, slowness=1.0)
    assert [row["number"] for row in rows] == ["000", "001", "002", "003", "004"]
    assert {row["name"]: [item["name"] for item in row["items"]] for row in rows} == {
        report: list(items) for report, items in ITEMS.items()
    }
    for row in rows:
        for item in row["items"]:
            assert item["claim"]
            assert item["done"] == {}
            if item["not_offered"]:
                assert item["seconds"] is None
            elif item["runs"]:
                assert item["seconds"]["smoke"] < item["seconds"]["short"] < item["seconds"]["full"]
                assert item["seconds"]["short"] <= 3600
            else:
                assert set(item["seconds"].values()) == {0.0}


def test_a_slow_machine_takes_longer(tmp_path: Path) -> None:
    def short(slowness: float) -> float:
        item = item_of(offers.reports(tmp_path, slowness), "small-resnets", "schedules")
        seconds = item["seconds"]
        assert isinstance(seconds, dict)
        return float(seconds["short"])

    assert short(3.0) == pytest.approx(3 * short(1.0))


def test_what_is_done(tmp_path: Path) -> None:
    ours = estimate([0.9])
    entries = (
        Entry("test_accuracy", "C", ours, None, "not comparable", "why"),
        Entry("val_accuracy", "C", ours),
    )
    claims = (Claim("text", "where", "what", ours, None, "not comparable", "why"),)
    table = ItemTable(
        "small-resnets",
        "schedules",
        "title",
        "question",
        "smoke",
        "note",
        (0,),
        "photos",
        False,
        (Row("row", "resnet24", entries),),
        claims=claims,
    )
    write_table(table, tmp_path / "small-resnets" / "schedules-smoke-on-photos")
    broken = tmp_path / "small-resnets" / "penalties-short"
    broken.mkdir()
    (broken / "table.json").write_text("{")
    rows = offers.reports(tmp_path, 1.0)
    done = item_of(rows, "small-resnets", "schedules")["done"]
    assert done == {"smoke": [{"seeds": 1, "data": "photos", "verdicts": {"not comparable": 2}}]}
    assert item_of(rows, "small-resnets", "penalties")["done"] == {}
