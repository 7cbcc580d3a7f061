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
from cifarlab.runtime import NUMERICS_VERSION
from cifarlab.studies import published as reports
from cifarlab.studies.table import Entry, ItemTable, Published
from cifarlab.studies.table_files import write_table
from table_samples import accuracy, estimate, full_table, row, table

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


@pytest.mark.parametrize("report", reports.REPORTS)
def test_every_erratum_of_a_report_is_on_its_page(lab: Lab, report: str) -> None:
    page = write_pages(lab(**{f"{report.replace('-', '_')}__any": table(row("a"), report=report)}))[0]
    assert '<a href="#errata">What is wrong or open in this report</a>' in page.read_text()
    section = page.read_text().partition('id="errata"')[2]
    said = unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", section)))
    errata = reports.errata(report)
    assert len(errata) >= 4
    for each in errata:
        found = f"yes, by the rule {each.checkable}" if each.checkable else f"no: {each.why_not}"
        assert f"{each.says}{each.reading}{found}" in said


def test_a_study_of_one_s_own_is_called_so_and_has_no_errata(lab: Lab) -> None:
    own = table(row("a"), report="studies", item="rates", title="rates", scale="own")
    report, whole = write_pages(lab(studies__rates=own))
    assert "Study rates" in text_of(report)
    assert "Study rates" in text_of(whole)
    assert "wrong or open" not in text_of(report)


def test_a_variant_is_named_once_and_its_judged_numbers_come_first(lab: Lab) -> None:
    loss = Entry("val_loss", "A", estimate(0.4), Published("val_loss", 0.45, "0.45", "fig. 3"), "lower", "b")
    test = accuracy(0.9, protocol="A", published=Published("test_accuracy", 0.9, "90 %", "t. 1"))
    made = table(row("first", entries=(accuracy(0.91), test, loss)), row("second"), report="small-resnets")
    text = write_pages(lab(small_resnets__all=made))[0].read_text()
    beside = text.partition("<caption>Theirs beside ours</caption>")[2].partition("</table>")[0]
    assert re.findall(r'rowspan="(\d+)"><bdi>(\w+)', beside) == [("3", "first"), ("1", "second")]
    quantities = re.findall(r'class="quantity">([^<]+)<', beside)
    assert quantities == [
        "validation loss, protocol A",
        "test accuracy, protocol A",
        *["test accuracy, protocol C"] * 2,
    ]


def test_the_difference_between_protocols_needs_no_unfolding(lab: Lab) -> None:
    entries = (
        accuracy(0.9),
        Entry("test_accuracy", "B", estimate(0.93)),
        Entry("difference", "B", estimate(0.03)),
        Entry("test_accuracy", "last", estimate(0.88)),
    )
    made = table(row("a", entries=entries), report="small-resnets")
    page = write_pages(lab(small_resnets__all=made))[0]
    assert "<details" not in page.read_text()
    said = text_of(page)
    assert "Variant n C B Last epoch Optimism (B − C) 95% interval of C" in said
    assert "a 3 90.00 ± 0.40% 93.00% 88.00% +3.00 points" in said


def test_what_the_report_does_not_state_is_marked(lab: Lab) -> None:
    for provenance, words in (("computed", "computed by us"), ("public code", "public code")):
        five = Published("parameters", 5.0, "5", "counted", provenance)  # type: ignore[arg-type]
        made = table(row("a", entries=(Entry("parameters", "", estimate(5.0), five),)))
        claims = tuple(replace(claim, published=five) for claim in full_table().claims)
        page = write_pages(lab(small_resnets__all=replace(made, claims=claims)))[0].read_text()
        assert page.count(f'<span class="origin">{words}</span>') == 2
    assert '<span class="origin">' not in write_pages(lab(small_resnets__all=resnets()))[0].read_text()


def test_numbers_of_an_earlier_arithmetic_carry_their_warning(lab: Lab) -> None:
    caution = "This was made by an earlier version of the arithmetic; make it again."
    assert caution not in text_of(write_pages(lab(small_resnets__mixup=resnets()))[0])
    old = resnets(numerics=NUMERICS_VERSION - 1)
    assert caution in text_of(write_pages(lab(small_resnets__mixup=old))[0])


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
