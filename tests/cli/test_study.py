"""``cifarlab study``: its flags, one small study from end to end, and what it says of what is wrong."""

import json
import sys
from pathlib import Path

import pytest

from cifarlab.cli import main
from cifarlab.cli.parsing import with_whole_flags
from cifarlab.errors import UserError

SMALL = [
    *["--recipe.model.widths", "4", "4", "8", "--recipe.train-images", "60", "--recipe.batch-size", "10"],
    *["--recipe.epochs", "1", "--device", "cpu"],
]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_small_study_from_end_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = ["study", "demo", "--vary", "optimizer.lr", "0.01,0.001", "--seeds", "2", *SMALL]
    assert main(study) == 0
    printed = capsys.readouterr().out
    assert printed.count(": finished, test accuracy") == 4
    assert "demo, seed 1, protocol C, optimizer.lr=0.001: starts" in printed
    folder = tmp_path / "lab" / "studies" / "demo-optimizer.lr"
    table = json.loads((folder / "table.json").read_text())
    assert (table["scale"], table["seeds"], table["data"]) == ("own", [0, 1], "digits")
    assert [row["label"] for row in table["rows"]] == ["optimizer.lr=0.01", "optimizer.lr=0.001"]
    for row in table["rows"]:
        results = [json.loads((tmp_path / "runs" / run / "result.json").read_text()) for run in row["runs"]]
        assert [result["seed"] for result in results] == [0, 1]
        accuracy = next(each for each in row["entries"] if each["quantity"] == "test_accuracy")
        assert accuracy["ours"]["values"] == [result["test_accuracy"] for result in results]
        assert accuracy["ours"]["mean"] == pytest.approx(sum(accuracy["ours"]["values"]) / 2)
    assert len(table["comparisons"]) == 1
    assert table["command"].startswith("cifarlab study demo --vary optimizer.lr 0.01,0.001")
    assert (tmp_path / "lab" / "studies" / "report.html").is_file()
    assert "table: lab/studies/demo-optimizer.lr/table.md" in printed

    monkeypatch.setattr("cifarlab.study.draw_figures", lambda *arguments: ())  # they take seconds
    wider = ["study", "demo", "--vary", "optimizer.lr=0.01,0.1", "--seeds", "2", "--name", "wider", *SMALL]
    assert main(wider) == 0
    printed = capsys.readouterr().out
    assert printed.count(": found in demo-seed") == 2 and printed.count(": starts") == 2
    assert len(list((tmp_path / "runs").iterdir())) == 6
    assert (tmp_path / "lab" / "studies" / "wider" / "table.csv").is_file()


def test_runs_that_give_no_result_are_in_the_table_and_in_the_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cifarlab.study.draw_figures", lambda *arguments: ())
    study = ["study", "demo", "--vary", "optimizer.lr", "0.01,1e30", "--seeds", "1", *SMALL]
    assert main(study) == 1
    captured = capsys.readouterr()
    assert captured.err == "cifarlab: 1 of 2 runs gave no result; the table says why\n"
    assert "diverged" in captured.out
    assert main(study) == 1
    assert capsys.readouterr().out.count("starts") == 0  # to diverge is a result


@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        (["demo", "--vary", "a.b", "1,2"], ["demo", "--vary", "a.b=1,2"]),
        (["--vary", "a", "-1,1", "demo"], ["--vary", "a=-1,1", "demo"]),
        (["--vary", "a=1", "--vary", "b", "2", "demo"], ["--vary", "a=1", "--vary", "b=2", "demo"]),
        (["demo", "--cluster"], ["demo", "--cluster", "local"]),
        (["--cluster", "demo"], ["--cluster", "local", "demo"]),
        (["demo", "--cluster", "--seeds", "2"], ["demo", "--cluster", "local", "--seeds", "2"]),
        (["demo", "--cluster", "10.0.0.1:6379"], ["demo", "--cluster", "10.0.0.1:6379"]),
        (["demo", "--cluster", "auto"], ["demo", "--cluster", "auto"]),
    ],
)
def test_flags_are_brought_to_one_word(arguments: list[str], whole: list[str]) -> None:
    assert with_whole_flags(arguments) == whole


def test_a_field_without_values_is_refused() -> None:
    with pytest.raises(UserError, match="--vary batch_size needs values"):
        with_whole_flags(["demo", "--vary", "batch_size", "--seeds", "2"])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["demmo"], "no recipe is called 'demmo'; did you mean demo?"),
        ([], "study needs a recipe"),
        (["demo", "--vary", "optimizer.rl", "1"], "optimizer.rl: no such field; did you mean lr?"),
        (["demo", "--vary", "batch_size", "big"], "batch_size: expected int, found 'big'"),
        (["demo", "--vary", "batch_size", "8,8"], "batch_size=8 is there twice"),
        (["demo", "--vary", "batch_size"], "--vary batch_size needs values"),
        (["demo", "--seeds", "0"], "seeds must be at least 1"),
        (["demo", "--jobs", "0"], "jobs must be at least 1"),
        (["demo", "--name", "../x"], "the name of a study is that of a folder"),
        (["demo", "--name", ".hidden"], "the name of a study is that of a folder"),
        (["demo", "--name", "report.html"], "the name of a study is that of a folder"),
        (["demo", "--name", "x" * 300], "the name of a study is that of a folder"),
        (["demo", "--data", "no/where"], "no/where"),
        (["demo", "--device", "cuda:99"], "the device 'cuda:99' is not available here"),
        (["demo", "--sedes", "2"], "did you mean --seeds?"),
    ],
)
def test_wrong_use_is_one_line_and_makes_nothing(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", *arguments]) == 2
    said = capsys.readouterr().err
    assert complaint in said and said.count("\n") == 1
    assert not list(tmp_path.rglob("recipe.json")) and not (tmp_path / "lab").exists()


def test_a_network_that_cannot_be_built_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "demo", "--vary", "train_images", "1000000", "--seeds", "1", *SMALL]) == 2
    assert "no run could be made" in capsys.readouterr().err


def test_without_ray_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["study", "demo", "--cluster", *SMALL]) == 2
    assert capsys.readouterr().err == "cifarlab: Ray is not installed; run: pip install 'cifarlab[cluster]'\n"


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["study", "--help"])
    assert not end.value.code
    shown = capsys.readouterr().out
    for flag in ("--vary FIELD V1,V2", "--cluster [ADDRESS]", "--seeds", "--jobs", "--runs", "--out"):
        assert flag in shown
