"""The report: honest numbers in front, gaps that stay gaps, and nothing of a hostile name that executes."""

import base64
import json
import re
import warnings
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from cifarlab.errors import UserError
from cifarlab.report import write_report
from cifarlab.report.confusion import most_confused
from cifarlab.report.run_folder import read_run

RunMaker = Callable[..., Path]

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror="alert(2)">',
    "' onmouseover='alert(3)",
    "</title></style></svg><iframe src=https://evil.example/>",
    "{{ 7 * 7 }} {% include 'report.css' %}",
    "$\\frac{broken$ _x {} ^",
    "exe.gnp\u202etxt",
    "two\nlines\x00\x1b[31m",
    "javascript:alert(4)",
    "\ud800 lone surrogate",
    "W" * 5000,
)
TRAINING_MODE = {"type": "TrainingMode", "batch_size": 4}
URL_ATTRIBUTES = {"src", "srcset", "href", "action", "formaction", "poster", "data", "xlink:href"}


class Page(HTMLParser):
    """What a browser would find in a page: its elements, attributes, visible text and text per element."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(html)
        self.close()
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._inside = ["style"] if tag == "style" else []

    def handle_endtag(self, tag: str) -> None:
        self._inside = []

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text += data


def page_of(folder: Path) -> Page:
    return Page(write_report(folder).read_text())


def pictures_in(page: Page, kind: str) -> list[bytes]:
    start = f"data:image/{kind};base64,"
    values = [value for name, value in page.attributes if name in ("src", "srcset")]
    return [base64.b64decode(value.removeprefix(start)) for value in values if value.startswith(start)]


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_the_headline_gives_accuracy_count_interval_and_what_they_mean(make_run: RunMaker) -> None:
    page = page_of(
        make_run(test_accuracy=0.93421, test_images=10_000, interval=[0.92918, 0.93891], last_epoch=12)
    )
    for number in ("93.42%", "n = 10,000", "92.92\N{EN DASH}93.89%", "seed 0"):
        assert number in page.text
    assert "another seed" in page.text
    assert "epoch 9 of 12 were chosen by the highest validation accuracy on 240 images" in page.text
    assert "test set was opened once" in page.text
    for number in ("272,474", "40.8 MFLOPs", "1.47 TFLOPs", "1 min 23 s", "1,406 images/s", "4.12%"):
        assert number in page.text


def test_nothing_executes_and_nothing_is_fetched(make_run: RunMaker) -> None:
    names = HOSTILE
    evil = {name: name for name in names}
    folder = make_run(
        names, recipe_name=names[0], command=names[1], versions=evil, hardware=evil, device=names[3]
    )
    folder = folder.rename(folder.with_name("<script>alert(5)<"))

    def change(description: dict[str, Any]) -> None:
        description["data"]["name"] = names[1]
        description["recipe"] |= evil
        description["seed"] = names[2]
        description["initial_weights"] = {"run": names[0], "sha256": names[3]}

    edit(folder / "recipe.json", change)
    page = page_of(folder)
    assert not {"script", "iframe", "object", "embed", "form", "base", "svg", "audio", "video"} & {
        *page.elements
    }
    assert page.elements.count("title") == page.elements.count("style") == 1
    assert [name for name, _ in page.attributes if name.startswith("on")] == []
    for name, value in page.attributes:
        if name in URL_ATTRIBUTES:
            assert value.startswith(("data:image/", "data:,", "#")), value[:80]
        assert "url(" not in value
    html = (folder / "report.html").read_text()
    assert "@import" not in html
    assert "url(" not in html
    assert any(value.startswith("default-src 'none'; img-src data:;") for _, value in page.attributes)
    for name in names[:6]:
        assert name in page.text
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert "exe.gnp\N{REPLACEMENT CHARACTER}txt" in page.text


def test_names_in_figures_are_text_and_not_formulas(make_run: RunMaker) -> None:
    page = page_of(make_run(["$x^2$", "a&b<c>", "_{}"]))
    matrix = next(svg.decode() for svg in pictures_in(page, "svg+xml") if b"predicted class" in svg)
    assert ">$x^2$<" in matrix
    assert ">a&amp;b&lt;c&gt;<" in matrix
    assert ">_{}<" in matrix


def test_mistakes_recipe_and_notes_are_shown(make_run: RunMaker) -> None:
    names = [f"c{number}" for number in range(8)]
    folder = make_run(names, left_out_epochs=(5,))
    run, page = read_run(folder), page_of(folder)
    assert run.mistakes
    assert len(pictures_in(page, "png")) == len(run.mistakes)
    first = run.mistakes[0]
    said = f"said {names[first.predicted]} ({100 * first.confidence:.2f}%) is {names[first.truth]}"
    assert said in page.text
    assert re.search(r"optimizer\.lr ?0\.1", page.text)
    assert "The log has no entry for epoch 5" in page.text


def test_protocol_b_shows_the_optimism_of_choosing_on_the_test_set(make_run: RunMaker) -> None:
    folder = make_run(protocols="B,C", test_accuracy=0.9, best_on_test={"epoch": 7, "test_accuracy": 0.9051})
    page = page_of(folder)
    assert "90.51% (epoch 7)" in page.text
    assert "+0.51 percentage points" in page.text
    assert "opened once" not in page.text
    accuracy = next(svg for svg in pictures_in(page, "svg+xml") if b"accuracy (%)" in svg and b"epoch" in svg)
    assert b">test<" in accuracy


def test_the_optimism_is_that_of_choosing_and_not_of_views(make_run: RunMaker) -> None:
    best = {"epoch": 7, "test_accuracy": 0.885}
    page = page_of(
        make_run(protocols="B,C", test_accuracy=0.9, test_accuracy_without_views=0.88, best_on_test=best)
    )
    assert "The difference (both without test-time views), +0.50 percentage points, is" in page.text


def test_protocol_a_is_bannered_and_never_called_fair(make_run: RunMaker) -> None:
    page = page_of(make_run(protocols="A", select_by="test_accuracy", evaluation_mode=TRAINING_MODE))
    assert "Protocol A: judged as published" in page.text
    assert "chosen on the test set itself, so the accuracy is optimistic" in page.text
    assert "(TrainingMode, batch_size 4)" in page.text
    assert "opened once, after" not in page.text
    fair = page_of(make_run())
    assert "Protocol A" not in fair.text
    assert "training mode" not in fair.text


@pytest.mark.parametrize("classes", [2, 21, 100])
def test_few_and_many_classes(make_run: RunMaker, classes: int) -> None:
    folder = make_run([f"class {number}" for number in range(classes)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = page_of(folder)
    assert f"class {classes - 1}" in page.text
    assert len(pictures_in(page, "svg+xml")) == 10
    assert ("The other" in page.text) == (classes > 20)


def test_the_worst_class_and_the_largest_confusion_come_first(make_run: RunMaker) -> None:
    folder = make_run([f"c{number}" for number in range(5)])
    run, page = read_run(folder), page_of(folder)
    worst = min(run.result.per_class, key=lambda score: score.accuracy or 0.0)
    table = page.text.split("Test accuracy per class")[1]
    assert re.search(r"c\d", table).group() == worst.name  # type: ignore[union-attr]
    matrix = run.result.confusion
    assert matrix is not None
    images = [count for _, _, count in most_confused(matrix, 100)]
    assert images == sorted(images, reverse=True)
    assert sum(images) == matrix.sum() - matrix.trace()


def test_what_is_missing_is_said(make_run: RunMaker) -> None:
    folder = make_run(
        confusion_matrix=None,
        per_class=[],
        calibration=None,
        val_accuracy=None,
        val_images=0,
        flops=None,
        last=None,
        seconds=None,
        command="",
        versions={},
    )
    (folder / "metrics.jsonl").unlink()
    (folder / "test_logits.safetensors").write_bytes(b"no tensors")
    page = page_of(folder)
    for part in ("metrics.jsonl is missing", "test_logits.safetensors is damaged", "no confusion matrix"):
        assert part in page.text
    for part in ("no calibration", "no accuracies per class", "not recorded", "no images held out"):
        assert part in page.text
    assert "None" not in page.text


@pytest.mark.parametrize("name", ["result.json", "recipe.json"])
@pytest.mark.parametrize("content", [None, "{", "[]", '{"test_accuracy": "<b>", "data": 3}'])
def test_without_a_sound_result_there_is_one_line_and_no_page(
    make_run: RunMaker, name: str, content: str | None
) -> None:
    folder = make_run()
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(UserError) as caught:
        write_report(folder)
    assert "\n" not in str(caught.value)
    assert not (folder / "report.html").exists()


def test_a_run_that_diverged_has_no_report_and_says_why(make_run: RunMaker) -> None:
    folder = make_run()
    (folder / "result.json").write_text('{"schema": 1, "status": "diverged", "reason": "loss is nan\\n"}')
    with pytest.raises(UserError, match=r"did not finish.*loss is nan"):
        write_report(folder)


def test_equal_folders_give_equal_pages(make_run: RunMaker) -> None:
    folder = make_run(protocols="B,C")
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first
