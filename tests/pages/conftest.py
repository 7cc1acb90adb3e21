"""A real browser with the network cut, pointed at every page and figure of the built site."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from built_site import NO_SITE, SITE, figures, pages, served, source  # noqa: E402
from find_chromium import find  # noqa: E402

DRAW = """async (name) => {
  const all = [...document.querySelectorAll("figure.sv-figure")];
  for (const figure of name ? all.filter((f) => f.id === name) : all) {
    figure.scrollIntoView();
    const end = performance.now() + 15000;
    while (!figure.dataset.drawn) {
      if (performance.now() > end) throw new Error(`The figure ${figure.id} is not drawn.`);
      await new Promise((wake) => setTimeout(wake, 20));
    }
  }
  await globalThis.MathJax?.startup?.promise;
}"""

# What a figure shows: its data and layout as plotly holds them, typed arrays as lists.
SHOWN = """(name) => JSON.stringify(
  [...document.getElementById(name).querySelectorAll(".sv-plot")].map((p) => [p.data, p.layout]),
  (_, value) => ArrayBuffer.isView(value) ? Array.from(value) : value)"""

POSITIONS = """(name) => Object.fromEntries(
  [...document.getElementById(name).querySelectorAll(".sv-control")].map((control) => {
    const inputs = [...control.querySelectorAll("input")];
    const { id, type, value, checked } = inputs[0];
    if (type === "radio")
      return [inputs[0].name.slice(4 + name.length), inputs.findIndex((i) => i.checked)];
    return [id.slice(4 + name.length),
            type === "range" ? Number(value) : type === "checkbox" ? Number(checked) : value];
  }))"""


class Reader:
    """A page as one reader has it open, with a record of everything that went wrong on it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.own = urlsplit(address)[:2]  # scheme and host of our own files
        self.troubles: list[str] = []
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("response", self._response)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.troubles.append(f"page error: {error}"))

    def _request(self, request) -> None:
        if request.url.startswith(("data:", "blob:")):
            return
        if urlsplit(request.url)[:2] != self.own:
            self.troubles.append(f"a request leaves the site: {request.url}")

    def _failed(self, request) -> None:
        if request.failure != "net::ERR_ABORTED":  # what a reload interrupts
            self.troubles.append(f"{request.url} failed: {request.failure}")

    def _response(self, response) -> None:
        if response.status >= 400:
            self.troubles.append(f"{response.url} answers {response.status}")

    def _console(self, message) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"console {message.type}: {message.text}")

    def draw(self, name: str = "") -> None:
        """Scroll to one figure, or to each, until it is drawn."""
        self.page.evaluate(DRAW, name)

    def shown(self, name: str) -> list:
        """What the plots of a figure show now: data and layout of each."""
        return json.loads(self.page.evaluate(SHOWN, name))

    def positions(self, name: str) -> dict:
        """Where the controls of a figure stand."""
        return self.page.evaluate(POSITIONS, name)

    def figure(self, name: str):
        return self.page.locator(f"figure[id='{name}']")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # No name or address but our own server's is looked up: the network is cut for every tab.
    rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find(), args=["--no-sandbox", "--disable-gpu", rules]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with served() as address:
        yield address


@pytest.fixture(scope="module")
def contexts() -> dict:
    """Browser contexts by theme, width and so on; one serves many pages, and so does its cache."""
    return {}


@pytest.fixture
def visit(browser: Browser, server: str, contexts: dict) -> Iterator[Callable[..., Reader]]:
    """Opens a page, or a blank one; when the test is over, anything that went wrong on the page fails it."""
    readers: list[Reader] = []

    def visit(
        path: str = "", theme: str = "light", width: int = 1280, file: bool = False, **options
    ) -> Reader:
        key = (theme, width, file, *options.items())
        if key not in contexts:
            contexts[key] = browser.new_context(
                color_scheme=theme,
                viewport={"width": width, "height": 800},
                offline=file,
                **options,
            )
            contexts[key].set_default_timeout(15_000)
        address = SITE.as_uri() if file else server
        reader = Reader(contexts[key].new_page(), address)
        readers.append(reader)
        if path:
            reader.page.goto(f"{address}/{path}")
        return reader

    yield visit
    troubles = [trouble for reader in readers for trouble in reader.troubles]
    for reader in readers:
        reader.page.close()
    assert not troubles, "\n".join(dict.fromkeys(troubles))


def redirects(page: str) -> bool:
    return 'http-equiv="Refresh"' in source(page)


def pytest_generate_tests(metafunc) -> None:
    """Run a test that asks for a page, or a figure, on each one there is."""
    if not pages():
        pytest.fail(NO_SITE, pytrace=False)
    if "html_page" in metafunc.fixturenames:
        metafunc.parametrize("html_page", [p for p in pages() if not redirects(p)])
    if "figure" in metafunc.fixturenames:
        metafunc.parametrize("figure", figures(), ids=str)
