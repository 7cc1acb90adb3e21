"""What a move of a control costs in JupyterLab, against the figure function and a bare message."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
LIMIT = 1.5

# The figure of the opening chapter, and a widget that does no more than call the same function
# and answer with a number.
CELL = """
import anywidget, torch
import torch.nn.functional as F
import seqviz as sv

torch.set_num_threads(1)
words = (
    "the book that my sister lent me last summer while we stayed at the old lake house is"
).split()
vocabulary = sorted(set(words))
tokens = torch.tensor([[vocabulary.index(word) for word in words]])

def gradient_of(spectral_radius):
    model = sv.models.RNN(len(vocabulary), 64, 1, start="gaussian",
                          spectral_radius=spectral_radius).double()
    probe = sv.probes.state_gradients(model, tokens, torch.ones(1, 1).double(), F.mse_loss)
    return sv.plots.gradient_by_token(words, probe.state_grad_norm.numpy())

control = sv.Slider([round(0.1 * i, 1) for i in range(1, 21)])

class Bare(anywidget.AnyWidget):
    _esm = "export default { render({ model }) { globalThis.bare = model; } };"

    def __init__(self):
        super().__init__()
        self.on_msg(self.answer)

    def answer(self, _widget, position, _buffers):
        gradient_of(control.at(position))
        self.send(position)

display(sv.explore(gradient_of, name="round", caption="Round.", spectral_radius=control))
Bare()
"""

# From the input event until the answer is handed to plotly; from the message until its answer.
MEASURE = """async (repeats) => {
  const input = document.querySelector(".sv-slider input");
  const ask = (at) => new Promise((done) => {
    const react = Plotly.react;
    Plotly.react = () => { Plotly.react = react; done(); };
    input.value = at;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const send = (at) => new Promise((done) => {
    const receive = () => { bare.off("msg:custom", receive); done(); };
    bare.on("msg:custom", receive);
    bare.send(at);
  });
  const ours = [], base = [];
  const timed = async (times, call, at) => {
    const start = performance.now();
    await call(at);
    times.push(performance.now() - start);
    await new Promise((wake) => setTimeout(wake, 20)); // what the kernel still has to say
  };
  for (let i = 0; i < repeats; i++) {
    const at = ((7 * i) % 190) / 10; // a reader's drag, between the values of the grid
    const both = [() => timed(ours, ask, at), () => timed(base, send, at)];
    for (const run of i % 2 ? both : both.reverse()) await run();
  }
  return [ours, base];
}"""


def measure(repeats: int = 60) -> dict[str, str | float]:
    """Time both in one notebook, in turn, and return the medians in ms."""
    sys.path.insert(0, str(ROOT / "tests"))
    from find_chromium import find
    from notebook_app import Notebook, jupyter, write_notebook

    with tempfile.TemporaryDirectory() as name:
        write_notebook(Path(name) / "round.ipynb", [CELL])
        with jupyter(Path(name)) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=find(), args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            notebook = Notebook(page, address, "lab", "round.ipynb")
            notebook.run_all()
            notebook.figure().locator(".main-svg").first.wait_for()
            page.wait_for_function("globalThis.bare")
            notebook.idle()
            ours, base = page.evaluate(MEASURE, repeats)
            browser.close()
    warm = slice(repeats // 10, None)
    ours_ms, base_ms = statistics.median(ours[warm]), statistics.median(base[warm])
    return {
        "name": "a control's round trip in JupyterLab, against its function and a bare message",
        "ratio": ours_ms / base_ms,
        "limit": LIMIT,
        "ours_ms": ours_ms,
        "base_ms": base_ms,
    }


if __name__ == "__main__":
    print(measure())
