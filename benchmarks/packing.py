"""What packing a grid adds to calling the figure function at every point of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go

from seqviz import Choice, Slider, plots
from seqviz.explore.grid import pack, points

LIMIT = 1.5


def lines(rate: float, model: str) -> go.Figure:
    """A curve of 100 points, as most figures of the book are."""
    return plots.gradient_by_lag({model: rate ** np.arange(100.0)[::-1]})


def heatmap(rate: float, warm_up: str) -> go.Figure:
    """A map of 64 x 64 values."""
    steps = np.arange(64)
    half = {"slow": 40.0, "fast": 10.0}[warm_up]
    norms = (rate * steps[:, None] / (steps[:, None] + half) + 0.01) ** np.arange(64.0)[::-1]
    return plots.gradient_map(steps, norms)


RATES = Slider([round(0.5 + 0.01 * i, 2) for i in range(50)])
EXPLORABLES = {
    "packing a grid of lines": (lines, {"rate": RATES, "model": Choice(["rnn", "irnn"])}),
    "packing a grid of heatmaps": (heatmap, {"rate": RATES, "warm_up": Choice(["slow", "fast"])}),
}


def measure(repeats: int = 9) -> list[dict]:
    """Time both over the same 100 points, in turn; the medians in ms are those of a whole grid."""
    return [_compare(name, *made, repeats) for name, made in EXPLORABLES.items()]


def _compare(name: str, figure_for: Callable, controls: dict, repeats: int) -> dict:
    def base() -> None:
        for point in points(controls):
            figure_for(**{key: controls[key].at(i) for key, i in point.items()}).to_plotly_json()

    def ours() -> None:
        pack(figure_for, controls)

    times: dict[Callable, list[float]] = {base: [], ours: []}
    for repeat in range(repeats + 1):  # interleaved: a busy machine slows both alike
        for function in (base, ours) if repeat % 2 else (ours, base):
            start = time.perf_counter()
            function()
            times[function].append(1000 * (time.perf_counter() - start))
    ours_ms, base_ms = (statistics.median(times[function][1:]) for function in (ours, base))
    return {
        "name": name, "ratio": ours_ms / base_ms, "limit": LIMIT,
        "ours_ms": ours_ms, "base_ms": base_ms,
    }  # fmt: skip


if __name__ == "__main__":
    for row in measure():
        print(row)
