"""The files of a table: what is written comes back, sheets hold plain numbers, pages say what matters."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from cifarlab.errors import UserError
from cifarlab.studies.table import Entry
from cifarlab.studies.table_files import csv_text, markdown, read_table, write_table
from table_samples import accuracy, estimate, full_table, row, table


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


def test_the_paper_table_puts_theirs_beside_ours() -> None:
    text = markdown(full_table())
    assert "| variant | report | ours (n=3) | 95% interval | verdict |" in text
    line = next(line for line in text.splitlines() if line.startswith("| without mixup | 93.71"))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:3] == ["93.71 %", "93.80 ± 0.40%"]
    assert cells[4:] == ["reproduced", "4,935,242", "4.2e+15", "813.4"]
    for said in (
        "mixup helps",
        "underpowered",
        "three seeds are too few",
        "with mixup against without mixup: +1.30 points",
        "mixup's α is 1.0",
        "weight decay and L2 are the same thing",
        "the matrix beside it gives 94.59 %",
        "seed 0: the loss is not finite",
    ):
        assert said in text


def test_numbers_of_a_smoke_run_carry_their_warning() -> None:
    made = table(row("a"), scale="smoke", scale_note="2 epochs", data="digits", official_data=False)
    text = markdown(made)
    assert "This is a smoke run: it shows that the path works and nothing about accuracy." in text
    assert "The data are not those of the report: digits." in text
    assert "smoke" not in markdown(table(row("a")))


def test_a_hostile_label_stays_one_cell() -> None:
    text = markdown(table(row("a | b\n| c | <script>", seeds=1)))
    line = next(line for line in text.splitlines() if line.startswith("| a"))
    assert line.replace("\\|", "").count("|") == 9
    assert "<script>" not in text
