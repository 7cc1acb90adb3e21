"""A real browser with the network cut, pointed at every page and figure of the built site."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

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
  if (!name) await globalThis.MathJax?.startup?.promise;
}"""

# What a figure shows: its data and layout as plotly holds them, typed arrays as lists. Where an
# axis is tied to the scale of another, plotly works out the ranges anew at each drawing.
SHOWN = """(name) => {
  const tied = (p) => Object.values(p.layout).some((part) => part?.scaleanchor);
  const free = (p) => Object.fromEntries(Object.entries(p.layout).map(([key, part]) =>
    [key, /^[xy]axis/.test(key) && tied(p) ? { ...part, range: 0, domain: 0 } : part]));
  return JSON.stringify(
    [...document.getElementById(name).querySelectorAll(".sv-plot")].map((p) => [p.data, free(p)]),
    (_, value) => ArrayBuffer.isView(value) ? Array.from(value) : value);
}"""

POSITIONS = """(name) => Object.fromEntries(
  [...document.getElementById(name).querySelectorAll(".sv-control")]
  .filter((control) => control.querySelector("input")).map((control) => {
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
        if self._ours(request.url) and request.failure != "net::ERR_ABORTED":  # by a reload
            self.troubles.append(f"{request.url} failed: {request.failure}")

    def _response(self, response) -> None:
        if self._ours(response.url) and response.status >= 400:
            self.troubles.append(f"{response.url} answers {response.status}")

    def _console(self, message) -> None:
        if message.type in ("error", "warning") and self._ours(message.location.get("url", "")):
            self.troubles.append(f"console {message.type}: {message.text}")

    @staticmethod
    def _ours(url: str) -> bool:
        # The browser asks once for an icon of the server by itself, whatever the page names.
        return not url.endswith("/favicon.ico")

    def draw(self, name: str = "") -> None:
        """Scroll to one figure, or to each, until it is drawn."""
        self.page.evaluate(DRAW, name)

    def settle(self, name: str) -> None:
        """Wait until a figure has its answer, which the engine of the page may have to give."""
        self.page.wait_for_selector(f"figure[id='{name}']:not([aria-busy])")

    def shown(self, name: str) -> str:
        """What the plots of a figure show now, as JSON: data and layout of each."""
        self.settle(name)
        return self.page.evaluate(SHOWN, name)

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


class Visits:
    """Opens pages, in contexts that are shared by theme, width and so on, and so is their cache."""

    def __init__(self, browser: Browser, server: str, site: Path = SITE) -> None:
        self.browser, self.server, self.site = browser, server, site
        self.contexts: dict[tuple, BrowserContext] = {}
        self.kept: dict[tuple, Reader] = {}
        self.open: list[Reader] = []

    def __call__(
        self, path: str = "", theme: str = "light", width: int = 1280, file: bool = False, **options
    ) -> Reader:
        """Open a page, or a blank one; whatever goes wrong on it fails the test when it is over."""
        key = (theme, width, file, *options.items())
        if key not in self.contexts:
            self.contexts[key] = self.browser.new_context(
                color_scheme=theme,
                viewport={"width": width, "height": 800},
                offline=file,
                **options,
            )
            self.contexts[key].set_default_timeout(15_000)
        address = self.site.as_uri() if file else self.server
        reader = Reader(self.contexts[key].new_page(), address)
        self.open.append(reader)
        if path:
            reader.page.goto(f"{address}/{path}")
        return reader

    def again(self, path: str, **options) -> Reader:
        """Return to a page that stays open for other tests too, as they left it."""
        key = (path, *options.items())
        if key not in self.kept:
            self.kept[key] = self(path, **options)
            self.open.remove(self.kept[key])
        return self.kept[key]

    def end(self) -> list[str]:
        """Close what is not kept; what went wrong since the last time."""
        troubles = []
        for reader in [*self.open, *self.kept.values()]:
            troubles += reader.troubles
            reader.troubles.clear()
        for reader in self.open:
            reader.page.close()
        self.open.clear()
        return list(dict.fromkeys(troubles))


@pytest.fixture(scope="module")
def visits(browser: Browser, server: str) -> Visits:
    return Visits(browser, server)


@pytest.fixture
def visit(visits: Visits) -> Iterator[Visits]:
    """Opens pages; when the test is over, anything that went wrong on one of them fails it."""
    yield visits
    troubles = visits.end()
    assert not troubles, "\n".join(troubles)


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
