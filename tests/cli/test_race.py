"""``cifarlab race``: its flags, what it prints of a race, and what it says of wrong use."""

import json
import os
import signal
from functools import partial
from pathlib import Path

import pytest

from cifarlab.cli import main
from cifarlab.race import conduct
from race.fakes import Lane, no_data, no_peaks
from race.peer_samples import SAMPLES
from support import contents, small_recipe


@pytest.fixture(autouse=True)
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lane:
    """A working directory in which races are run by workers that only talk."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cifarlab.race.conduct.open_source", no_data)
    monkeypatch.setattr("cifarlab.race.conduct.machine_peaks", no_peaks)
    lane = Lane(tmp_path)
    faked = partial(
        conduct.race, our_worker=lane.worker("well"), peer_worker=lane.worker("well"), recipe=small_recipe()
    )
    monkeypatch.setattr("cifarlab.race.conduct.race", faked)
    Path("airbench94_muon.py").write_text(SAMPLES["airbench94_muon.py"])
    Path("rubbish.py").write_text("a script")
    return lane


def cells(printed: str, name: str) -> list[str]:
    """The row of the table that begins with ``name``, without it."""
    row = next(line for line in printed.splitlines() if line.startswith(f"│ {name} "))
    return [cell.strip() for cell in row.strip("│").split("│")][1:]


def test_a_race_is_run_printed_and_prolonged(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race", "cpu85", "--runs", "3", "--data", "digits"]) == 0
    printed, complaint = capsys.readouterr()
    assert complaint == ""
    assert (
        "run 1 of 3, race-cpu85, seed 0: starts\nrun 1 of 3, race-cpu85, seed 0: 10.0 s, accuracy 94.00 %"
        in printed
    )
    assert (
        "cpu85: reaches 85 % of synthetic (lower end of the mean's interval 93.85 %) in 11.00 s\n" in printed
    )
    assert "\nclock: Included: everything" in printed and "every run: race/cpu85.json\n" in printed
    assert cells(printed, "ours, seconds") == ["3", "11.000", "1.000", "8.516 to 13.484"]
    assert cells(printed, "ours, accuracy") == ["3", "94.10 %", "0.10 %", "93.85 % to 94.35 %"]
    assert main(["race", "cpu85", "--runs", "4", "--data", "digits"]) == 0
    assert "run 4 of 4, race-cpu85, seed 3: starts, about 11.0 s by those before" in capsys.readouterr().out
    record = json.loads(Path("race/cpu85.json").read_text())
    assert record["command"] == "cifarlab race cpu85 --runs 3 --data digits"
    assert record["commands"][1]["command"] == "cifarlab race cpu85 --runs 4 --data digits"
    assert main(["race", "cpu85", "--show"]) == 0
    assert "\nthe number of runs was raised 1 time\n" in capsys.readouterr().out
    assert [run["seed"] for run in record["runs"]] == [0, 1, 2, 3]


def test_against_a_peer(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = ["race", "cpu85", "--runs", "3", "--against", ".", "--data", "digits", "--seed-from", "8"]
    assert main(pairs) == 0
    printed = capsys.readouterr().out
    assert "pair 2 of 3, airbench94_muon, seed 9: starts" in printed
    assert cells(printed, "airbench94_muon, seconds")[:2] == ["3", "21.000"]
    assert "of the time of airbench94_muon in 2.5 epochs (95 % interval " in printed
    record = json.loads(Path("race/cpu85.json").read_text())
    assert (record["peer"]["name"], record["peer"]["epochs"]) == ("airbench94_muon", 2.5)
    assert [pair["peer"]["seed"] for pair in record["pairs"]] == [8, 9, 10]
    assert main([*pairs, "--peer-epochs", "5"]) == 2
    assert "peer.epochs: 2.5 -> 5" in capsys.readouterr().err
    assert main([*pairs, "--peer-precision", "bf16"]) == 2
    assert 'peer.precision: "fp32" -> "bf16"' in capsys.readouterr().err


def test_ours_computes_in_the_precision_that_was_asked_for() -> None:
    assert main(["race", "cpu85", "--precision", "fp32", "--data", "digits"]) == 0
    recipe = json.loads(Path("race/cpu85.json").read_text())["ours"]["recipe"]
    assert (recipe["precision"], recipe["optimizer"]["precision"]) == ("fp32", "fp32")


def test_everything_as_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race", "cpu85", "--runs", "2", "--against", "airbench94_muon.py", "--json"]) == 0
    printed, progress = capsys.readouterr()
    shown = json.loads(printed)
    assert shown["ours"]["seconds"]["mean"] == 10.5 and shown["ours"]["accuracy"]["n"] == 2
    assert shown["comparison"]["ratio"]["mean"] == pytest.approx((10 / 20 * 11 / 21) ** 0.5)
    assert (
        shown["tier"] == "cpu85"
        and shown["clock"].startswith("Included")
        and shown["record"] == "race/cpu85.json"
    )
    assert "cpu85: reaches 85 %" in shown["verdict"] or "not shown" in shown["verdict"]
    assert progress.count(": starts") == 4


def test_ctrl_c_loses_nothing(
    lane: Lane, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    race = ["race", "cpu85", "--runs", "3", "--against", "."]
    with monkeypatch.context() as patch:
        patch.setattr("cifarlab.cli.race._say", interrupt_at_seed_1)
        assert main(race) == 130
    said = capsys.readouterr().err
    assert said == "cifarlab: stopped by SIGINT; every finished run is kept, the same command goes on\n"
    assert lane.log[:2] == ["ours 0", "peer 0"] and "ours 1" not in lane.log
    assert main(race) == 0
    record = json.loads(Path("race/cpu85.json").read_text())
    assert [pair["ours"]["seed"] for pair in record["pairs"]] == [0, 1, 2]
    assert [path.name for path in Path("race").iterdir() if path.suffix != ".lock"] == ["cpu85.json"]


def interrupt_at_seed_1(line: str) -> None:
    """Ctrl-C as the second pair begins."""
    if "seed 1: starts" in line:
        os.kill(os.getpid(), signal.SIGINT)


def test_a_result_is_shown_with_the_clock_of_its_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race", "cpu85"]) == 0
    path = Path("race/cpu85.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "clock": "that of an older version"}))
    capsys.readouterr()
    assert main(["race", "cpu85", "--show"]) == 0
    assert "\nclock: that of an older version\n" in capsys.readouterr().out
    assert main(["race", "cpu85", "--show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clock"] == "that of an older version"


def test_show_runs_nothing(lane: Lane, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race", "cpu85", "--show"]) == 2
    assert (
        capsys.readouterr().err
        == "cifarlab: there is no race/cpu85.json; race first, or choose another folder\n"
    )
    assert main(["race", "cpu85", "--out", "elsewhere"]) == 0
    capsys.readouterr()
    before = contents(lane.folder)
    assert main(["race", "cpu85", "--show", "--out", "elsewhere"]) == 0
    printed = capsys.readouterr().out
    assert (
        "one run: accuracy 94.00 %, target 85 % of synthetic, in 10.00 s" in printed
        and "starts" not in printed
    )
    assert contents(lane.folder) == before


def test_records_of_several_machines_are_shown_together(capsys: pytest.CaptureFixture[str]) -> None:
    here = ["race", "cpu85", "--against", ".", "--data", "digits"]
    assert main([*here, "--runs", "2"]) == 0
    assert main([*here, "--out", "there", "--runs", "3", "--seed-from", "1"]) == 0
    there = json.loads(Path("there/cpu85.json").read_text())
    there["hardware"] = {"processor": "EPYC", "threads": 8}
    Path("there/cpu85.json").write_text(json.dumps(there))
    capsys.readouterr()
    show = ["race", "cpu85", "--show", "--also", "there"]
    assert main(show) == 0
    printed = capsys.readouterr().out
    assert cells(printed, "EPYC, 8 threads") == ["3", "12.0", "21.0", "0.571", "94.20 %", "94.10 %"]
    assert cells(printed, "all") == ["5", "–", "–", "0.546", "94.14 %", "94.10 %"]
    assert "\ncpu85 on 2 machines: reaches 85 % of synthetic (lower end" in printed
    assert "\nrun on more than one machine with the same draws: seed 1\n" in printed
    assert main([*show, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["comparison"]["ratio"]["n"] == 5 and value["repeated_seeds"] == [1]
    assert [each["machine"] for each in value["machines"]][1] == "EPYC, 8 threads"
    assert main(["race", "cpu85", "--show", "--also", "nowhere"]) == 2
    assert "there is no nowhere/cpu85.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "race: "),
        (["gpu-94"], "no race is called 'gpu-94'; did you mean gpu94?"),
        (["xyzzy"], "there are: cpu-full, cpu75, cpu80, cpu85, gpu94, gpu96"),
        (["gpu94"], "gpu94 is raced on a GPU with CUDA, and there is none here"),
        (["cpu85", "--device", "cuda:99"], "cpu85 is raced on cpu, not on cuda; leave out --device"),
        (["cpu85", "--runs", "0"], "--runs must be at least 1, found 0"),
        (["cpu85", "--runs", "two"], "--runs"),
        (["cpu85", "--rnus", "2"], "did you mean --runs?"),
        (["cpu85", "--seed-from", "-1"], "--seed-from must be at least 0"),
        (["cpu85", "--against", "nowhere"], "nowhere is no script"),
        (
            ["cpu85", "--against", "airbench94_muon.py", "--peer-epochs", "0"],
            "--peer-epochs must be a finite",
        ),
        (["cpu85", "--peer-epochs", "2"], "--peer-epochs is for the peer of --against"),
        (["cpu85", "--peer-precision", "bf16"], "--peer-precision is for the peer of --against"),
        (["cpu85", "--against", ".", "--peer-precision", "fp16"], "--peer-precision"),
        (["gpu94", "--against", ".", "--peer-precision", "bf16"], "in gpu94 the peer computes as published"),
        (["cpu85", "--against", "rubbish.py"], "none of the scripts that a race can run"),
        (["cpu85", "--out", "airbench94_muon.py"], "airbench94_muon.py"),
        (["cpu85", "--also", "elsewhere"], "--also shows records that are there; add --show"),
        (["cpu85", "--show", "--out", "no\x1b[31m"], "there is no no\ufffd[31m/cpu85.json"),
    ],
)
def test_wrong_use_is_one_line_and_makes_nothing(
    arguments: list[str],
    complaint: str,
    lane: Lane,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["race", *arguments]) == 2
    printed, said = capsys.readouterr()
    assert complaint in said and said.count("\n") == 1 and printed == ""
    assert sorted(contents(lane.folder)) == ["airbench94_muon.py", "rubbish.py"] and lane.log == []


def test_a_file_that_is_no_record_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["race", "cpu85"]) == 0
    path = Path("race/cpu85.json")
    record = json.loads(path.read_text())
    for name in ("data", "peer"):
        path.write_text(json.dumps({**record, name: 5}))
        capsys.readouterr()
        assert main(["race", "cpu85", "--show"]) == 2
        printed, said = capsys.readouterr()
        assert said == f"cifarlab: race/cpu85.json is damaged: {name} must be an object, found 5\n"
        assert printed == ""
    path.rename("race/cpu80.json")
    assert main(["race", "cpu80", "--show"]) == 2
    assert "race/cpu80.json is a race of 'cpu85', not of 'cpu80'" in capsys.readouterr().err


def test_help_says_what_a_tier_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["race", "--help"])
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for each in (
        "TIER",
        "cpu-full: the accuracy that",
        "All but cpu75 and cpu80 have a peer",
        "up to an hour",
    ):
        assert each in said
