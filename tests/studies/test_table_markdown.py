"""``table.md``: theirs beside ours, every protocol, the cost; each thing once."""

import re
from dataclasses import replace

import pytest

from cifarlab.runtime import NUMERICS_VERSION
from cifarlab.studies import published
from cifarlab.studies.table import Entry, ItemTable, Published
from cifarlab.studies.table_markdown import markdown
from table_samples import accuracy, estimate, full_table, row, table


def cells(text: str, title: str) -> list[list[str]]:
    """The table below a heading: its heads, then its rows."""
    lines = text.partition(f"## {title}\n\n")[2].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if "---" not in line]


def cnn(*entries: Entry, **changes: object) -> ItemTable:
    made = table(row("final", entries=entries), report="cnn-to-shake-shake", title="Four phases")
    return replace(made, **changes)  # type: ignore[arg-type]


def test_what_the_report_states_stands_in_one_table() -> None:
    text = markdown(full_table())
    stated = cells(text, "Theirs beside ours")
    assert stated[0] == [
        *("variant", "quantity", "report", "ours: mean ± sd (n)", "95% interval", "one more run", "verdict")
    ]
    first, size, second = stated[1:]
    assert first[:4] == ["without mixup", "test accuracy, protocol A", "93.71 %", "93.80 ± 0.40% (3)"]
    assert first[4:] == ["92.81–94.79%", "91.81–95.79%", "reproduced"]
    assert size[1:4] == ["parameters", "4,935,242", "4,935,242 (1)"]
    assert second[2] == "94.43 % (note 1)"
    assert text.count("above the prediction") == 1


def test_our_protocols_and_the_cost_have_a_table_each() -> None:
    entries = (
        accuracy(0.936),
        Entry("test_accuracy", "last", estimate(0.91)),
        Entry("test_accuracy", "B", estimate(0.95)),
        Entry("difference", "B", estimate(0.014)),
        Entry("val_accuracy", "C", estimate(0.941)),
    )
    text = markdown(table(row("all", entries=entries, on_pareto_front=True), row("little", 0.8)))
    heads, everything, little = cells(text, "Ours: test accuracy by protocol, and validation accuracy")
    assert dict(zip(heads, everything, strict=True)) == {
        "variant": "all",
        "n": "3",
        "C": "93.60 ± 0.40%",
        "B": "95.00%",
        "last epoch": "91.00%",
        "optimism (B − C)": "+1.40 points",
        "validation": "94.10%",
        "95% interval of C": "92.61–94.59%",
    }
    assert little[2:4] == ["80.00 ± 0.40%", "–"]
    _, first, second = cells(text, "Cost")
    assert first == ["all", "4,935,242", "5.6e+08", "4.2e+15", "813.4", "yes"]
    assert second[-1] == "–"
    assert text.count("813.4") == 2
    assert "Theirs beside ours" not in text


def test_an_accuracy_as_the_report_judged_it_is_shown_where_the_report_gives_none() -> None:
    stated = accuracy(0.8, protocol="A", published=Published("test_accuracy", 0.8, "80 %", "table 1"))
    own = replace(stated, ours=estimate(0.7), published=None)
    assert "## Ours" not in markdown(table(row("a", entries=(stated,)))), "it would be said twice"
    text = markdown(table(row("a", entries=(stated,)), row("b", entries=(own,))))
    heads, _, b = cells(text, "Ours: test accuracy by protocol, and validation accuracy")
    assert b[heads.index("A")] == "70.00%"


def test_an_erratum_is_said_once_however_many_numbers_it_concerns() -> None:
    keys = [f"cnn-final.{quantity}_accuracy" for quantity in ("test", "val", "train")]
    theirs = [published.number("cnn-to-shake-shake", key) for key in keys]
    entries = [Entry(each.quantity, "A", estimate(0.8), each) for each in theirs]
    text = markdown(cnn(*entries, errata=tuple(each.erratum for each in theirs)))
    notes = text.partition("## Errata of the report\n\n")[2].partition("\n\n")[0].splitlines()
    concerned = [e for e in published.errata("cnn-to-shake-shake") if {*keys} & {*e.keys}]
    assert len(notes) == len(concerned) > 1
    numbers = {
        each.says: place for place, note in enumerate(notes, 1) for each in concerned if each.says in note
    }
    assert len(numbers) == len(concerned)
    for each, line in zip(theirs, cells(text, "Theirs beside ours")[1:], strict=True):
        marks = sorted(place for says, place in numbers.items() if says in each.erratum)
        assert sorted(map(int, re.findall(r"(\d+)[,)]", line[2].partition("(note")[2]))) == marks
    assert [text.count(each.says) for each in concerned] == [1] * len(concerned)


@pytest.mark.parametrize(
    ("provenance", "said"), [("computed", "5 (computed by us)"), ("public code", "5 (public code)")]
)
def test_a_number_that_the_report_does_not_state_is_marked(provenance: str, said: str) -> None:
    five = Published("trainable_parameters", 5.0, "5", "counted", provenance)  # type: ignore[arg-type]
    text = markdown(cnn(Entry("trainable_parameters", "", estimate(5.0), five)))
    (_, line) = cells(text, "Theirs beside ours")
    assert line[1:3] == ["trainable parameters", said]


def test_the_title_has_the_report_s_number() -> None:
    assert markdown(cnn()).startswith("# Report 003, cnn-to-shake-shake: Four phases\n")
    own = table(row("a"), report="studies", item="rates", title="rates", scale="own")
    assert markdown(own).startswith("# Study rates\n")


def test_all_else_is_said_too() -> None:
    text = markdown(full_table())
    for said in (
        "mixup helps",
        "underpowered",
        "three seeds are too few",
        "with mixup against without mixup: +1.30 points",
        "mixup's α is 1.0",
        "weight decay and L2 are the same thing",
        "1. the matrix beside it gives 94.59 %",
        "seed 0: the loss is not finite",
    ):
        assert text.count(said) == 1, said


def test_numbers_of_a_smoke_run_carry_their_warning() -> None:
    made = table(row("a"), scale="smoke", scale_note="2 epochs", data="digits", official_data=False)
    text = markdown(made)
    assert "This is a smoke run: it shows that the path works and nothing about accuracy." in text
    assert "The data are not those of the report: digits." in text
    assert "smoke" not in markdown(table(row("a")))


def test_numbers_of_an_earlier_arithmetic_carry_their_warning() -> None:
    caution = "made by an earlier version of the arithmetic; make it again"
    assert caution in markdown(table(row("a"), numerics=NUMERICS_VERSION - 1))
    assert "arithmetic" not in markdown(table(row("a")))


def test_a_hostile_label_stays_one_cell() -> None:
    text = markdown(table(row("a | b\n| c | <script>", seeds=1)))
    lines = [line for line in text.splitlines() if line.startswith("| a")]
    assert [line.replace("\\|", "").count("|") for line in lines] == [5, 7]
    assert "<script>" not in text
