"""A headless Chromium for the tests of the page; they are skipped where there is none."""

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

PATIENCE = 60.0

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",
)

CONTRAST = """
const over = (top, under) => top.slice(0, 3).map((value, i) => value * top[3] + under[i] * (1 - top[3]));
const parsed = (text) => [...text.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
const ground = (at) =>
  at ? over(parsed(getComputedStyle(at).backgroundColor), ground(at.parentElement)) : [255, 255, 255];
const linear = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const ratio = (at) => {
  const pair = [over(parsed(getComputedStyle(at).color), ground(at)), ground(at)].map(luminance);
  return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
};
const hasText = (at) => [...at.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
return [...document.querySelectorAll("body *")]
  .filter((at) => hasText(at) && at.checkVisibility() && !at.closest(":disabled, .unseen, noscript"))
  .filter((at) => ratio(at) < 4.5).map((at) => at.outerHTML.slice(0, 80));
"""
"""Elements whose text has less contrast than WCAG 2 asks for at level AA."""
NAMELESS = """
const named = (at) =>
  at.labels?.length || at.hasAttribute("alt") || at.ariaLabel || at.title || at.textContent.trim();
return [...document.querySelectorAll("select, input, button, img, iframe, svg[role]")]
  .filter((at) => !named(at)).map((at) => at.outerHTML);
"""
"""What a screen reader has no name for."""


@contextlib.contextmanager
def chromium(profile: Path, width: int = 1280, height: int = 900) -> Iterator[webdriver.Chrome]:
    """A browser with an empty profile, its console and its network traffic recorded."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("there is no chromium with chromedriver on this machine")
    options = Options()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options, Service(driver))
    try:
        yield browser
    finally:
        browser.quit()


def requested(browser: webdriver.Chrome) -> list[str]:
    """The addresses that were asked for since the last call, those inside the page itself left out."""
    events: list[dict[str, Any]] = [
        json.loads(entry["message"])["message"] for entry in _log(browser, "performance")
    ]
    addresses = [
        each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"
    ]
    return [each for each in addresses if not each.startswith(("data:", "blob:"))]


def complaints(browser: webdriver.Chrome) -> list[str]:
    """What the console has said since the last call."""
    return [entry["message"] for entry in _log(browser, "browser")]


def until(holds: Callable[[], Any]) -> Any:
    """What ``holds`` gives as soon as it is true."""
    end = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
    return found


# The page replaces what it shows at any time. Finding an element and reading it in two requests of the
# driver fails where it does so in between; one script runs without an interruption.


def texts(page: webdriver.Chrome, selector: str) -> list[str]:
    """The visible text of every element that ``selector`` finds, with plain spaces."""
    found: list[str] = page.execute_script(
        "return [...document.querySelectorAll(arguments[0])]"
        ".map((each) => each.checkVisibility() ? each.innerText.replaceAll('\\u00a0', ' ').trim() : '')",
        selector,
    )
    return found


def attribute(page: webdriver.Chrome, selector: str, name: str) -> str:
    """An attribute, or else a property, of the first element that ``selector`` finds; empty without one."""
    found: str | None = page.execute_script(
        "const at = document.querySelector(arguments[0]);"
        "return at && (at.getAttribute(arguments[1]) ?? at[arguments[1]])",
        selector,
        name,
    )
    return found or ""


def _log(browser: webdriver.Chrome, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browser.get_log(kind)
    return found
