"""What a study needs of a cluster's machines. Ray at work is tested in ``reliability/test_studies.py``."""

from pathlib import Path

import pytest

from cifarlab.errors import UserError
from cifarlab.studies.cluster import threads_asked_for, unseen
from cifarlab.studies.work import make_runs
from study_samples import planned


def test_what_a_machine_does_not_see_is_named(tmp_path: Path) -> None:
    marker = tmp_path / "runs" / ".seen"
    assert unseen(str(marker), []) == f"does not see the folder {tmp_path / 'runs'}"
    marker.parent.mkdir()
    marker.touch()
    assert unseen(str(marker), ["digits"]) == ""
    complaint = unseen(str(marker), ["digits", str(tmp_path / "absent")])
    assert complaint.startswith(f"cannot open {tmp_path / 'absent'} (")


@pytest.mark.parametrize(
    ("text", "threads"), [("", 2), ("3", 3), ("4,2", 4), (" 5 ", 5), ("0", 2), ("all", 2)]
)
def test_threads_are_as_openmp_reads_them(text: str, threads: int) -> None:
    assert threads_asked_for(text, cores=2) == threads


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999"])
def test_an_address_where_no_cluster_answers_is_one_line(address: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"no Ray cluster answers at {address}; give the address of one"):
        make_runs([planned()], tmp_path, cluster=address)
