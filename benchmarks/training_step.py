"""Training inside the page against PyTorch: steps, frames, the wait for the first step, weights."""

from __future__ import annotations

import base64
import functools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

import torch
from playwright.sync_api import Page, sync_playwright

from seqviz import models, tasks, train_live
from seqviz.book import STATIC, _script_json, figure_html
from seqviz.explore.explorable import BOOK_VARIABLE
from seqviz.live.live import LIVE_MIME
from seqviz.plots.style import TEMPLATES
from seqviz.step import TrainingStep
from seqviz.training import steps

ROOT = Path(__file__).parents[1]
LENGTH, BATCH, HIDDEN = 50, 32, 32
TASK = tasks.Adding(LENGTH)
MODELS = {  # with its limit, against eager PyTorch
    "RNN": (lambda: models.RNN(2, HIDDEN, 1), 1.0),
    "LSTM": (lambda: models.LSTM(2, HIDDEN, 1, forget_bias=3.0), 1.0),
    # Two that see all 50 steps: deeper, or with larger products, in which WebAssembly is slower.
    "TCN, kernel 2": (lambda: models.TCN(2, HIDDEN, 1, kernel_size=2, depth=5), 1.5),
    "TCN, kernel 3": (lambda: models.TCN(2, HIDDEN, 1, kernel_size=3, depth=4), 1.5),
    "Transformer": (lambda: models.Transformer(2, HIDDEN, 1), 2.5),
}
FRAMES = 30  # a second, at least
FIRST_STEP = 2.0  # seconds, at most
WEIGHT = 150_000  # bytes of a step

PAGE = """<!doctype html><html lang="en" data-theme="light"><meta charset="utf-8">
<link rel="stylesheet" href="style.css"><script src="style-templates.js" defer></script>
<script src="page.js" defer></script>
<body style="max-width: 800px; margin: auto">{figures}</body></html>"""
BUNDLE = """export { openWorker } from "./seqviz/front/worker.js";"""

# The worker is asked as the page asks it, one slice of some milliseconds after the other, and the
# time is counted within them.
TAKE = """async ([name, count]) => {
  const engine = engines[name];
  const begin = performance.now();
  const until = (engine.taken += count);
  while ((await engine.ask("run", { until, rate: 0.003, every: 1 })).taken < until);
  return (performance.now() - begin) / count;
}"""
OPEN = """async ([name, file, state]) => {
  const raw = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  globalThis.engines ??= {};
  const engine = await front.openWorker((script) => new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement("script"), { src: script });
    Object.assign(element, { onload: resolve, onerror: reject });
    document.head.append(element);
  }));
  await engine.ask("start", { feed: { kind: "adding", length: 50 }, seed: 0, size: 32,
    runs: [{ name, bytes: raw(file), state: new Float32Array(raw(state).buffer) }] });
  engines[name] = Object.assign(engine, { taken: 0 });
}"""
COUNT_FRAMES = """(seconds) => new Promise((done) => {
  const times = [];
  const frame = (now) => {
    times.push(now);
    if (now - times[0] < 1000 * seconds) return requestAnimationFrame(frame);
    done((times.length - 1) / (times.at(-1) - times[0]) * 1000);
  };
  requestAnimationFrame(frame);
})"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _served(folder: Path):
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _start():
    return TASK, {name: MODELS[name][0]() for name in ("RNN", "LSTM")}


def _page(folder: Path) -> None:
    """A page with one figure of two models and five pictures."""
    shutil.copytree(STATIC, folder, dirs_exist_ok=True)
    text = f"globalThis.seqvizTemplates={_script_json(TEMPLATES)};"
    (folder / "style-templates.js").write_text(text, encoding="utf-8")
    with mock.patch.dict(os.environ, {BOOK_VARIABLE: "1"}):
        live = train_live(
            _start, name="race", caption="RNN against LSTM.", steps=20, batch_size=BATCH,
            views=("metric", "gradient", "gradient map", "gates"),
        )  # fmt: skip
    spec = live._repr_mimebundle_()[LIVE_MIME]
    spec["steps"] = 1_000_000  # the recorded run need not be as long
    assert len(spec["packed"]["figures"]) == 5
    html = figure_html(spec, folder / "grids")
    (folder / "page.html").write_text(PAGE.format(figures=html), encoding="utf-8")


def _bundle() -> str:
    command = [
        ROOT / "node_modules" / ".bin" / "esbuild", "--bundle", "--format=iife",
        "--global-name=front", "--log-level=error",
    ]  # fmt: skip
    return subprocess.run(
        command, input=BUNDLE, cwd=ROOT, capture_output=True, check=True, text=True,
        encoding="utf-8",
    ).stdout  # fmt: skip


def _file(name: str) -> tuple[bytes, TrainingStep]:
    from seqviz.export import to_onnx

    step = TrainingStep(MODELS[name][0](), TASK, record=("state_grad_norm",))
    batch = TASK.batch(BATCH, 0)
    values = (step.start(), batch.inputs, batch.targets, torch.tensor(0.003))
    return to_onnx(step, dict(zip(("state", "inputs", "targets", "learning_rate"), values))), step


def _eager(name: str):
    """A function that takes steps in PyTorch and returns the milliseconds of each."""
    taken = steps(
        MODELS[name][0](), TASK, steps=10**9, learning_rate=0.003, batch_size=BATCH, seed=0
    )

    def take(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            next(taken)
        return 1000 * (time.perf_counter() - begin) / count

    return take


def _steps(page: Page, rounds: int, count: int) -> list[dict]:
    page.evaluate(f"{_bundle()}; globalThis.front = front; 0")
    rows = []
    for name, (_, limit) in MODELS.items():
        file, step = _file(name)
        state = base64.b64encode(step.start().numpy().tobytes()).decode()
        page.evaluate(OPEN, [name, base64.b64encode(file).decode(), state])
        eager = _eager(name)
        ours, base = [], []
        page.evaluate(TAKE, [name, 3 * count])
        eager(count)
        for i in range(rounds):  # in turns: a busy machine slows both alike
            for where in ("page", "kernel") if i % 2 else ("kernel", "page"):
                if where == "page":
                    ours.append(page.evaluate(TAKE, [name, count]))
                else:
                    base.append(eager(count))
        page.evaluate("(name) => engines[name].close()", name)
        rows.append({
            "name": f"a training step of the {name} in the page, against PyTorch",
            "ratio": statistics.median(a / b for a, b in zip(ours, base)), "limit": limit,
            "ours_ms": statistics.median(ours), "base_ms": statistics.median(base),
        })  # fmt: skip
        rows.append({
            "name": f"exported step of the {name}: {len(file) // 1000} of {WEIGHT // 1000} KB",
            "ratio": len(file) / WEIGHT, "limit": 1.0,
        })  # fmt: skip
    return rows


def _figure(page: Page, seconds: float) -> list[dict]:
    """From Train to the first step, and how often the page is drawn while it trains."""
    page.wait_for_selector("figure[data-drawn]")
    waited = page.evaluate(
        """() => new Promise((done) => {
          const status = document.querySelector(".sv-status");
          const begin = performance.now();
          new MutationObserver(() => {
            if (parseInt(status.textContent.slice(5)) > 0) done(performance.now() - begin);
          }).observe(status, { childList: true, characterData: true, subtree: true });
          document.querySelector(".sv-train").click();
        })"""
    )
    page.wait_for_timeout(3000)  # until the maps are full
    frames = page.evaluate(COUNT_FRAMES, seconds)
    shown = page.locator(".sv-status").inner_text()
    page.locator(".sv-train").click()
    return [
        {
            "name": f"Train pressed to the first step: {waited / 1000:.2f} of {FIRST_STEP} s",
            "ratio": waited / 1000 / FIRST_STEP, "limit": 1.0,
        },
        {
            "name": f"{frames:.0f} frames a second while 2 models train ({shown}), of {FRAMES}",
            "ratio": FRAMES / frames, "limit": 1.0,
        },
    ]  # fmt: skip


def measure(rounds: int = 15, count: int = 20) -> list[dict]:
    """Train in headless Chromium and in PyTorch in turns, and draw while two models train."""
    sys.path.insert(0, str(ROOT / "tests"))
    from find_chromium import find

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        _page(folder)
        browser = playwright.chromium.launch(
            executable_path=find(), args=["--no-sandbox", "--disable-gpu"]
        )
        with _served(folder) as address:
            page = browser.new_page(viewport={"width": 1280, "height": 1600})
            page.goto(f"{address}/page.html")
            rows = _figure(page, seconds=5)
            page.close()
            page = browser.new_page()
            page.goto(f"{address}/page.html")
            rows = _steps(page, rounds, count) + rows
        browser.close()
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    for row in measure():
        print(row)
