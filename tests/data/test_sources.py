"""What the user may call a data set."""

from pathlib import Path

import pytest

from cifar_samples import archive_bytes, official
from cifarlab.data.cifar import place as cifar_place
from cifarlab.data.cifar.official import ARCHIVES
from cifarlab.data.sources import NAMES, open_source
from cifarlab.errors import UserError


def test_every_name_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIFARLAB_DATA", str(tmp_path))
    monkeypatch.setattr(cifar_place, "ARCHIVES", official(ARCHIVES))
    for archive in ARCHIVES:
        if archive.kind == "binary":
            (tmp_path / archive.file_name).write_bytes(archive_bytes(archive))
    for name, _ in NAMES:
        assert open_source(name).description.name == name


@pytest.mark.parametrize(
    ("wrong", "right"), [("digit", "digits"), ("Digits", "digits"), ("flowrs", "flowers")]
)
def test_a_wrong_name_gets_the_nearest_right_one(
    wrong: str, right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flowers").mkdir()
    with pytest.raises(UserError, match=f"{wrong}; did you mean {right}\\?$"):
        open_source(wrong)


def test_a_wrong_path_gets_the_nearest_sibling(tmp_path: Path) -> None:
    (tmp_path / "flowers.tar").touch()
    with pytest.raises(UserError, match=r"did you mean flowers\.tar\?$"):
        open_source(str(tmp_path / "flower.tar"))


@pytest.mark.parametrize(
    ("wrong", "right"), [("CIFAR-10", "cifar10"), ("Cifar_100", "cifar100"), ("cifar-12", "cifar12")]
)
def test_a_name_in_the_paper_s_spelling_gets_the_right_one(
    wrong: str, right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"there is no data set {wrong}; did you mean {right}\\?$"):
        open_source(wrong)


def test_no_name_at_all_gets_the_list() -> None:
    with pytest.raises(UserError, match=", ".join(name for name, _ in NAMES)):
        open_source("")


@pytest.mark.parametrize(
    "name", ["", "/dev/null", "no\nsuch", "x" * 5000, "missing/folder/deep", "nul\0byte"]
)
def test_strange_names_are_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        open_source(name)
    assert str(caught.value).isprintable()
