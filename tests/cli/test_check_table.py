"""``cifarlab check-table`` on reports, JSON and CSV."""

import dataclasses
import json
import re
from pathlib import Path
from typing import get_args

import pytest

from cifarlab import cli
from cifarlab.cli.check_table import main
from cifarlab.errors import UserError
from cifarlab.studies.table_check.facts import Fact

SIZES = """images,train accuracy (%),test accuracy (%)
50000,99.59,92.01
25000,96.43,89.08
12500,95.86,87.15
6250,95.86,84.61
3120,94.38,79.34
1560,{},{}
"""


def table(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def rules(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    main([*arguments, "--json"])
    return [each["rule"] for each in json.loads(capsys.readouterr().out)]


def test_a_report_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    main(["small-resnets"])
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "report 002, figure 15: the diagonal holds 9,459 of 10,000 images, which is 94.59 %, where 94.43 % is"
        " stated [trace]"
    )
    assert second.endswith("[spent]")


def test_json_is_an_array_of_rule_where_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    main(["slim-attention", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [set(each) for each in found] == [{"rule", "where", "message"}] * 2


def test_a_json_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = '{"facts": [{"type": "Improvement", "where": "a\\u001b[31m", "before": 2.0, "after": 1.0}]}'
    for name in ("table.json", "table", "table.txt"):
        assert rules(capsys, table(tmp_path, name, text)) == ["improvement"]
    main([table(tmp_path, "table.json", text)])
    assert "\x1b" not in capsys.readouterr().out
    main([table(tmp_path, "clean.json", "{}")])
    assert capsys.readouterr().out == "no errors found\n"


def test_a_csv_with_swapped_columns(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert rules(capsys, table(tmp_path, "a.csv", SIZES.format(51.57, 94.29))) == ["swapped"]
    assert rules(capsys, table(tmp_path, "a.csv", SIZES.format(94.29, 51.57))) == []
    assert rules(capsys, table(tmp_path, "a.tsv", SIZES.format(51.57, 94.29).replace(",", "\t"))) == [
        "swapped"
    ]


def test_a_csv_with_a_number_of_images(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = table(tmp_path, "a.csv", "model,accuracy\nours,95.001\ntheirs,91.0\n")
    assert rules(capsys, path) == []
    assert rules(capsys, path, "--images", "10000") == ["count"]
    close = table(tmp_path, "b.csv", "model;acc\nours;0.951\ntheirs;0.950\nnone;\n")
    assert rules(capsys, close, "--images", "1000") == ["ranking"]
    phases = table(tmp_path, "c.csv", "phase,train_acc,val_acc,test_acc\n3,74.92,80.63,72.92\n")
    assert rules(capsys, phases, "--images", "10000") == ["mode", "mode"]
    wrong = table(tmp_path, "d.csv", "model,accuracy\nours,951.0 %\n")
    assert rules(capsys, wrong) == ["range"]


def test_a_csv_with_parameters_and_probabilities(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = table(tmp_path, "a.csv", 'model,parameters\nResNet10,"4,903,242"\nresnet24,"4,935,243"\nother,7\n')
    assert rules(capsys, path) == ["parameters"]
    assert rules(capsys, table(tmp_path, "b.csv", "angle,probability\n0,0.89\n30,0.12\n")) == ["sum"]


def test_a_confusion_matrix(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = table(tmp_path, "m.csv", ",cat,dog,frog\ncat,8,1,1\ndog,2,8,0\nfrog,0,0,9\n")
    assert rules(capsys, path) == ["row-sum"]  # frog alone has 9
    assert rules(capsys, path, "--images", "30") == ["row-sum", "row-sum"]


DOCUMENTATION = Path(__file__).parents[2] / "docs" / "table-format.md"


def test_the_examples_of_the_documentation(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```", DOCUMENTATION.read_text(encoding="utf-8"), re.M | re.S)
    main([table(tmp_path, "a.csv", blocks[0])])
    assert capsys.readouterr().out == blocks[1]
    assert rules(capsys, table(tmp_path, "b.json", blocks[2])) == ["change", "sum"]


def test_the_documentation_names_every_fact() -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    lines = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.M))
    assert set(lines) == {each.__name__ for each in get_args(Fact)}
    for each in get_args(Fact):
        names = {field.name for field in dataclasses.fields(each)} - {"where"}
        assert all(f"`{name}`" in lines[each.__name__] for name in names), each.__name__


def test_the_exit_codes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["check-table", "cbam-aspp"]) == 0
    assert cli.main(["check-table", table(tmp_path, "a.json", "{}")]) == 0
    assert cli.main(["check-table", table(tmp_path, "a.json", "{")]) == 2
    assert capsys.readouterr().err.startswith("cifarlab: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", ""),
        ("a.csv", "accuracy\n"),
        ("a.csv", "model,accuracy\nours\n"),
        ("a.csv", "model,accuracy\nours,many\n"),
        ("a.csv", 'model,accuracy\n"ours,95\n'),
        ("a.csv", "model,accuracy\nours,9\x005\n"),
        ("a.csv", "model,colour\nours,red\n"),
        ("a.csv", ",cat,dog\ncat,1,x\ndog,1,1\n"),
        ("a.csv", ",cat,dog\ncat,1,-1\ndog,1,1\n"),
        ("a.csv", "model,accuracy\nours," + "9" * 200_000 + "\n"),
        ("a.json", "{"),
        ("a.json", "[[[["),
        ("a.json", "null"),
        ("a", "{]"),
    ],
)
def test_malformed_files_are_one_line(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(UserError) as raised:
        main([table(tmp_path, name, text)])
    message = str(raised.value)
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) < 500


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required"),
        (["smal-resnets"], "did you mean small-resnets"),
        (["nothing.csv"], "no such file"),
        (["small-resnets", "--images", "3"], "for a CSV"),
        (["small-resnets", "--images", "0"], "count"),
    ],
)
def test_wrong_use(arguments: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        main(arguments)
