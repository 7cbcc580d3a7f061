"""The pages of a lab: all that must be said is said, nothing hostile gets through, nothing is fetched."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from cifarlab.errors import UserError
from cifarlab.report.lab import draw_figures, write_pages
from cifarlab.report.lab.views import VERDICTS
from cifarlab.studies.table import ItemTable, Published
from cifarlab.studies.table_files import write_table
from table_samples import accuracy, full_table, row, table

HOSTILE = "<script>alert(1)</script>\u202e\"'&"
Lab = Callable[..., Path]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A function that puts tables into a lab, each in the folder that its keyword names after ``__``."""

    def make(**tables: ItemTable) -> Path:
        for name, made in tables.items():
            report, item = name.replace("_", "-").split("--")
            write_table(made, tmp_path / "lab" / report / item)
        return tmp_path / "lab"

    return make


def text_of(page: Path) -> str:
    """What a reader sees, without tags and with single spaces."""
    body = page.read_text().partition("</style>")[2]
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body)))


def resnets(**changes: object) -> ItemTable:
    return replace(full_table(), report="small-resnets", item="mixup", **changes)  # type: ignore[arg-type]


def test_a_page_says_everything_that_the_table_holds(lab: Lab) -> None:
    folder = lab(small_resnets__mixup=resnets())
    pages = write_pages(folder)
    assert pages == [folder / "small-resnets" / "report.html", folder / "report.html"]
    said = text_of(pages[0])
    for each in (
        "Report 002: small-resnets",
        "93.71 %",
        "93.80 ± 0.40%",
        "92.81–94.79%",
        "inside the prediction",
        "the matrix beside it gives 94.59 %",
        "weight decay and L2 are the same thing",
        "mixup's α is 1.0",
        "three seeds are too few",
        "+1.30 ± 0.10 points",
        "diverged: seed 0: the loss is not finite",
        "Example GPU; torch 2.13.0",
        "0.030 (0.060)",
        "< 0.001 (< 0.001)",
        "4,935,242",
        "4.20 PFLOPs",
        "cifarlab reproduce small-resnets schedules",
    ):
        assert each in said, each


def test_every_verdict_has_a_word_a_sign_and_its_reason(lab: Lab) -> None:
    published = Published("test_accuracy", 0.9, "90 %", "table 1")
    rows = [
        row(
            f"v{place}",
            entries=(accuracy(0.9, published=published, verdict=verdict, reason=f"because {place}"),),
        )
        for place, verdict in enumerate(VERDICTS)
    ]
    page = write_pages(lab(small_resnets__all=table(*rows)))[0]
    said = text_of(page)
    for place, (verdict, style) in enumerate(VERDICTS.items()):
        assert f"{style.symbol} {verdict} because {place}" in said
    assert len({style.symbol for style in VERDICTS.values()}) == len(VERDICTS)


def test_the_number_of_an_erratum_leads_to_it(lab: Lab) -> None:
    page = write_pages(lab(small_resnets__mixup=resnets()))[0].read_text()
    assert 'href="#mixup-note-1"' in page
    assert re.search(r'id="mixup-note-1">the matrix beside it gives 94.59 %', page)


def test_a_smoke_run_is_never_taken_for_a_result(lab: Lab) -> None:
    smoke = resnets(scale="smoke", scale_note="2 epochs, 256 images", data="digits", official_data=False)
    report, whole = write_pages(lab(small_resnets__mixup_smoke=smoke))
    said = text_of(report)
    warning = "This is a smoke run: it shows that the path works and nothing about accuracy."
    assert said.index(warning) < said.index("93.80 ± 0.40%")
    assert "2 epochs, 256 images" in said
    assert "The data are not those of the report: digits." in said
    assert "No verdicts at full scale" in said
    assert "No item has been made at full scale yet" in text_of(whole)


def test_the_summary_counts_full_scale_alone(lab: Lab) -> None:
    folder = lab(small_resnets__mixup=resnets(), small_resnets__mixup_smoke=resnets(scale="smoke"))
    whole = write_pages(folder)[-1].read_text()
    summary = re.search(r"<tbody>(.*?)</tbody>", whole, re.DOTALL)
    assert summary is not None
    assert re.findall(r'class="number">(\d+)<', summary[1]) == ["2", "1", "0", "1", "0", "0"]


def test_other_files_are_calibrated_at_full_length_alone(lab: Lab) -> None:
    published = Published("test_accuracy", 0.9371, "93.71 %", "section 2.2")
    entry = accuracy(0.9, published=published, verdict="not comparable")
    other = replace(
        table(row("ours", entries=(entry,))),
        report="small-resnets",
        data="/home/me/photos.tar",
        official_data=False,
    )
    folder = lab(
        small_resnets__a=replace(other, scale="full", scale_note=""),
        small_resnets__b=replace(other, scale="short", data="/elsewhere/shortened"),
        small_resnets__c=replace(other, scale="full", official_data=True, data="cifar10"),
    )
    said = (
        text_of(write_pages(folder)[-1]).partition("Calibration of the data")[2].partition("Not made yet")[0]
    )
    assert "photos.tar 93.71 %" in said
    assert "−3.71 points" in said
    assert "/home/me" not in said
    assert "shortened" not in said
    assert "cifar10" not in said


def test_hostile_names_are_text(lab: Lab) -> None:
    made = resnets()
    hostile = replace(
        made,
        title=HOSTILE,
        data=HOSTILE,
        command=HOSTILE,
        rows=(replace(made.rows[0], label=HOSTILE, failures=(HOSTILE,)),),
        assumptions=(HOSTILE,),
        errata=(HOSTILE,),
    )
    folder = lab(small_resnets__mixup=hostile)
    draw_figures(replace(hostile, figures=("cost",)), folder, folder / "small-resnets" / "mixup" / "figures")
    for page in write_pages(folder):
        text = page.read_text()
        assert "<script" not in text
        assert "\u202e" not in text
        assert "&lt;script&gt;" in text
    assert "<script" not in (folder / "small-resnets" / "mixup" / "figures" / "cost.svg").read_text()


def test_a_page_asks_for_nothing_from_outside(lab: Lab) -> None:
    folder = lab(small_resnets__mixup=resnets())
    draw_figures(resnets(figures=("cost",)), folder, folder / "small-resnets" / "mixup" / "figures")
    for page in write_pages(folder):
        text = page.read_text()
        assert "default-src 'none'" in text
        assert not re.findall(r'(?:src|srcset)="(?!data:)', text)
        assert not re.findall(r'href="(?:https?:)?//', text)
        for link in re.findall(r'href="([^"#:]+)', text):
            assert (page.parent / link).exists() or link == "data", link
    images = re.findall(r"<img [^>]*>", (folder / "small-resnets" / "report.html").read_text())
    assert len(images) == 1
    assert 'alt="Accuracy against training FLOPs of 2 variants."' in images[0]


def test_tables_have_headers_for_those_who_hear_them(lab: Lab) -> None:
    for page in write_pages(lab(small_resnets__mixup=resnets())):
        text = page.read_text()
        assert re.findall("<th(?! scope=)[ >]", text) == []
        tables = text.count("<table")
        assert tables == text.count("<caption") > 0
        assert len(re.findall(r'id="([^"]+)"', text)) == len(set(re.findall(r'id="([^"]+)"', text)))


def test_equal_labs_give_equal_pages(lab: Lab, tmp_path: Path) -> None:
    folder = lab(small_resnets__mixup=resnets(), cbam_aspp__models=table(row("a")))
    before = [page.read_bytes() for page in write_pages(folder)]
    moved = folder.rename(tmp_path / "elsewhere")
    assert [page.read_bytes() for page in write_pages(moved)] == before


def test_a_damaged_item_is_named_and_the_others_are_shown(lab: Lab) -> None:
    folder = lab(small_resnets__mixup=resnets(), small_resnets__orders=table(row("a")))
    (folder / "small-resnets" / "orders" / "table.json").write_text("{")
    said = text_of(write_pages(folder)[0])
    assert "orders: table.json is damaged" in said
    assert "93.80 ± 0.40%" in said


def test_a_lab_without_items_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="there is no item"):
        write_pages(tmp_path)
    with pytest.raises(UserError, match="no such file"):
        write_pages(tmp_path / "absent")


def test_a_figure_that_could_not_be_drawn_says_why(lab: Lab) -> None:
    folder = lab(small_resnets__mixup=resnets())
    draw_figures(
        resnets(figures=("activation-zeros",)), folder, folder / "small-resnets" / "mixup" / "figures"
    )
    said = text_of(write_pages(folder)[0])
    assert "No figure activation-zeros: the share of zero activations was measured for no variant." in said
