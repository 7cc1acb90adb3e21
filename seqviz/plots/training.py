"""Pictures of training: the loss beside the score of knowing nothing, accuracy in groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from seqviz.plots.style import MUTED, describe, figure, style


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of each `window` values in a row, `(step − window + 1,)`."""
    window = min(window, len(values))
    return np.convolve(values, np.ones(window) / window, mode="valid")


def loss_curves(
    curves: Mapping[str, Sequence[np.ndarray]],
    chance: float,
    window: int = 25,
    name: str = "Loss",
    every: int = 1,
) -> go.Figure:
    """Loss by training step, a line for each seed, with the loss of knowing nothing.

    `curves` maps a model's style to its runs `(step,)`; each line is a running mean of `window`
    values. Where each value is itself a mean of several steps, `every` says of how many.
    """
    fig = figure(
        height=360,
        xaxis={"title": {"text": "Training step"}},
        yaxis={
            "title": {"text": f"{name} (mean of {window * every} steps)"}, "rangemode": "tozero",
        },
    )  # fmt: skip
    sentences = []
    for key, runs in curves.items():
        look = style(key)
        for i, run in enumerate(runs):
            smooth = running_mean(np.asarray(run, dtype=np.float64), window)
            fig.add_scatter(
                x=every * (np.arange(len(smooth)) + window), y=smooth, mode="lines",
                line=look.line(2), name=look.label, legendgroup=key, showlegend=i == 0,
                hovertemplate="step %{x}: %{y:.3f}",
            )  # fmt: skip
        ends = [float(np.mean(run[-window:])) for run in runs]
        said = ", ".join(f"{end:.3f}" for end in ends)
        whose = look.label if len(curves) > 1 else f"The {name.lower()}"
        sentences.append(f"{whose} ends at {said}.")
    fig.add_hline(y=chance, line={"color": MUTED, "width": 1.5, "dash": "dash"})
    fig.add_annotation(
        x=1, xref="paper", xanchor="right", y=chance, yanchor="bottom",
        text=f"knowing nothing: {chance:.3f}",
    )  # fmt: skip
    return describe(fig, " ".join(sentences))


def accuracy_bars(
    groups: Sequence[str], accuracy: Mapping[str, np.ndarray], chance: float, axis: str
) -> go.Figure:
    """Accuracy by group for each model, with chance; `accuracy` is `(seed, group)` a model."""
    fig = figure(
        height=380,
        margin={"r": 64},
        barmode="group",
        xaxis={"title": {"text": axis}, "tickvals": list(range(len(groups))),
               "ticktext": list(groups)},
        yaxis={"title": {"text": "Accuracy (%)"}, "range": [0, 105],
               "dtick": 25},
    )  # fmt: skip
    for key, values in accuracy.items():
        look = style(key)
        mean = 100 * values.mean(0)
        spread = 100 * np.stack([values.max(0) - values.mean(0), values.mean(0) - values.min(0)])
        fig.add_bar(
            x=np.arange(len(groups)), y=mean, name=look.label, marker=look.bar(),
            error_y={"array": spread[0], "arrayminus": spread[1], "color": MUTED, "width": 3},
            hovertemplate="%{y:.0f} %",
        )  # fmt: skip
    fig.add_hline(y=100 * chance, line={"color": MUTED, "width": 1.5, "dash": "dash"})
    fig.add_annotation(x=1, xref="paper", xanchor="left", y=100 * chance, xshift=4, text="chance")
    best = {key: 100 * float(values.mean()) for key, values in accuracy.items()}
    said = ", ".join(f"{style(key).label} {value:.0f} %" for key, value in best.items())
    return describe(fig, f"Mean accuracy over all groups and seeds: {said}.")
