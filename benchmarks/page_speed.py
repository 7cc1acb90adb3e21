"""How fast a figure of the built page answers the reader, and what a page weighs."""

from __future__ import annotations

import gzip
import statistics
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Page, Request, sync_playwright

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
PAGE = "chapters/opening.html"
FIGURE, CONTROL = "first-gradient", "spectral_radius"
LIMIT = 1.15
HTML_LIMIT = 600_000  # bytes
FIRST_VISIT_LIMIT = 1_500_000  # bytes, each file compressed by gzip
ON_DEMAND = ("/grids/", ".wasm", "/ort")  # what loads when the reader comes near or presses Train

# Every figure is captured on its way to plotly, so that the bare call draws the very same one.
MEASURE = """async ([name, control, repeats]) => {
  const figure = document.getElementById(name);
  const input = document.getElementById(`sv-${name}-${control}`);
  const plot = figure.querySelector(".sv-plot");
  const bare = plot.cloneNode(false);
  bare.removeAttribute("class");
  bare.style.width = `${plot.clientWidth}px`;
  figure.after(bare);

  const move = (position) => {
    input.value = position;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  };
  // Plotly writes into what it is given; but the template is one object for all figures, and a new
  // one at each call would have to be read anew.
  const copy = ({ data, layout: { template, ...layout } }) =>
    ({ data: structuredClone(data), layout: { ...structuredClone(layout), template } });
  const count = Number(input.max) + 1;
  const captured = [];
  const react = Plotly.react;
  Plotly.react = (element, data, layout, config) => {
    captured.push({ ...copy({ data, layout }), config });
    return react(element, data, layout, config);
  };
  for (let i = 0; i < count; i++) move(i);
  Plotly.react = react;

  const frame = () => new Promise((done) => requestAnimationFrame(done));
  // A message sent within a frame arrives when that frame is painted. (The next frame may begin as
  // late as a sixtieth of a second after, with or without a limit, which has hidden all else.)
  const afterwards = () => new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    port2.postMessage(null);
  });
  const painted = async (element, draw) => {
    await frame();
    const start = performance.now();
    const plotted = new Promise((done) => element.once("plotly_afterplot", done));
    draw();
    await plotted;
    await frame();
    await afterwards();
    return performance.now() - start;
  };
  const ours = [], base = [];
  await Plotly.newPlot(bare, copy(captured[0]).data, copy(captured[0]).layout);
  for (let i = 0; i < repeats; i++) {
    const at = (i * 7) % count; // a reader's drag, not the same figure again
    const { data, layout } = copy(captured[at]);
    const { config } = captured[at];
    const both = [
      async () => ours.push(await painted(plot, () => move(at))),
      async () => base.push(await painted(bare, () => Plotly.react(bare, data, layout, config))),
    ];
    for (const run of i % 2 ? both : both.reverse()) await run();
  }
  const same = (p) => JSON.stringify(p.data, (_, v) => (ArrayBuffer.isView(v) ? [...v] : v));
  if (same(plot) !== same(bare)) throw new Error("The two plots do not show the same figure.");
  return [ours, base];
}"""

SCROLL = """async () => {
  for (const figure of document.querySelectorAll("figure.sv-figure")) {
    figure.scrollIntoView();
    while (!figure.dataset.drawn) await new Promise((wake) => setTimeout(wake, 20));
  }
}"""


def first_visit(page: Page, address: str, path: str, site: Path = SITE) -> int:
    """Compressed bytes of all that a reader's first visit to a page loads, scrolled to its end.

    Large grids and engines that come when the reader scrolls to them or asks for them are not
    counted; one that loads before the reader scrolls is. Each file is compressed by gzip, level 6.
    """
    at_once: set[str] = set()
    loaded = at_once
    scrolled: set[str] = set()
    under_way: set[Request] = set()
    page.on("request", lambda request: loaded.add(urlsplit(request.url).path))
    page.on("request", lambda request: under_way.add(request))
    for end in ("requestfinished", "requestfailed"):
        page.on(end, lambda request: under_way.discard(request))
    page.goto(f"{address}/{path}", wait_until="networkidle")
    loaded = scrolled
    page.evaluate(SCROLL)
    # Not until Playwright calls the network idle: once a page has opened and closed a worker, that
    # may never come, although no request is under way.
    quiet = 0
    for _ in range(300):
        page.wait_for_timeout(50)
        quiet = 0 if under_way else quiet + 1
        if quiet == 10:
            break
    else:
        raise TimeoutError(f"Still loading: {', '.join(r.url for r in under_way)}.")
    counted = at_once | {p for p in scrolled if not any(mark in p for mark in ON_DEMAND)}
    root = unquote(urlsplit(address).path)
    files = [site / unquote(p).removeprefix(root).lstrip("/") for p in counted]
    return sum(len(gzip.compress(f.read_bytes(), 6)) for f in files if f.is_file())


def measure(repeats: int = 50, loads: int = 5) -> list[dict]:
    """Time the slider of the opening page against a bare `Plotly.react`, and weigh the pages."""
    if not (SITE / PAGE).is_file():
        raise FileNotFoundError(f"There is no built page {PAGE}: run `make book` first.")
    sys.path.insert(0, str(ROOT / "tests"))
    from find_chromium import find

    with sync_playwright() as playwright:
        # Without a frame rate limit a frame follows the work at once; else both would be rounded
        # up to the same sixtieth of a second and no difference could show.
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-frame-rate-limit",
                     "--disable-gpu-vsync"]  # fmt: skip
        browser = playwright.chromium.launch(executable_path=find(), args=arguments)
        ours, base = [], []
        for _ in range(loads):  # one page differs from the next by more than a call from the other
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{SITE.as_uri()}/{PAGE}")
            page.evaluate(SCROLL)
            page.locator(f"figure[id='{FIGURE}']").scroll_into_view_if_needed()
            found = page.evaluate(MEASURE, [FIGURE, CONTROL, repeats])
            page.close()
            for times, new in zip((ours, base), found):
                times += new[repeats // 5 :]  # warm
        ours_ms, base_ms = statistics.median(ours), statistics.median(base)
        rows = [{
            "name": "input to painted on a page, against a bare Plotly.react",
            "ratio": ours_ms / base_ms, "limit": LIMIT, "ours_ms": ours_ms, "base_ms": base_ms,
        }]  # fmt: skip
        for path in sorted((SITE / "chapters").glob("*.html")):
            name = path.relative_to(SITE).as_posix()
            page = browser.new_page()
            first = first_visit(page, SITE.as_uri(), name)
            page.close()
            html = path.stat().st_size
            rows += [
                _weight(f"HTML of {name}", html, HTML_LIMIT),
                _weight(f"first visit to {name}, compressed", first, FIRST_VISIT_LIMIT),
            ]
        browser.close()
    return rows


def _weight(name: str, size: int, limit: int) -> dict:
    name = f"{name}: {size / 1000:.0f} of {limit / 1000:.0f} KB"
    return {"name": name, "ratio": size / limit, "limit": 1.0}


if __name__ == "__main__":
    for row in measure():
        print(row)
