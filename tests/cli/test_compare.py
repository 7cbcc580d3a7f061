"""``cifarlab compare``, on copies of a tiny run."""

import json

import pytest

from cifarlab.cli.compare import main
from cifarlab.errors import UserError
from studies.finished_runs import answers, copied, trained

N = 30


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("runs")
    original = trained(folder / "original")
    made = [
        copied(original, folder / "short", answers(N, *range(9)), result__training_flops=1e6),
        copied(original, folder / "long", answers(N, 0), recipe__epochs=7, result__training_flops=7e6),
        copied(
            original,
            folder / "moved",
            answers(N, 0, 1),
            data__test_sha256="0" * 64,
            result__hardware={"processor": "another"},
        ),
    ]
    return [str(each) for each in made]


def test_the_text(
    capsys: pytest.CaptureFixture[str], runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "220")
    main(runs)
    shown, complaint = capsys.readouterr()
    assert complaint == ""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if "│" in line]
    by_name: dict[str, list[str]] = {}
    for row in rows:
        by_name.setdefault(row[0], []).extend(row)
    assert by_name["short"][1:6] == ["small", "synthetic", "0", "30", "70.00% *"]
    assert by_name["long"][5] == "96.67% *"
    assert by_name["short − long"][1] == "-26.67"
    assert by_name["short − long"][4] == "0.0078 (0.0078)"
    assert by_name["short"][9] == "1e+06"
    assert "moved on processor another" in shown
    assert "seconds of different machines do not compare" in shown
    assert "epochs: 1 -> 7" in shown
    warnings = [line for line in shown.splitlines() if line.startswith("warning")]
    assert len(warnings) == 2
    assert "long and moved were judged on different test images" in warnings[1]
    assert "+3.33 points" in warnings[1]


def test_the_json(capsys: pytest.CaptureFixture[str], runs: list[str]) -> None:
    main([*runs, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [each["run"] for each in found["runs"]] == ["short", "long", "moved"]
    first = found["runs"][0]
    assert first["test_accuracy"] == 0.7
    assert first["interval"][0] < 0.7 < first["interval"][1]
    assert first["on_pareto_front"] is True
    assert first["training_flops"] == 1e6
    assert first["parameters"] > 0
    assert [(each["first"], each["second"]) for each in found["comparisons"]] == [("short", "long")]
    assert found["comparisons"][0]["p_images"] == pytest.approx(2 / 2**8)
    assert [(each["first"], each["second"]) for each in found["untested"]] == [
        ("short", "moved"),
        ("long", "moved"),
    ]
    assert found["differences"][0]["lines"] == ["epochs: 1 -> 7"]


@pytest.mark.parametrize("arguments", [[], ["nowhere"], ["nowhere", "neither"]])
def test_wrong_use_is_one_line(arguments: list[str]) -> None:
    with pytest.raises(UserError) as raised:
        main(arguments)
    assert "\n" not in str(raised.value)
