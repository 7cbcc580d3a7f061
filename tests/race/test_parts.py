"""The table of tiers, a peer's script and data, and what the machine can do."""

from pathlib import Path

import pytest
import torch

from cifarlab.errors import UserError
from cifarlab.race.opponent import opponent_at
from cifarlab.race.peer_data import peer_files
from cifarlab.race.power import machine_peaks
from cifarlab.race.tiers import TIERS, tier_named
from race.fakes import SOURCE
from race.peer_samples import SAMPLES


def test_a_wrong_tier_is_told_the_nearest() -> None:
    assert tier_named("gpu94") is TIERS["gpu94"]
    with pytest.raises(UserError, match=r"no race is called 'gpu-94'; did you mean gpu94\?"):
        tier_named("gpu-94")


def test_margins_are_those_of_the_device() -> None:
    for tier in TIERS.values():
        assert tier.margin == {"cpu": 0.002, "cuda": 0.001}[tier.device]


def test_a_script_is_found_in_a_copy_of_its_repository(tmp_path: Path) -> None:
    tier = TIERS["cpu85"]
    with pytest.raises(UserError, match=r"airbench94_muon\.py is no script"):
        opponent_at(tmp_path, tier)
    script = tmp_path / "airbench94_muon.py"
    script.write_text("an empty one")
    with pytest.raises(UserError, match="none of the scripts that a race can run"):
        opponent_at(script, tier)
    script.write_text(SAMPLES[script.name])
    assert opponent_at(tmp_path, tier).script == opponent_at(script, tier).script == script
    assert opponent_at(script, tier).epochs == 2.5 and opponent_at(script, tier, 5).epochs == 5
    assert opponent_at(script, TIERS["gpu94"]).epochs is None
    assert opponent_at(script, tier).precision == "fp32"
    assert opponent_at(script, tier, precision="bf16").precision == "bf16"
    assert opponent_at(script, TIERS["gpu94"]).precision is None
    with pytest.raises(UserError, match=r"--peer-precision is for a CPU"):
        opponent_at(script, TIERS["gpu94"], precision="bf16")


def test_a_peer_gets_the_same_images(tmp_path: Path) -> None:
    folder = tmp_path / "peer"
    (folder).mkdir()
    (folder / "train.pt").write_bytes(b"what a kill has left")
    with peer_files(SOURCE, folder) as files:
        for name, split in (("train", SOURCE.read_train()), ("test", SOURCE.read_test())):
            cached = torch.load(files / f"{name}.pt", weights_only=True)
            assert cached["images"].dtype == torch.uint8 and cached["images"].shape[1:] == (32, 32, 3)
            assert torch.equal(cached["images"].permute(0, 3, 1, 2), split.images)
            assert torch.equal(cached["labels"], split.labels) and cached["labels"].dtype == torch.int64
            assert cached["classes"] == list(split.class_names)
    assert not folder.exists()


def test_the_machine_s_peak_is_near_that_of_a_plain_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cifarlab.race.power.BUDGET_SECONDS", 0.05)
    peaks = machine_peaks(torch.device("cpu"))
    assert set(peaks) == {"fp32", "bf16"}
    assert 0.1 < peaks["fp32"] < 1e5
