"""A Chromium that is signed in to an Airflow, and what it complains of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Frame, Page, sync_playwright

from support.site import Site

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"),
)
ROLE = "admin"  # name and password as well
WIDTH, HEIGHT = 1320, 880

# Contrast as WCAG 2.2 defines it, of every text against the nearest background; a canvas turns any colour into sRGB.
CONTRAST = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (colours) => {
    pen.clearRect(0, 0, 1, 1);
    for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.unshift(getComputedStyle(at).backgroundColor);
    return layers;
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || element.closest("svg, option, audio") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const layers = behind(element);
    const [a, b] = [light(paint(layers)), light(paint([...layers, style.color]))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < least) poor.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


COLOUR_RULES = ("color-contrast", "link-in-text-block")  # of axe; what the others look at is the same in the dark

# A page is what it will be: its fonts are there, what its scripts asked for has come, and nothing moves any more.
COUNT_FETCHES = """(() => {
  const fetch = window.fetch;
  window.fetching = 0;
  window.fetch = (...asked) => {
    window.fetching += 1;
    return fetch(...asked).finally(() => { window.fetching -= 1; });
  };
})()"""
SETTLED = """async () => {
  const drawn = () => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
  await document.fonts.ready;
  do await drawn(); while (window.fetching);
  await drawn();
  await Promise.allSettled(document.getAnimations().map((each) => each.finished));
}"""


@dataclass
class Visit:
    """One page of the browser, inside Airflow or alone, and all that it complained of."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def go(self, path: str) -> Page:
        """Open a page of the app alone."""
        self.page.goto(f"{self.url}/archive/{path}")
        return self.page

    def go_framed(self, path: str = "") -> Frame:
        """Open a page of the app as Airflow shows it, and return its frame."""
        self.page.goto(f"{self.url}/plugin/recordings{f'/archive/{path}' if path else ''}")
        inner = self.page.wait_for_selector("iframe")
        assert inner
        frame = inner.content_frame()
        assert frame
        frame.wait_for_selector("main")
        return frame

    def _hear(self, message: ConsoleMessage) -> None:
        """Errors of our pages; Airflow's own are not ours to judge, but for what its policy or ours refused."""
        ours = "/archive/" in message.location.get("url", "") or "Content Security Policy" in message.text
        if message.type == "error" and ours:
            self.complaints.append(f"{message.text} {message.location.get('url', '')}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; where there is none the test is skipped, but not in CI."""
    if not CHROMIUM.exists() and os.environ.get("CI") != "true":
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield browser
        browser.close()


def sign_in(browser: Browser, site: Site, role: str = ROLE) -> Any:
    """Sign in by Airflow's own form, with the role as name and password; return the cookies for other contexts."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(site.url)
    page.fill("input[name=username]", role)
    page.fill("input[name=password]", role)
    page.click("button[type=submit]")
    page.get_by_text("Recordings", exact=True).wait_for()
    state = context.storage_state()
    context.close()
    return state


def new_context(browser: Browser, state: Any, *, dark: bool = False, zone: str = "UTC") -> BrowserContext:
    """A window of its own, signed in when ``state`` says so."""
    return browser.new_context(
        storage_state=state,
        viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme="dark" if dark else "light",
        timezone_id=zone,
        locale="en-GB",
    )


def axe(page: Page, *, colours_only: bool = False) -> list[str]:
    """What axe-core finds wrong with a page: the rule, the element and what to do."""
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    options = {"resultTypes": ["violations"], **({"runOnly": list(COLOUR_RULES)} if colours_only else {})}
    found = page.evaluate("async (options) => (await axe.run(document, options)).violations", options)
    return [f"{each['id']}: {node['html'][:160]}: {node['failureSummary']}" for each in found for node in each["nodes"]]


def shoot(page: Page, name: str) -> None:
    """Keep a picture of the page in the folder that SCREENSHOTS names, if it does."""
    if folder := os.environ.get("SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        try:
            page.screenshot(path=Path(folder) / f"{name}.png")
        except Error as error:
            pytest.fail(f"no screenshot of {name}: {error}")
