"""What the rules find: every erratum that a table can give away, and nothing in a corrected copy."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cifarlab.errors import UserError
from cifarlab.studies import published
from cifarlab.studies.table_check.document import Document, from_text, read_text

NOT_CHECKABLE = {
    "“no fully connected layer”",
    "nothing of the optimizer, the loss and the dropout rate; the channels stand in a figure that is lost",
    "stopped at epoch 48, and 15 of these epochs have no improvement",
    "Adam increases the accuracy by 0.25",
    "4×4×1024 at the end and two trunk units give 6.8 and 11.5 million parameters",
    "BatchNorm and dropout reduce the model's size",
    "Adam's ε stands inside the root",
    "93.71 % “without data augmentation”",
    "weight decay 1e-3 and an L2 penalty of 1e-3",
    "a formula for Adadelta",
    "a learning rate of 0.001 for 1,800 epochs",
}
"""Words, causes, formulas, what is left out, and what stands in a lost figure or in other people's code."""


def raw(report: str) -> dict[str, Any]:
    path = Path(published.__file__).parent / f"{report}.json"
    value: dict[str, Any] = json.loads(path.read_text())
    return value


def fact(document: dict[str, Any], where: str, kind: str) -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = (
        each for each in document["facts"] if each["type"] == kind and each["where"].startswith(where)
    )
    return found


def checked(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each.rule, each.where) for each in from_text(json.dumps(document), "a test").findings()]


def _mend_tiny_attention(document: dict[str, Any]) -> None:
    sweep = fact(document, "report 000, table 1", "Sweep")
    sweep["first"][5], sweep["second"][5] = sweep["second"][5], sweep["first"][5]
    sweep["conditions"][0] = "100 epochs"
    fact(document, "report 000, table 1, training samples", "Progression")["step"] = None
    fact(document, "report 000, the network", "WiderNetwork")["parameters"] = "6.1 M"
    for number in document["numbers"]:
        if number["key"] == "tiny-attention-3120.train_accuracy":
            number["printed"] = 94.39


def _mend_slim_attention(document: dict[str, Any]) -> None:
    fact(document, "report 001, hours", "Change")["stated"] = 80
    layers = fact(document, "report 001, table 1", "Layers")["layers"]
    for layer in layers[1:3]:
        layer["output"] = [32, 32, 32]


def _mend_small_resnets(document: dict[str, Any]) -> None:
    fact(document, "report 002, figure 15", "ConfusionMatrix")["accuracy"] = 94.59
    fact(document, "report 002, section 2.1.2", "Convergence")["epoch"] = 20


def _mend_cnn_to_shake_shake(document: dict[str, Any]) -> None:
    fact(document, "report 003, section I", "DataSet")["test"] = 10_000
    fact(document, "report 003, section I, images", "Parts")["parts"] = [50_000, 10_000]
    fact(document, "report 003, test images", "Statements")["statements"][1]["says"] = 10_000
    fact(document, "report 003, section II, “we", "Improvement")["after"] = 73.92
    fact(document, "report 003, section IV, learning rates of the personal", "Progression")["values"][2] = (
        0.00025
    )
    fact(document, "report 003, section IV, learning rates of Shake", "Progression")["values"][2] = 0.0025
    for each in document["facts"]:
        if each["type"] == "Results":
            each["train"], each["validation"], each["test"] = 85.00, 80.40, 80.12
        if each["type"] == "ClassAccuracies":
            each["accuracy"] = round(sum(each["classes"]) / 10, 2)


def _mend_cbam_aspp(document: dict[str, Any]) -> None:
    fact(document, "report 004, the model", "Statements")["statements"][0]["says"] = "model 1"
    fact(document, "report 004, section 2.2", "Choices")["alternatives"][2] = 330
    fact(document, "report 004, table 1, models 3", "Choices")["probabilities"][0] = 0.88
    fact(document, "report 004, table 1", "Ranking")["accuracies"][2:] = [94.0, 94.1]


MENDED: dict[str, Callable[[dict[str, Any]], None]] = {
    "tiny-attention": _mend_tiny_attention,
    "slim-attention": _mend_slim_attention,
    "small-resnets": _mend_small_resnets,
    "cnn-to-shake-shake": _mend_cnn_to_shake_shake,
    "cbam-aspp": _mend_cbam_aspp,
}

FOUND = {
    "tiny-attention": {"swapped", "conditions", "width", "progression", "count"},
    "slim-attention": {"change", "shape"},
    "small-resnets": {"trace", "spent"},
    "cnn-to-shake-shake": {
        *("mode", "class-mean", "data-set", "sum", "statements", "progression", "improvement"),
    },
    "cbam-aspp": {"statements", "duplicate", "sum", "ranking"},
}


@pytest.mark.parametrize("report", published.REPORTS)
def test_every_checkable_erratum_is_found(report: str) -> None:
    found = {each.rule for each in published.document(report).findings()}
    assert found == FOUND[report]
    assert {each.checkable for each in published.errata(report)} - {None} <= found


def test_the_errata_that_no_table_gives_away_are_these() -> None:
    silent = {
        each.says for report in published.REPORTS for each in published.errata(report) if not each.checkable
    }
    assert silent == NOT_CHECKABLE


@pytest.mark.parametrize("report", published.REPORTS)
def test_a_corrected_copy_has_no_errors(report: str) -> None:
    document = raw(report)
    assert checked(document)
    MENDED[report](document)
    assert checked(document) == []


def test_all_three_phases_and_both_learning_rates_of_report_003_are_found() -> None:
    found = [(each.rule, each.where) for each in published.document("cnn-to-shake-shake").findings()]
    assert [rule for rule, _ in found].count("class-mean") == 3
    assert len({where for rule, where in found if rule == "mode"}) == 4
    assert [rule for rule, _ in found].count("progression") == 2


def test_the_two_layer_lists_of_report_003_give_its_counts() -> None:
    document = raw("cnn-to-shake-shake")
    for each in document["facts"]:
        if each["type"] == "Layers":
            each["parameters"] = each["parameters"].replace("30", "31")
    found = [where for rule, where in checked(document) if rule == "parameters"]
    assert [where.rpartition(", ")[2] for where in found] == ["first layer list", "second layer list"]


def test_single_numbers() -> None:
    document = raw("cbam-aspp")
    document["facts"] = []
    assert checked(document) == []
    document["numbers"][0]["printed"] = 95.001
    document["numbers"][2]["printed"] = 193.409
    assert [rule for rule, _ in checked(document)] == ["count", "range"]


def test_zeros_at_the_end_count() -> None:
    """95.000 is one of a thousand times fewer counts than 95; JSON numbers keep their digits."""
    text = '{"facts": [{"type": "Accuracies", "where": "here", "images": 300, "values": [%s]}]}'
    assert not list(from_text(text % "33.3", "a test").findings())
    (found,) = from_text(text % "33.300", "a test").findings()
    assert "33.300 %" in found.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        '{"facts": 1}',
        '{"facts": [1]}',
        '{"facts": [{"type": "Nothing"}]}',
        '{"facts": [{"type": ["Accuracies"]}]}',
        '{"facts": [{"type": "Accuracies", "where": "here", "values": ["many"]}]}',
        '{"facts": [{"type": "Accuracies", "where": "here", "values": [NaN]}]}',
        '{"facts": [{"type": "Accuracies", "where": "here", "values": [1e999]}]}',
        '{"facts": [{"type": "Accuracies", "where": "here", "values": [1e-99999999]}]}',
        '{"facts": [{"type": "Accuracies", "where": "here", "values": [true]}]}',
        '{"facts": [{"type": "Accuracies", "where": "here", "values": ["."]}]}',
        '{"facts": [{"type": "Accuracies", "where": "here", "values": [1], "images": 0}]}',
        '{"facts": [{"type": "Accuracies", "where": "here", "values": [1], "images": 1%s}]}' % ("0" * 99),
        '{"facts": [{"type": "Accuracies", "where": "here", "values": [1%s]}]}' % ("0" * 5000),
        '{"facts": [{"type": "ConfusionMatrix", "where": "here", "counts": []}]}',
        '{"facts": [{"type": "ConfusionMatrix", "where": "here", "counts": [[1, 2], [3]]}]}',
        '{"facts": [{"type": "ConfusionMatrix", "where": "here", "counts": [[1, -2], [3, 4]]}]}',
        '{"facts": [{"type": "ClassAccuracies", "where": "here", "accuracy": 1, "classes": []}]}',
        '{"facts": [{"type": "Change", "where": "here", "before": 0, "after": 1, "stated": 1}]}',
        '{"facts": [{"type": "Network", "where": "here", "network": "resnet25", "parameters": 1}]}',
        '{"facts": [{"type": "DataSet", "where": "here", "name": "cifar11"}]}',
        '{"facts": [], "facts": []}',
        '{"facts": [], "figures": []}',
        "[" * 100_000,
        '{"facts": ' + "[" * 900 + "]" * 900 + "}",
        '{"title": "\\u0000\\ud800", "facts": [{"type": "\\u001b[31m"}]}',
    ],
)
def test_odd_files_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError) as raised:
        list(from_text(text, "a file").findings())
    message = str(raised.value)
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) < 400


def test_an_empty_document_has_no_errors() -> None:
    assert list(Document().findings()) == list(from_text("{}", "a test").findings()) == []


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        read_text(path)
    with pytest.raises(UserError, match="no such file"):
        read_text(tmp_path / "nothing.json")
    with pytest.raises(UserError, match="folder"):
        read_text(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf{}")  # a byte-order mark, as Windows writes it
    assert from_text(read_text(path), path) == Document()


def test_a_finding_is_of_the_fact_it_names() -> None:
    document = published.document("small-resnets")
    only = replace(document, numbers=(), facts=document.facts[:1])
    assert [(each.rule, each.where) for each in only.findings()] == [("trace", "report 002, figure 15")]
