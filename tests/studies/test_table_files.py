"""The files of a table: what is written comes back, sheets hold plain numbers, pages say what matters."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from cifarlab.errors import UserError
from cifarlab.studies.table import Entry
from cifarlab.studies.table_files import csv_text, read_table, write_table
from table_samples import accuracy, estimate, full_table, row, table


def test_intervals_keep_what_pages_cut_off() -> None:
    wide = replace(accuracy(0.9), ours=estimate(0.3, 0.7))
    (line,) = csv.DictReader(io.StringIO(csv_text(table(row("a", entries=(wide,))))))
    assert float(line["low"]) < 0
    assert float(line["high"]) > 1


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    write_table(full_table(), tmp_path / "new" / "folder")
    assert read_table(tmp_path / "new" / "folder") == full_table()


def test_equal_tables_give_equal_files(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_table(full_table(), tmp_path / name)
    files = [{p.name: p.read_bytes() for p in (tmp_path / n).iterdir()} for n in ("first", "second")]
    assert set(files[0]) == {"table.json", "table.csv", "table.md"}
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": 2}, "schema 2"),
        ({"rows": 3}, "expected a list"),
        ({"scale": "huge"}, "huge"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_damaged_table_is_refused_by_name(tmp_path: Path, change: dict[str, object], says: str) -> None:
    write_table(full_table(), tmp_path)
    path = tmp_path / "table.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match=says) as caught:
        read_table(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": 1}', "\x00"])
def test_what_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "table.json").write_text(text)
    with pytest.raises(UserError):
        read_table(tmp_path)


def test_not_a_number_is_refused(tmp_path: Path) -> None:
    write_table(table(row("a", seeds=1, training_seconds=12.5)), tmp_path)
    path = tmp_path / "table.json"
    path.write_text(path.read_text().replace("12.5", "NaN"))
    with pytest.raises(UserError, match="damaged"):
        read_table(tmp_path)


def test_the_sheet_has_one_line_per_entry_and_every_digit() -> None:
    values = (0.1 + 0.2, 1 / 3)
    two = (replace(accuracy(0.5), ours=estimate(*values)), Entry("best_epoch", "C", estimate(7.0)))
    made = table(row("a, b", entries=two), row("nothing", entries=(), failures=("seed 0: diverged",)))
    lines = list(csv.DictReader(io.StringIO(csv_text(made))))
    assert [(line["row"], line["quantity"]) for line in lines] == [
        ("a, b", "test_accuracy"),
        ("a, b", "best_epoch"),
        ("nothing", ""),
    ]
    assert tuple(map(float, lines[0]["values"].split())) == values
    assert float(lines[0]["mean"]) == estimate(*values).mean
    assert lines[0]["n"] == "2"
    assert lines[1]["low"] == ""
    assert lines[2]["failures"] == "seed 0: diverged"
