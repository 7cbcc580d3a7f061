"""Which runs are shown, and under which names."""

from pathlib import Path

import pytest

from cifarlab.web.shelf import Shelf, Shelved


def _run(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text("{}")
    return folder


def test_runs_of_equal_names_are_told_apart_and_none_is_there_twice(tmp_path: Path) -> None:
    given, inside = _run(tmp_path / "elsewhere" / "a"), _run(tmp_path / "runs" / "a")
    shipped = _run(tmp_path / "package" / "a")
    shelf = Shelf(given, tmp_path / "runs", {"a": shipped})
    assert shelf.entries() == {
        "a": Shelved("a", given, "given"),
        "a (2)": Shelved("a (2)", inside, "runs"),
        "a (3)": Shelved("a (3)", shipped, "package"),
    }
    assert shelf.name_of(inside) == "a (2)" and shelf.name_of(tmp_path) is None
    assert list(Shelf(inside, tmp_path / "runs", {}).entries()) == ["a"]


def test_names_that_no_page_can_show_are_made_printable(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    _run(runs / "line\nbreak")
    _run(Path(str(runs / "latin-") + "\udcff"))
    assert set(Shelf(None, runs, {}).entries()) == {"line\ufffdbreak", "latin-\ufffd"}


def test_links_lead_nowhere_but_into_the_package(tmp_path: Path) -> None:
    outside = _run(tmp_path / "outside")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "link").symlink_to(outside)
    assert Shelf(None, tmp_path / "runs", {}).entries() == {}
    installed = tmp_path / "package" / "fast-cnn"
    installed.mkdir(parents=True)
    (installed / "recipe.json").symlink_to(outside / "recipe.json")
    assert list(Shelf(None, tmp_path / "runs", {"fast-cnn": installed}).entries()) == ["fast-cnn"]


def test_a_folder_that_becomes_unreadable_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "locked"):
        _run(tmp_path / "runs" / name)
    is_symlink = Path.is_symlink

    def guarded(path: Path) -> bool:
        if path.parent.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return is_symlink(path)

    monkeypatch.setattr(Path, "is_symlink", guarded)
    assert list(Shelf(None, tmp_path / "runs", {}).entries()) == ["a"]


def test_a_run_that_begins_later_is_found(tmp_path: Path) -> None:
    shelf = Shelf(None, tmp_path / "runs", {})
    assert shelf.find("new") is None
    _run(tmp_path / "runs" / "new")
    assert shelf.find("new") == Shelved("new", tmp_path / "runs" / "new", "runs")
