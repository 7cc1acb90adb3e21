"""Pictures of a training that goes on: empty axes here, which the front end fills step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import plotly.graph_objects as go

from seqviz.plots.style import MODELS, MUTED, Style, escape, figure, powers_of_ten, style

METRICS = {"mse": "Mean squared error", "accuracy": "Accuracy"}
WINDOW = 25  # steps of a running mean
FAR = 10_000_000  # a step that no training reaches
AGAIN = (("#6d58ce", "6px 3px"), ("#b75694", "2px 4px"))  # colour and dash
LOW = -12  # power of ten at which a gradient counts as gone


def looks(models: dict[str, str]) -> list[Style]:
    """How each run looks, from its label and its model's style; equal models differ by dash."""
    seen: list[str] = []
    found = []
    for label, key in models.items():
        look = style(key) if key in MODELS else Style(label, MUTED, "solid", "circle", "")
        again = seen.count(key)
        seen.append(key)
        if again:  # the same model with another start
            color, dash = AGAIN[(again - 1) % len(AGAIN)]
            look = replace(look, color=color, dash=dash)
        found.append(replace(look, label=label))
    return found


def live_metric(runs: Sequence[Style], metric: str, chance: float, target: float) -> go.Figure:
    """The task's metric by training step, a line a run, with chance and target."""
    top = 1.05 if metric == "accuracy" else 1.6 * chance
    fig = _still("Training step", f"{METRICS[metric]} (mean of {WINDOW} steps)", height=360, top=64)
    fig.layout.xaxis.range, fig.layout.yaxis.range = [0, 100], [0, top]
    for look in runs:
        fig.add_scatter(
            x=[], y=[], mode="lines", name=escape(look.label), line=look.line(),
            hovertemplate="step %{x}: %{y:.3f}",
        )  # fmt: skip
    # In the legend, where no line can run through the words.
    for value, text, dash in ((chance, "chance", "dash"), (target, "target", "dot")):
        fig.add_scatter(
            x=[0, FAR], y=[value, value], mode="lines", name=f"{text}: {value:.3g}",
            line={"color": MUTED, "width": 1.5, "dash": dash}, hoverinfo="skip",
        )  # fmt: skip
    return fig


def live_gradient(runs: Sequence[Style], of_inputs: bool, length: int) -> go.Figure:
    """The gradient by lag at the step just taken, a line a run, in powers of ten."""
    what = "x" if of_inputs else "h"
    below = "the largest" if of_inputs else f"‖∂L/∂{what}<sub>T</sub>‖"
    axis = f"‖∂L/∂{what}<sub>t</sub>‖ / {below}"
    fig = _still("Lag T − t (time steps)", axis, height=360, top=64)
    low, high = (-8, 1) if of_inputs else (LOW, 3)
    fig.update_xaxes(range=[0, length - 1])
    fig.update_yaxes(range=[low - 0.5, high], **powers_of_ten(low, high, 2 if of_inputs else 3))
    for look in runs:
        fig.add_scatter(
            x=[], y=[], mode="lines", name=escape(look.label), line=look.line(),
            hovertemplate="lag %{x}: 10<sup>%{y:.1f}</sup>",
        )  # fmt: skip
    fig.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    return fig


def live_gradient_map(run: Style, of_inputs: bool, length: int) -> go.Figure:
    """The gradient by training step and lag for one run; dark means that little arrives."""
    what = "x" if of_inputs else "h"
    fig = _map(run.label, ("Training step", [0, 100]), ("Lag T − t", [length - 0.5, -0.5]))
    fig.add_heatmap(
        x=[], y=[], z=[], zmin=LOW, zmax=0,
        hovertemplate="step %{x}, lag %{y}: 10<sup>%{z:.1f}</sup><extra></extra>",
        colorbar={
            "title": {"text": f"relative ‖∂L/∂{what}<sub>t</sub>‖", "side": "right"},
            **_down_to(powers_of_ten(LOW, 0, 3)),
        },
    )  # fmt: skip
    return fig


def _down_to(ticks: dict) -> dict:
    """Ticks whose lowest also stands for all below it."""
    return {**ticks, "ticktext": ["≤ " + ticks["ticktext"][0], *ticks["ticktext"][1:]]}


def live_gate(run: Style, gate: str, length: int, units: int) -> go.Figure:
    """A gate of one run by time step and unit, on the first sequence of the batch."""
    fig = _map(run.label, ("Time step t", [0.5, length + 0.5]), ("Unit", [0.5, units + 0.5]))
    fig.add_heatmap(
        z=[], x0=1, dx=1, y0=1, dy=1, zmin=0, zmax=1,
        hovertemplate="step %{x}, unit %{y}: %{z:.2f}<extra></extra>",
        colorbar={"title": {"text": f"{gate} (1 is open)", "side": "right"}, "dtick": 0.25},
    )  # fmt: skip
    return fig


def live_attention(run: Style, length: int) -> go.Figure:
    """Attention of one run, mean of the heads of its last layer, on the batch's first sequence."""
    end = length + 0.5
    fig = _map(run.label, ("Key: looked at", [0.5, end]), ("Query: looking", [end, 0.5]), 400)
    fig.update_layout(margin={"l": 100, "b": 100})  # words may stand at the ticks
    fig.update_xaxes(title_standoff=62)
    fig.update_yaxes(title_standoff=62)
    fig.add_heatmap(
        z=[], x0=1, dx=1, y0=1, dy=1, zmin=0, zmax=1,
        hovertemplate="%{y} looks at %{x}: %{z:.3f}<extra></extra>",
        colorbar={"title": {"text": "weight", "side": "right"}},
    )  # fmt: skip
    return fig


def _map(label: str, x: tuple[str, list], y: tuple[str, list], height: int = 300) -> go.Figure:
    fig = _still(x[0], y[0], height, top=36)
    fig.layout.xaxis.range, fig.layout.yaxis.range = x[1], y[1]
    fig.add_annotation(
        x=0, xref="paper", xanchor="left", y=1, yref="paper", yanchor="bottom", text=escape(label),
        font={"size": 14},
    )  # fmt: skip
    return fig


def _still(x: str, y: str, height: int, top: int) -> go.Figure:
    """Axes that keep their place while numbers come and go."""
    return figure(
        height=height,
        margin={"l": 68, "r": 16, "t": top, "b": 52},
        showlegend=True,
        xaxis={"title": {"text": x}, "automargin": False},
        yaxis={"title": {"text": y}, "automargin": False},
    )
