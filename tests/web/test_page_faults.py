"""The page when something is missing, damaged, late, or changes behind its back."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("selenium", reason="the extra test is not installed")

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from web.browser import attribute, texts, until
from web.samples import png
from web.served import served

LONG = "x" * 250


@dataclass(frozen=True)
class Lab:
    """The page, and the folder of the runs that it shows."""

    browser: Chrome
    url: str
    runs: Path

    def open(self, place: str, ready: str) -> None:
        self.browser.get("about:blank")
        self.browser.get(f"{self.url}/{place}")
        until(lambda: self.browser.find_elements(By.CSS_SELECTOR, ready))

    def choose(self, file: Path) -> None:
        self.browser.find_element(By.ID, "file").send_keys(str(file))

    def select(self, selector: str, value: str) -> None:
        self.browser.execute_script(
            "const at = document.querySelector(arguments[0]); at.value = arguments[1];"
            "at.dispatchEvent(new Event('change'))",
            selector,
            value,
        )

    def sees(self, selector: str, words: str) -> None:
        """Wait until an element says so."""
        until(lambda: any(words in text for text in texts(self.browser, selector)))

    def forget(self, run: str, *names: str) -> None:
        """Take entries out of the run's result."""
        path = self.runs / run / "result.json"
        result = json.loads(path.read_text())
        path.write_text(json.dumps({name: value for name, value in result.items() if name not in names}))


@pytest.fixture
def lab(browser: Chrome, shown_runs: Path, tmp_path: Path) -> Iterator[Lab]:
    """Three runs to spoil."""
    for name in ("digits", "attention", "unfinished"):
        shutil.copytree(shown_runs / name, tmp_path / "runs" / name)
    with served(tmp_path / "runs", default="digits") as running:
        yield Lab(browser, running.url, tmp_path / "runs")
        browser.get("about:blank")


def test_a_run_that_tells_little_offers_no_test_images_and_is_shown_all_the_same(lab: Lab) -> None:
    lab.forget("attention", "data_argument", "test_images")
    log = lab.runs / "attention" / "metrics.jsonl"
    log.write_text("{torn\n" + log.read_text())
    lab.open("#/?run=attention", "#introduction h2")
    sample, reason = (lab.browser.find_element(By.ID, name) for name in ("sample", "no-sample"))
    assert not sample.is_enabled() and "does not say where its data are" in reason.text
    assert "(n = –)" in texts(lab.browser, "#introduction p")[0]
    lab.select("#network", "digits")
    assert sample.is_enabled() and not reason.is_displayed()
    lab.open("#/runs/attention", ".facts")
    assert any("n = –" in text for text in texts(lab.browser, ".facts dd"))
    assert any(text.startswith("1 epoch, seed") for text in texts(lab.browser, ".facts small"))
    lab.sees(".live", "1 line of metrics.jsonl is torn")
    assert "No epoch" not in texts(lab.browser, ".live")[0]


def test_a_test_image_that_does_not_come_leaves_the_result_in_use(lab: Lab, file: Path) -> None:
    """attention names data that are gone."""
    lab.open("#/?run=attention", "#network option")
    lab.choose(file)
    until(lambda: lab.browser.find_elements(By.CSS_SELECTOR, ".result .scale"))
    overlay = ".pair figure:last-child img"
    before = attribute(lab.browser, overlay, "src")
    lab.browser.find_element(By.ID, "sample").click()
    lab.sees("#problem", "data are not at hand")
    first = attribute(lab.browser, ".evidence .labeled:last-child option", "value")
    lab.select(".evidence .labeled:last-child select", first)
    until(lambda: attribute(lab.browser, overlay, "src") not in ("", before))
    lab.browser.find_element(By.CSS_SELECTOR, ".neighbors button").click()
    lab.sees(".neighbors", "No similar images")
    assert lab.browser.execute_script("return document.getElementById('preview').naturalWidth") == 64


def test_a_later_picture_wins_over_one_that_is_still_made_smaller(
    lab: Lab, file: Path, tmp_path: Path
) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(png(np.random.RandomState(1).randint(0, 256, (900, 900, 3), dtype=np.uint8)))
    lab.open("#/", "#network option")
    lab.browser.execute_script(
        "const real = createImageBitmap;"
        "window.createImageBitmap = async (file) => {"
        "  await new Promise((go) => (window.goOn = go)); return real(file); }"
    )
    lab.choose(large)
    until(lambda: lab.browser.execute_script("return 'goOn' in window"))
    lab.choose(file)
    until(lambda: lab.browser.find_elements(By.CSS_SELECTOR, ".result .said"))
    lab.browser.execute_async_script("window.goOn(); setTimeout(arguments[0], 700)")
    assert lab.browser.execute_script("return document.getElementById('preview').naturalWidth") == 64
    assert not lab.browser.find_element(By.ID, "picture-note").is_displayed()


def test_an_overlay_that_comes_late_does_not_stand_under_the_next_label(lab: Lab, file: Path) -> None:
    lab.open("#/?run=attention", "#network option")
    lab.choose(file)
    until(lambda: lab.browser.find_elements(By.CSS_SELECTOR, ".result .scale"))
    lab.browser.execute_script(
        "const real = fetch; let held = true;"
        "window.fetch = async (path, options) => {"
        "  if (held) { held = false; await new Promise((go) => (window.goOn = go)); }"
        "  return real(path, options); }"
    )
    field = ".evidence .labeled:first-child select"
    overlay = ".pair figure:last-child img"
    before = attribute(lab.browser, overlay, "src")
    others = [each for each in ("cat", "dog", "frog") if each != attribute(lab.browser, field, "value")]
    lab.select(field, others[0])
    lab.select(field, others[1])
    until(lambda: attribute(lab.browser, overlay, "src") not in ("", before))
    last = attribute(lab.browser, overlay, "src")
    lab.browser.execute_async_script("window.goOn(); setTimeout(arguments[0], 700)")
    assert attribute(lab.browser, overlay, "src") == last
    assert f"Evidence for {others[1]}" in attribute(lab.browser, overlay, "alt")


def test_only_a_network_that_knows_the_class_is_called_right_or_wrong(lab: Lab) -> None:
    lab.open("#/?run=digits&with=attention", "#network option")
    lab.browser.find_element(By.ID, "sample").click()
    until(lambda: len(lab.browser.find_elements(By.CSS_SELECTOR, ".result .scale")) == 2)
    assert len(texts(lab.browser, ".result:first-child .verdict")) == 1
    assert texts(lab.browser, ".result:last-child .verdict") == []
    lab.sees(".result:last-child", "a class that this network does not know")


def test_live_curves_follow_a_run_that_begins_anew_and_outlive_a_refusal(lab: Lab) -> None:
    lab.open("#/runs/unfinished", ".plots svg")
    lab.sees(".live", "Epoch 1 of 2")
    log, recipe = lab.runs / "unfinished" / "metrics.jsonl", lab.runs / "unfinished" / "recipe.json"
    lines = [json.dumps({"epoch": epoch, "train_loss": 99.0}) + "\n" for epoch in (1, 2)]
    log.write_text(lines[0])
    until(lambda: "training 99 at epoch 1" in attribute(lab.browser, ".plots svg", "aria-label"))
    recipe.rename(lab.runs / "aside.json")
    lab.sees(".live", "there is no such run")
    log.write_text("".join(lines))
    (lab.runs / "aside.json").rename(recipe)
    lab.sees(".live", "Epoch 2 of 2")


def test_a_run_that_is_gone_is_said_where_it_should_stand_beside(lab: Lab) -> None:
    lab.open("#/runs/digits", ".plots svg")
    shutil.rmtree(lab.runs / "unfinished")
    lab.select("#curves-other", "unfinished")
    lab.sees("#run-body .note", "unfinished: there is no such run")
    lab.select("#curves-other", "attention")
    lab.sees(".legend bdi", "attention")
    assert not any("no such run" in text for text in texts(lab.browser, "#run-body .note"))


def test_one_long_name_leaves_the_table_readable(lab: Lab) -> None:
    (lab.runs / "digits").rename(lab.runs / LONG)
    lab.open("#/runs", "#run-rows a")
    heights = lab.browser.execute_script(
        "return [...document.querySelectorAll('.runs .state')].map((each) => each.offsetHeight)"
    )
    assert len(heights) == 3 and max(heights) < 40, "one line each"
    widths = lab.browser.execute_script(
        "return [...document.querySelectorAll('.runs thead th')].map((each) => each.offsetWidth)"
    )
    assert min(widths) > 90
    assert lab.browser.execute_script("return document.querySelector('.runs').scrollWidth") <= 1280
