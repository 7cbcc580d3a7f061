"""The page in a real browser: pictures from everywhere, keyboard, narrow windows, hostile names."""

import base64
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")
pytest.importorskip("selenium", reason="the extra test is not installed")

from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from cifarlab.predict import predict
from web.browser import CONTRAST, NAMELESS, attribute, complaints, requested, texts, until
from web.samples import HOSTILE, png
from web.served import Served, served


@pytest.fixture(scope="module")
def runs(shown_runs: Path) -> Iterator[Served]:
    with served(shown_runs, default="digits") as running:
        yield running


@pytest.fixture
def page(browser: Chrome, runs: Served) -> Iterator[Chrome]:
    """The front page, newly loaded. Whatever a test does on it: nothing was logged, and nobody else asked."""
    browser.get("about:blank")
    complaints(browser), requested(browser)
    browser.get(f"{runs.url}/")
    until(lambda: browser.find_elements(By.CSS_SELECTOR, "#network option"))
    yield browser
    assert browser.title != "hacked"
    assert complaints(browser) == []
    asked = requested(browser)
    assert asked and all(address.startswith(runs.url) for address in asked), asked


def _open(page: Chrome, runs: Served, place: str) -> None:
    page.get("about:blank")
    page.get(f"{runs.url}/{place}")


DROP = """
const bytes = Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0));
const carried = new DataTransfer();
carried.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
for (const kind of ["dragenter", "dragover", "drop"])
  document.getElementById("drop").dispatchEvent(
    new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true }));
"""
PASTE = (
    DROP[: DROP.index("for (const")]
    + """
document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: carried, bubbles: true }));
"""
)


@pytest.mark.parametrize("way", ["drag and drop", "file dialog", "clipboard"])
def test_a_picture_is_classified_and_explained(page: Chrome, file: Path, shown_runs: Path, way: str) -> None:
    match way:
        case "drag and drop":
            _drag(page, file)
        case "file dialog":
            page.find_element(By.ID, "file").send_keys(str(file))
        case _:
            page.execute_script(PASTE, _base64(file))
    until(lambda: page.find_elements(By.CSS_SELECTOR, ".result .scale"))
    [expected] = predict(shown_runs / "digits", [file], device="cpu")
    ranked = sorted(expected.probabilities.items(), key=lambda item: -item[1])
    assert texts(page, ".bars .label") == [name for name, _ in ranked]
    assert texts(page, ".bars .share")[0] == f"{100 * ranked[0][1]:.1f} %"
    assert f"digits: {expected.class_name}" in attribute(page, "#status", "textContent")
    width = page.execute_script("return document.getElementById('preview').naturalWidth")
    assert width == 64, "the picture itself is shown"


def _drag(page: Chrome, file: Path) -> None:
    """A drag from outside the browser, as the system would deliver it, onto the middle of the place."""
    box = page.find_element(By.ID, "drop").rect
    carried = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {
            "type": kind,
            "x": box["x"] + box["width"] / 2,
            "y": box["y"] + box["height"] / 2,
            "data": carried,
        }
        page.execute_cdp_cmd("Input.dispatchDragEvent", event)


def _base64(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def test_a_click_takes_a_test_image_says_what_it_is_and_finds_similar_ones(page: Chrome) -> None:
    page.find_element(By.ID, "sample").click()
    until(lambda: page.find_elements(By.CSS_SELECTOR, ".result .verdict"))
    said, verdict = texts(page, ".said bdi")[0], texts(page, ".verdict")[0]
    called = texts(page, "#picture-note")[0].rpartition(" ")[2].rstrip(".")
    assert verdict == ("Right" if said == called else f"Wrong: it is {called}")
    page.find_element(By.CSS_SELECTOR, ".neighbors button").click()
    until(lambda: page.find_elements(By.CSS_SELECTOR, ".neighbors ol"))
    assert len(texts(page, ".neighbors li")) == 8
    assert all(page.execute_script("return [...document.images].map((each) => each.complete)"))


def test_two_networks_side_by_side_and_another_layer(page: Chrome, file: Path, runs: Served) -> None:
    _open(page, runs, "#/?run=attention&with=digits")
    until(lambda: page.find_elements(By.CSS_SELECTOR, "#network option"))
    page.find_element(By.ID, "file").send_keys(str(file))
    until(lambda: len(page.find_elements(By.CSS_SELECTOR, ".result .scale")) == 2)
    assert [text.partition(",")[0] for text in texts(page, ".result > .kicker")] == ["attention", "digits"]
    assert len(page.find_elements(By.CSS_SELECTOR, ".result:first-child .masks img")) == 3
    overlay = ".pair figure:last-child img"
    before = attribute(page, overlay, "src")
    page.execute_script(
        "const layer = document.querySelectorAll('.evidence select')[1];"
        "layer.selectedIndex = 0; layer.dispatchEvent(new Event('change'))"
    )
    until(lambda: attribute(page, overlay, "src") not in ("", before))


def test_everything_is_reached_and_done_with_the_keyboard(page: Chrome) -> None:
    keys = ActionChains(page)
    seen = []
    for _ in range(12):
        keys.send_keys(Keys.TAB).perform()
        focused = page.switch_to.active_element
        seen.append(focused.get_attribute("id") or focused.text)
        assert page.execute_script(
            "const at = document.activeElement; const shown = at.id === 'file' ? at.nextElementSibling : at;"
            "return getComputedStyle(shown).outlineStyle !== 'none' || at.classList.contains('skip')"
        ), f"focus on {seen[-1]} cannot be seen"
        if seen[-1] == "sample":
            keys.send_keys(Keys.SPACE).perform()
        if seen[-1] == "other":
            break
    assert seen == [
        "Skip to the content",
        "cifarlab",
        "Classify",
        "Runs",
        "API",
        "file",
        "sample",
        "network",
        "other",
    ]
    until(lambda: page.find_elements(By.CSS_SELECTOR, ".result .verdict"))


def test_a_file_that_is_no_picture_is_refused_in_words(page: Chrome, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    page.find_element(By.ID, "file").send_keys(str(tmp_path / "text.png"))
    until(lambda: "Unreadable picture" in texts(page, "#problem")[0])
    assert page.find_elements(By.CSS_SELECTOR, ".result") == []
    assert [text for text in complaints(page) if " 422 " not in text] == []


def test_a_photograph_that_is_too_large_to_send_is_made_smaller(page: Chrome, tmp_path: Path) -> None:
    pixels = np.random.RandomState(1).randint(0, 256, (1000, 1400, 3), dtype=np.uint8)
    (tmp_path / "large.png").write_bytes(png(pixels))
    page.find_element(By.ID, "file").send_keys(str(tmp_path / "large.png"))
    until(lambda: page.find_elements(By.CSS_SELECTOR, ".result .said"))
    assert "1280 × 915" in texts(page, "#picture-note")[0]


@pytest.mark.parametrize("place", ["#/", "#/runs", "#/runs/digits", f"#/runs/{quote(HOSTILE)}", "api"])
def test_a_narrow_window_never_scrolls_sideways(page: Chrome, runs: Served, file: Path, place: str) -> None:
    size = {"width": 360, "height": 640, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        _open(page, runs, place)
        ready = {"#/": "#network option", "#/runs": "#run-rows a", "api": ".operation"}
        until(lambda: page.find_elements(By.CSS_SELECTOR, ready.get(place, "#run-body svg")))
        if place == "#/":
            page.find_element(By.ID, "file").send_keys(str(file))
            until(lambda: page.find_elements(By.CSS_SELECTOR, ".result .scale"))
        assert page.execute_script("return document.documentElement.scrollWidth") <= 360
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_hostile_names_and_reports_are_shown_and_do_nothing(page: Chrome, runs: Served, file: Path) -> None:
    _open(page, runs, f"#/?run={quote(HOSTILE)}")
    until(lambda: page.find_elements(By.CSS_SELECTOR, "#network option"))
    page.find_element(By.ID, "file").send_keys(str(file))
    until(lambda: page.find_elements(By.CSS_SELECTOR, ".result .scale"))
    assert HOSTILE in texts(page, ".bars .label")
    _open(page, runs, "#/runs")
    until(lambda: page.find_elements(By.CSS_SELECTOR, "#run-rows a"))
    page.find_element(By.LINK_TEXT, HOSTILE).click()
    frame = until(lambda: page.find_elements(By.CSS_SELECTOR, "iframe"))[0]
    assert texts(page, "#run-title") == [HOSTILE]
    page.execute_script("arguments[0].scrollIntoView()", frame)
    page.switch_to.frame(frame)
    until(lambda: "evil" in texts(page, "p"))
    page.switch_to.default_content()
    assert page.execute_script("return document.querySelectorAll('img[src=x], img[onerror]').length") == 0
    blocked = [text for text in complaints(page) if "Blocked script execution" not in text]
    assert blocked == [], "the report's script is the only thing that was stopped"


def test_the_curves_of_a_run_in_training_grow(page: Chrome, runs: Served, shown_runs: Path) -> None:
    point = ".plots figure:first-child circle.train"
    _open(page, runs, "#/runs/unfinished")
    until(lambda: any("Epoch 1 of 2" in text for text in texts(page, "#run-body")))
    assert len(page.find_elements(By.CSS_SELECTOR, point)) == 1
    log = shown_runs / "unfinished" / "metrics.jsonl"
    before = log.read_text()
    try:
        log.write_text(before + json.dumps({"epoch": 2, "train_accuracy": 0.5, "train_loss": 1.0}) + "\n")
        until(lambda: len(page.find_elements(By.CSS_SELECTOR, point)) == 2)
    finally:
        log.write_text(before)
    assert "training 50 at epoch 2" in attribute(page, ".plots svg", "aria-label")


def test_the_api_page_tells_every_operation(page: Chrome, runs: Served) -> None:
    _open(page, runs, "api")
    until(lambda: page.find_elements(By.CSS_SELECTOR, ".operation"))
    assert "GET /api/runs/{name}/metrics" in texts(page, ".operation h2")
    assert len(texts(page, ".operation")) == 7


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_contrast_and_every_field_a_name(page: Chrome, runs: Served, scheme: str) -> None:
    features = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", features)
    page.find_element(By.ID, "sample").click()
    until(lambda: page.find_elements(By.CSS_SELECTOR, ".result .scale"))
    for place, ready in (("", ".result"), ("#/runs", "#run-rows a"), ("#/runs/digits", "#run-body svg")):
        page.execute_script("location.hash = arguments[0]", place or "#/")
        until(partial(page.find_elements, By.CSS_SELECTOR, ready))
        assert page.execute_script(CONTRAST) == []
        assert page.execute_script(NAMELESS) == []
