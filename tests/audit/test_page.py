"""The page: names are harmless, pictures are inside, nothing is asked for from outside."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from audit.planted import TRANSFORMS, pictures, source_with
from cifarlab.audit import audit
from cifarlab.audit.page import between_of
from cifarlab.data.pictures import Preparation
from cifarlab.data.split import Source, Split, source_of
from cifarlab.exclusion import read_exclusions

HOSTILE = '<script>alert("x")</script>'
REVERSING = "safe\u202egnp.exe\x1b[31m"


def hostile_source() -> Source:
    images = pictures(30, seed=1)
    names = (HOSTILE, REVERSING)
    train = Split(images, torch.arange(30) % 2, names)
    test = Split(
        torch.cat([TRANSFORMS["shift"](images[:6]), images[7:8], images[9:10].flip(3)]),
        torch.tensor([1, 1, 0, 1, 0, 1, 1, 1]),
        names,
    )
    source = source_of(HOSTILE, train, test, "given", Preparation())
    file_names = [f"{HOSTILE}/{index}\udcff.png" for index in range(30)]
    return replace(source, read_names=lambda: (file_names, file_names[:8]))


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    folder = tmp_path_factory.mktemp("audit") / "hostile"
    found = audit(hostile_source(), folder, command=f"cifarlab data audit '{HOSTILE}'")
    return found, (folder / "audit.html").read_text(encoding="utf-8")


def test_hostile_names_are_escaped(audited: tuple[dict[str, Any], str]) -> None:
    _, page = audited
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert "\udcff" not in page


def test_nothing_is_asked_for_from_outside(audited: tuple[dict[str, Any], str]) -> None:
    _, page = audited
    assert not re.search(r"""(?:src|href|srcset)=["'](?!data:|#)""", page)
    assert "default-src 'none'" in page
    assert "url(" not in page


def test_every_pair_is_shown_with_both_pictures(audited: tuple[dict[str, Any], str]) -> None:
    found, page = audited
    pairs = found["duplicates"]["pairs"]
    assert len(pairs) == 8
    sections = page.split("Between training and test set")[1].split("The largest groups")[0]
    assert sections.count("data:image/png;base64,") == 16
    other = page.split("Pairs with different labels")[1].split("<h3>")[0]
    assert other.count("<li>") == sum(pair["labels_differ"] for pair in pairs) > 0
    for pair in pairs:
        if pair["kind"] == "near":
            shown = f"{pair['pixels']:.2f} / {pair['gradients']:.2f} / {pair['structure']:.2f}"
            assert shown in sections


def test_labels_that_were_left_out_are_said_to_be(audited: tuple[dict[str, Any], str]) -> None:
    found, page = audited
    assert found["labels"] is None
    assert "Labels were left out of this audit" in page


def test_unbalanced_classes_bring_a_banner(tmp_path: Path) -> None:
    labels = torch.tensor([0] * 9 + [1] * 3)
    audit(source_with(pictures(12, seed=2), pictures(4, seed=3), labels), tmp_path / "odd")
    page = (tmp_path / "odd" / "audit.html").read_text(encoding="utf-8")
    assert "--recipe.loss.class-weights balanced" in page
    assert "3.0 times as many" in page
    audit(source_with(pictures(12, seed=2), pictures(4, seed=3)), tmp_path / "even")
    assert "class-weights" not in (tmp_path / "even" / "audit.html").read_text(encoding="utf-8")


def test_a_set_full_of_near_duplicates_is_doubted(tmp_path: Path) -> None:
    images = pictures(60, seed=2)
    copies = (images.float() * 0.9 + 5).to(torch.uint8)
    for number, doubted in ((60, True), (6, False)):
        found = audit(source_with(images, copies[:number]), tmp_path / f"{number}")
        page = (tmp_path / f"{number}" / "audit.html").read_text(encoding="utf-8")
        assert ("Are these really duplicates?" in page) is doubted
        assert found["duplicates"]["crowded"] is doubted
        assert sum(found["duplicates"]["counts"]["across"].values()) == number
        listed = read_exclusions(tmp_path / f"{number}")[0].images
        assert len(listed) == found["duplicates"]["excluded"] == (0 if doubted else number)
        assert found["duplicates"]["test_with_train_duplicate"]["images"] == len(listed)


def test_large_images_are_shown_small(tmp_path: Path) -> None:
    images = pictures(3, seed=4, size=256)
    audit(source_with(images, images[:1]), tmp_path / "large")
    assert len((tmp_path / "large" / "audit.html").read_bytes()) < 200_000


def test_between() -> None:
    train, test = {"half": "train"}, {"half": "test"}
    assert between_of({"first": train, "second": test}) == "across"
    assert between_of({"first": test, "second": test}) == "test"
