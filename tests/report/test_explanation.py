"""The section on what a network looks at: shown where it is whole, and nothing in it executes."""

import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from cifarlab.config import to_json
from cifarlab.explain.activations import ZeroCount
from cifarlab.explain.confidence import Temperature
from cifarlab.explain.explanation import (
    FOLDER,
    ExplainedPicture,
    Explanation,
    Neighbor,
    Panel,
    write_explanation,
)
from cifarlab.files import sha256_of
from cifarlab.report import page, write_report
from report.conftest import build_run

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


def _explanation(folder: Path, text: str = "frog") -> Explanation:
    panel = Panel(text, "a.png")
    picture = ExplainedPicture(
        name=text,
        file="a.png",
        said=text,
        confidence=0.75,
        truth=text,
        grad_cam=(panel,),
        for_truth=panel,
        masks=(panel,),
        integrated_gradients=panel,
        occlusion=panel,
        neighbors=(Neighbor(17, text, 0.875, "a.png"),),
    )
    return Explanation(
        weights_sha256=sha256_of(folder / "model.safetensors"),
        image_size=32,
        pictures=(picture, replace(picture, truth=None, for_truth=None, masks=(), neighbors=())),
        zeros=(ZeroCount(text, 3, 4), ZeroCount("features.1", 0, 4)),
        zeros_images=500,
        temperature=Temperature(1.5, 900, 0.1, 0.05, 0.9, 0.8),
        notes=(text,),
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run; its report is made without the figures, which take most of the time and are not looked at."""
    monkeypatch.setattr(page, "draw_figures", lambda run: page.Figures(None, None, None, None, None))
    run = build_run(tmp_path / "run")
    (run / "model.safetensors").write_bytes(b"weights")
    return run


def _page(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


class Tags(HTMLParser):
    """All tags and the names of all attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}
        self.addresses |= {value or "" for name, value in attributes if name in ("src", "href", "srcset")}


def test_a_run_without_an_explanation_has_no_such_section(folder: Path) -> None:
    html = _page(folder)
    assert 'id="inside"' not in html and "#inside" not in html


def test_the_section_shows_what_was_found(folder: Path) -> None:
    write_explanation(folder, _explanation(folder), {"a.png": PNG})
    html = _page(folder)
    assert html.count('id="inside"') == 1 and 'href="#inside"' in html
    assert "said <bdi>frog</bdi> (75.00%), is <bdi>frog</bdi>" in html
    assert "0.875, image 17" in html
    assert "by 1.50 makes the loss on the 900 validation images smallest" in html
    assert "surer than it should be" in html
    assert "37.50% of all outputs" in html and "75.00%</td>" in html


def test_hostile_names_stay_text(folder: Path) -> None:
    write_explanation(folder, _explanation(folder, EVIL), {"a.png": PNG})
    found = Tags()
    found.feed(_page(folder))
    assert "script" not in found.tags
    assert not any(name.startswith("on") for name in found.attributes)
    assert all(address.startswith(("data:", "#")) for address in found.addresses)


def test_another_run_s_weights_are_said(folder: Path) -> None:
    write_explanation(folder, _explanation(folder), {"a.png": PNG})
    (folder / "model.safetensors").write_bytes(b"other weights")
    html = _page(folder)
    assert 'id="inside"' not in html and "is of other weights and not shown" in html


@pytest.mark.parametrize(
    "name", ["../outside.png", "/etc/hostname", "Upper.png", "..png/", "absent.png", "fake.png"]
)
def test_only_our_own_pictures_are_read(name: str, folder: Path) -> None:
    found = _explanation(folder)
    write_explanation(folder, found, {"a.png": PNG})
    (folder / FOLDER / "fake.png").write_bytes(b"no picture at all")
    for path in ("outside.png", f"{FOLDER}/Upper.png"):
        (folder / path).write_bytes(PNG)
    value = to_json(found)
    value["pictures"][0]["file"] = name
    (folder / FOLDER / "explanation.json").write_text(json.dumps(value))
    html = _page(folder)
    assert 'id="inside"' not in html and "The explanation is damaged and not shown" in html


def test_equal_folders_give_equal_pages(folder: Path, tmp_path: Path) -> None:
    write_explanation(folder, _explanation(folder), {"a.png": PNG})
    copy = Path(shutil.copytree(folder, tmp_path / "other" / "run"))
    assert _page(folder) == _page(copy)
