"""How long a figure of typed words takes from a key press until it is painted, on a built page."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
LIMIT = 100  # milliseconds
SENTENCE = (
    "the value of a name is the object that the name refers to and a function can return the "
    "value of the name in a class"
)
DATE = "March 5 2024 Tuesday and Wednesday 6 March 2024 and Friday 8"
TYPED = (  # page, figure, what is typed, after how many words
    ("transformer", "attention-steps", SENTENCE, (4, 12, 24)),
    ("seq2seq-attention", "typed-date", DATE, (1, 4, 12)),
    ("bag-of-words", "judged", SENTENCE, (4, 12, 24)),
)

# From the press to the second frame after the last plot: the first is painted when it begins.
WATCH = """(name) => {
  const figure = document.getElementById(name);
  const input = figure.querySelector("input[type=text]");
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  globalThis.times = [];
  input.addEventListener("keydown", (event) => {
    const before = input.value;
    const plots = [...figure.querySelectorAll(".sv-plot")].filter((plot) => !plot.hidden);
    const drawn = Promise.all(plots.map((plot) =>
      new Promise((done) => plot.once("plotly_afterplot", done))));
    drawn.then(frame).then(frame).then(() => {
      if (input.value !== before) times.push(performance.now() - event.timeStamp);
    });
  });
}"""


def _presses(page: Page, name: str, text: str, repeats: int) -> list[float]:
    """Times of typing the last letter of a text again and again, a new word each time."""
    field = page.locator(f"figure[id='{name}'] input[type=text]")
    field.fill(text)
    page.wait_for_selector(f"figure[id='{name}']:not([aria-busy])")
    page.wait_for_timeout(300)
    page.evaluate("times.length = 0")
    for i in range(repeats):
        page.keyboard.press("Backspace" if i % 2 else "s")
        page.wait_for_function("(count) => times.length === count", arg=i + 1)
        page.wait_for_timeout(30)
    return page.evaluate("times")


def measure(repeats: int = 24, site: Path = SITE) -> list[dict]:
    """Time real key presses at three lengths of text, once the engine is open."""
    sys.path.insert(0, str(ROOT / "tests"))
    from find_chromium import find

    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find(), args=["--no-sandbox", "--disable-gpu"]
        )
        for chapter, name, text, lengths in TYPED:
            path = site / "chapters" / f"{chapter}.html"
            if not path.is_file():
                raise FileNotFoundError(f"There is no built page {path}: run `make book` first.")
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"{path.as_uri()}#{name}")
            page.wait_for_selector(f"figure[id='{name}'][data-drawn]", timeout=60_000)
            page.locator(f"figure[id='{name}'] input[type=text]").click()
            page.wait_for_timeout(2000)  # the engine opens
            page.evaluate(WATCH, name)
            for count in lengths:
                times = _presses(page, name, " ".join(text.split()[:count]), repeats)
                # A letter more or less may make a word that the model does not know: the slower.
                ms = max(statistics.median(times[4::2]), statistics.median(times[5::2]))
                what = f"key press to painted, {name}, {count} word{'s' * (count > 1)}"
                rows.append({
                    "name": f"{what}: {ms:.0f} of {LIMIT} ms", "ratio": ms / LIMIT, "limit": 1.0,
                    "ours_ms": ms,
                })  # fmt: skip
            page.close()
        browser.close()
    return rows


if __name__ == "__main__":
    for row in measure(site=Path(sys.argv[1]) if sys.argv[1:] else SITE):
        print(row)
