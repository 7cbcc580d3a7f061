"""What the user may call a data set."""

from pathlib import Path

import pytest

from cifarlab.data.sources import NAMES, open_source
from cifarlab.errors import UserError


def test_every_name_opens() -> None:
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


@pytest.mark.parametrize("name", ["cifar10", "CIFAR-10", "cifar100"])
def test_cifar_by_name_says_what_to_give_instead(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="one sub-folder per class"):
        open_source(name)


@pytest.mark.parametrize(
    "name", ["", "/dev/null", "no\nsuch", "x" * 5000, "missing/folder/deep", "nul\0byte"]
)
def test_strange_names_are_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        open_source(name)
    assert str(caught.value).isprintable()
