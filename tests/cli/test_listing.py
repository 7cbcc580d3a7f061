"""``cifarlab list``: its contract in JSON, and tables that show no control characters."""

import json
from pathlib import Path
from typing import Any

import pytest

from cifarlab.cli import main
from cifarlab.config import to_json
from cifarlab.data.digits import open_digits
from cifarlab.models import CATALOG, PlainCnn
from cifarlab.recipe import Recipe
from cifarlab.recipes import RECIPES
from cifarlab.run import RunDescription
from study_samples import withhold

HOSTILE = "evil\x1b[31m\x07\nname [bold]x[/bold] [/] :smile:"


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["list", *arguments]) == 0
    shown, complaint = capsys.readouterr()
    assert complaint == ""
    return shown


def write_run(folder: Path, recipe_name: str = "tiny", reason: str | None = None) -> None:
    folder.mkdir(parents=True)
    description = RunDescription(recipe_name, Recipe(PlainCnn()), open_digits().description, 7, "C")
    (folder / "recipe.json").write_text(json.dumps(to_json(description)))
    if reason is not None:
        (folder / "result.json").write_text(json.dumps({"status": "diverged", "reason": reason}))


@pytest.mark.parametrize("what", ["models", "recipes", "reports", "data", "runs"])
def test_json_is_an_array_of_objects_with_names(
    capsys: pytest.CaptureFixture[str], what: str, tmp_path: Path
) -> None:
    write_run(tmp_path / "runs" / "first")
    rows = json.loads(listed(capsys, what, "--json", "--folder", str(tmp_path / "runs")))
    assert isinstance(rows, list)
    assert rows
    assert all(isinstance(row["name"], str) and row["name"] for row in rows)
    assert len({row["name"] for row in rows}) == len(rows)
    fields = {
        "models": {"report", "trainable", "statistics", "total", "flops"},
        "reports": {"items"},
        "recipes": {"report", "data"},
        "data": set(),
        "runs": {"status"},
    }
    assert all(fields[what] <= set(row) for row in rows)
    if what == "reports":
        assert len(rows) == 5
        assert all(isinstance(row["items"], list) for row in rows)


@pytest.mark.parametrize("what", ["models", "recipes", "reports", "data"])
def test_tables_name_everything(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    withhold(monkeypatch, "small-resnets", "grad-cam", "no target is known")
    rows = json.loads(listed(capsys, what, "--json"))
    table = listed(capsys, what)
    assert all(row["name"] in table for row in rows)
    assert table.replace("\n", "").isprintable()
    if what == "models":
        assert "307,498" in table
    if what == "reports":
        assert "SGD's kinds about 8 points above Ada's kinds" in table
        assert "not offered: no target is known" in table
        assert all(item["name"] in table for row in rows for item in row["items"])


def test_no_runs_are_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert listed(capsys, "runs", "--folder", str(tmp_path / HOSTILE)).count("\n") == 1
    assert json.loads(listed(capsys, "runs", "--json", "--folder", str(tmp_path))) == []


def test_runs_are_looked_for_in_the_folder_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "runs" / "mine")
    monkeypatch.chdir(tmp_path)
    assert [row["name"] for row in json.loads(listed(capsys, "runs", "--json"))] == ["mine"]


def test_hostile_names_reach_the_terminal_as_plain_text(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    write_run(tmp_path / HOSTILE.replace("/", ""), HOSTILE, reason=HOSTILE)
    table = listed(capsys, "runs", "--folder", str(tmp_path))
    assert table.replace("\n", "").isprintable()
    assert table.count("\n") == 5
    assert table.count("name [bold]x[") == 2
    assert "[/bold] [/] :smile:" in table
    (row,) = json.loads(listed(capsys, "runs", "--json", "--folder", str(tmp_path)))
    assert (row["name"], row["recipe"]) == (HOSTILE.replace("/", ""), HOSTILE)


@pytest.mark.parametrize(
    "order", [["runs", "--folder", "."], ["--folder", ".", "runs"], ["--folder=.", "runs"]]
)
def test_flags_may_stand_anywhere(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: list[str]
) -> None:
    write_run(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    for arguments in ([*order, "--json"], ["--json", *order]):
        assert [row["name"] for row in json.loads(listed(capsys, *arguments))] == ["mine"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["modles"], "list cannot show 'modles'; did you mean models?"),
        ([], "list: "),
        (["models", "--jsn"], "did you mean --json?"),
        (["models", "recipes"], "list: "),
        (["runs", "--folder"], "list: "),
    ],
    ids=" ".join,
)
def test_wrong_use_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["list", *arguments]) == 2
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert message in complaint
    assert complaint.count("\n") == 1


def test_every_recipe_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["name"] for row in json.loads(listed(capsys, "recipes", "--json"))] == list(RECIPES)


def test_reports_are_listed_in_the_narrowest_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "6")
    assert "  optimizers\n" in listed(capsys, "reports")


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_recipes_are_lines_under_their_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """Names are whole whatever the width; summaries are cut to it."""
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = listed(capsys, "recipes").splitlines()
    headings = [line for line in lines if line and not line.startswith(" ")]
    assert headings == [
        "our own", "tiny-attention", "slim-attention", "small-resnets", "cnn-to-shake-shake", "cbam-aspp",
        "our own",
    ]  # fmt: skip
    names = [line.split()[0] for line in lines if line.startswith("  ")]
    assert names == list(RECIPES)
    assert max(map(len, lines)) <= max(columns, 85)
    assert any(line.endswith("…") for line in lines) or columns == 200


def test_names_of_models_are_never_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    table = listed(capsys, "models")
    assert all(f" {name} " in table for name in CATALOG)
