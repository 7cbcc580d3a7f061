"""No race of these tests reads data or measures the machine unless it says so."""

from pathlib import Path

import pytest

from race.fakes import Lane, no_data, no_peaks


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lane:
    """A folder for races between workers that only talk."""
    monkeypatch.setattr("cifarlab.race.conduct.open_source", no_data)
    monkeypatch.setattr("cifarlab.race.conduct.machine_peaks", no_peaks)
    return Lane(tmp_path / "lane")
