"""Pictures of temporal convolutions: what an output sees, how gradients reach it, who wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from seqviz.plots.gradients import relative_to_last, to_exponents
from seqviz.plots.style import MUTED, describe, escape, figure, power, powers_of_ten, style


def tree_paths(kernel_size: int, dilations: Sequence[int], steps: int) -> list[np.ndarray]:
    """Count the paths from the output at lag 0 down to each node, a (steps,) array a layer.

    The first array is the output's own layer, the last one the inputs; index is the lag.
    """
    counts = [np.zeros(steps, dtype=np.int64)]
    counts[0][0] = 1
    for dilation in reversed(dilations):
        below = np.zeros(steps, dtype=np.int64)
        for j in range(kernel_size):
            reach = j * dilation
            below[reach:] += counts[-1][: max(steps - reach, 0)]
        counts.append(below)
    return counts


def receptive_tree(
    kernel_size: int, dilations: Sequence[int], lag: int, steps: int = 32
) -> go.Figure:
    """The tree of inputs that one output sees, with all paths to the input at `lag` highlighted.

    One convolution a layer, `dilations` from the first layer to the last; `steps` inputs are shown,
    the present at the right. Raises ValueError if the lag is not within 0 … steps - 1, or for more
    than 256 steps: a lag is one byte on a page.
    """
    if steps > 256:
        raise ValueError(f"A tree shows at most 256 inputs, not {steps}.")
    if not 0 <= lag < steps:
        raise ValueError(f"lag must lie between 0 and {steps - 1}, got {lag}.")
    depth = len(dilations)
    down = tree_paths(kernel_size, dilations, steps)[::-1]  # inputs first
    up = [np.zeros(steps, dtype=np.int64) for _ in range(depth + 1)]  # paths from the input
    up[0][lag] = 1
    for level, dilation in enumerate(dilations):
        for j in range(kernel_size):
            reach = j * dilation
            up[level + 1][: steps - reach] += up[level][reach:] if reach < steps else 0
    fig = figure(
        height=110 + 62 * (depth + 1),
        showlegend=False,
        xaxis={"title": {"text": "Lag (time steps before the output)"}, "dtick": 4,
               "range": [steps - 0.4, -0.9], "showgrid": False},
        yaxis={"tickvals": list(range(depth + 1)), "range": [-0.4, depth + 0.4], "showgrid": False,
               "ticktext": ["inputs", *(f"layer {n}<br>dilation {d}"
                                        for n, d in enumerate(dilations, 1))]},
    )  # fmt: skip
    on_path = [(d > 0) & (u > 0) for d, u in zip(down, up)]
    for nodes, color, width, size in (
        ([d > 0 for d in down], MUTED, 1, 6),
        (on_path, style("tcn").color, 3, 9),
    ):
        x, y = _walk(nodes, kernel_size, dilations)
        fig.add_scatter(
            x=x, y=y, mode="lines", hoverinfo="skip", line={"color": color, "width": width}
        )
        y, x = np.nonzero(nodes)
        fig.add_scatter(
            x=x.astype(np.uint8), y=y.astype(np.uint8), mode="markers",
            customdata=np.array([down[level][at] for level, at in zip(y, x)], dtype=np.float64),
            hovertemplate="level %{y}, lag %{x}<br>paths to the output: %{customdata}"
            "<extra></extra>",
            marker={"color": color, "size": size, "symbol": "circle"},
        )  # fmt: skip
    missed = not down[0][lag]
    fig.add_scatter(
        x=[lag], y=[0], mode="markers", hoverinfo="skip",
        marker={"symbol": "x" if missed else "circle-open", "size": 10 if missed else 15,
                "color": "#d1495b" if missed else style("tcn").color, "line": {"width": 2}},
    )  # fmt: skip
    return describe(fig, _tree_sentence(kernel_size, dilations, lag, int(down[0][lag]), steps))


def _walk(
    nodes: Sequence[np.ndarray], kernel_size: int, dilations: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """One line along every edge between `nodes` and back, from the output: its lags and levels."""
    x, y = [], []
    visited = set()

    def visit(level: int, lag: int) -> None:
        x.append(lag)
        y.append(level)
        if level == 0 or (level, lag) in visited:
            return
        visited.add((level, lag))
        for below in lag + dilations[level - 1] * np.arange(kernel_size):
            if below < len(nodes[0]) and nodes[level - 1][below]:
                visit(level - 1, int(below))
                x.append(lag)
                y.append(level)

    if nodes[-1][0]:
        visit(len(dilations), 0)
    return np.array(x, dtype=np.uint8), np.array(y, dtype=np.uint8)


def _tree_sentence(
    kernel_size: int, dilations: Sequence[int], lag: int, paths: int, steps: int
) -> str:
    field = 1 + (kernel_size - 1) * sum(dilations)
    layers = f"{len(dilations)} layer{'s' if len(dilations) > 1 else ''}"
    drawn = f", of which {steps} are drawn" if field > steps else ""
    start = f"Through {layers} the output sees {field} inputs, lags 0 to {field - 1}{drawn}."
    if not paths:
        return f"{start} The input at lag {lag} is not among them: no training can change that."
    hops = f"{len(dilations)} hop{'s' if len(dilations) > 1 else ''}"
    lead = "One path" if paths == 1 else f"{paths} paths"
    return f"{start} {lead} of {hops} lead{'s' if paths == 1 else ''} to the input at lag {lag}."


def receptive_fields(
    depths: Sequence[int],
    fields: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    chosen: int | None = None,
) -> go.Figure:
    """Receptive field by depth: the formula as a line, the measured one as marks, on a log axis.

    `fields` maps a model's style to (formula, measured), each (depth,). `chosen` is a depth to
    mark.
    """
    top = 4
    fig = figure(
        height=380,
        xaxis={"title": {"text": "Depth (layers or blocks)"}, "dtick": 1,
               "range": [depths[0] - 0.4, depths[-1] + 0.4]},
        yaxis={"title": {"text": "Receptive field (time steps)"}, "range": [-0.1, top + 0.15],
               **powers_of_ten(0, top, 1)},
    )  # fmt: skip
    sentences = []
    for n, (key, (formula, measured)) in enumerate(fields.items()):
        look = style(key)
        fig.add_scatter(
            x=list(depths), y=np.log10(formula), mode="lines", line=look.line(),
            name=f"{look.label}, formula", customdata=np.asarray(formula),
            hovertemplate="depth %{x}: %{customdata} steps",
        )  # fmt: skip
        fig.add_scatter(
            x=list(depths), y=np.log10(measured), mode="markers", name=f"{look.label}, gradient",
            # Each further model is drawn around the one before, where both have one value.
            marker={"symbol": look.symbol + "-open" * (n > 0), "size": 11 + 7 * n,
                    "color": look.color, "line": {"width": 2 * (n > 0)}},
            customdata=np.asarray(measured), hovertemplate="depth %{x}: %{customdata} steps",
        )  # fmt: skip
        at = depths.index(chosen) if chosen is not None else len(depths) - 1
        equal = (
            "the gradient finds the same number"
            if list(formula) == list(measured)
            else f"the gradient finds {measured[at]:,.0f}"
        )
        sentences.append(
            f"{look.label}: {formula[at]:,.0f} time steps at depth {depths[at]} by the formula; "
            f"{equal}."
        )
    if chosen is not None:
        fig.add_vline(x=chosen, line={"color": MUTED, "width": 1, "dash": "dot"})
    return describe(fig, " ".join(sentences))


def input_gradient_by_lag(
    curves: Mapping[str, np.ndarray], low: int = -16, high: int = 4
) -> go.Figure:
    """‖∂L/∂x_t‖ by lag T - t, relative to ‖∂L/∂h_T‖, where h_T is what the head reads.

    `curves` maps a model's style to the ratios `(time,)`, in order of time. The axis counts powers
    of ten; exact zeros fall out of it below.
    """
    fig = figure(
        height=400,
        showlegend=len(curves) > 1,
        xaxis={"title": {"text": "Lag T − t (time steps)"}},
        yaxis={"title": {"text": "‖∂L/∂x<sub>t</sub>‖ / ‖∂L/∂h<sub>T</sub>‖"},
               "range": [low, high], **powers_of_ten(low, high, 4)},
    )  # fmt: skip
    sentences = []
    for key, ratios in curves.items():
        look, values = style(key), np.asarray(ratios, dtype=np.float64)[::-1]
        fig.add_scatter(
            x=np.arange(len(values)), y=to_exponents(values), mode="lines",
            name=look.label, line=look.line(), hovertemplate="lag %{x}: 10<sup>%{y:.1f}</sup>",
        )  # fmt: skip
        reached = np.flatnonzero(values)
        last = int(reached[-1]) if len(reached) else 0
        end = f"{power(values[last])} at lag {last}"
        beyond = ", and exactly zero beyond" if last < len(values) - 1 else ""
        sentences.append(f"{look.label}: {power(values[0])} at lag 0, {end}{beyond}.")
    fig.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    return describe(fig, " ".join(sentences))


def gradient_by_layer(curves: Mapping[str, np.ndarray], low: int = -8, high: int = 2) -> go.Figure:
    """‖∂L/∂hˡ‖ by layer, relative to the last layer; `curves` maps a style to norms (layer,)."""
    fig = figure(
        height=380,
        xaxis={"title": {"text": "Block (1 is nearest to the inputs)"}, "dtick": 1},
        yaxis={"title": {"text": "‖∂L/∂h<sup>l</sup>‖ relative to the last block"},
               "range": [low, high], **powers_of_ten(low, high, 2)},
    )  # fmt: skip
    sentences = []
    for key, norms in curves.items():
        look = style(key)
        values = relative_to_last(norms)[::-1]
        fig.add_scatter(
            x=np.arange(1, len(values) + 1), y=to_exponents(values),
            mode="lines+markers", name=look.label, line=look.line(),
            marker={"symbol": look.symbol, "size": 9, "color": look.color},
            hovertemplate="block %{x}: 10<sup>%{y:.1f}</sup>",
        )  # fmt: skip
        sentences.append(f"{look.label}: the first block gets {power(values[0])} of the last one.")
    fig.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    return describe(fig, " ".join(sentences))


def skills(groups: Sequence[str], skill: Mapping[str, np.ndarray]) -> go.Figure:
    """The skill of each model by task, a mark for each seed: 0 is knowing nothing, 1 is perfect.

    `skill` maps a model's style to `(task, seed)`.
    """
    fig = figure(
        height=100 + 62 * len(groups),
        margin={"l": 110},
        xaxis={"title": {"text": "Skill (1: perfect)"}, "range": [-0.12, 1.08],
               "dtick": 0.25},
        yaxis={"tickvals": list(range(len(groups))), "ticktext": list(groups), "ticks": "",
               "range": [len(groups) - 0.5, -0.5], "showgrid": False},
    )  # fmt: skip
    for n, (key, values) in enumerate(skill.items()):
        look = style(key)
        offset = 0.25 * (n - (len(skill) - 1) / 2)
        rows = np.repeat(np.arange(len(groups)), values.shape[1]) + offset
        fig.add_scatter(
            x=values.ravel(), y=rows, mode="markers", name=look.label,
            marker={"symbol": look.symbol, "size": 10, "color": look.color, "opacity": 0.85},
            hovertemplate="%{x:.3f}",
        )  # fmt: skip
    for edge in range(1, len(groups)):
        fig.add_hline(y=edge - 0.5, line={"color": MUTED, "width": 0.5, "dash": "dot"})
    for at in (0, 1):
        fig.add_vline(x=at, line={"color": MUTED, "width": 1.5, "dash": "dash"})
    worst = "; ".join(
        f"{group}: "
        + ", ".join(f"{style(k).label} {round(v[i].min(), 2) + 0:.2f}" for k, v in skill.items())
        for i, group in enumerate(groups)
    )
    return describe(fig, f"Worst skill of the seeds. {worst}.")


def published_ratio(
    rows: Mapping[str, tuple[str, float, float]], rival: str, low: int = -4, high: int = 1
) -> go.Figure:
    """The TCN's score divided by a rival's, by task, on a log axis.

    `rows` maps a task to (measure, TCN, rival); every measure is one of which less is better, so
    that below 1 the TCN wins. `rival` is a model's style.
    """
    ratio = np.array([tcn / other for _, tcn, other in rows.values()])
    names, look = list(rows), style(rival)
    fig = figure(
        height=130 + 32 * len(rows),
        margin={"l": 150},
        xaxis={"title": {"text": f"TCN ÷ {look.label} (log scale)"},
               "range": [low - 0.2, high + 0.2], **powers_of_ten(low, high, 2)},
        yaxis={"tickvals": list(range(len(rows))), "ticktext": [escape(name) for name in names],
               "ticks": "", "range": [len(rows) - 0.5, -0.6]},
    )  # fmt: skip
    for key, wins in (("tcn", True), (rival, False)):
        at = np.flatnonzero((ratio < 1) == wins)
        scores = [list(rows.values())[i] for i in at]
        fig.add_scatter(
            x=np.log10(ratio[at]), y=at, mode="markers", name=f"{style(key).label} is better",
            text=[f"{measure}: TCN {tcn:,g}, {look.label} {other:,g}"
                  for measure, tcn, other in scores],
            marker={"symbol": style(key).symbol, "size": 13, "color": style(key).color},
            hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    fig.add_vline(x=0, line={"color": MUTED, "width": 1.5, "dash": "dash"})
    lost = [name for name, r in zip(names, ratio, strict=True) if r >= 1]
    close = int(((ratio > 0.9) & (ratio < 1)).sum())
    return describe(
        fig,
        f"The TCN is better than {look.label} on {len(rows) - len(lost)} of {len(rows)} tasks"
        f"{'; not on ' + ' and '.join(lost) if lost else ''}. On {close} of those it is better by "
        f"less than a tenth.",
    )


def pixel_map(values: np.ndarray, title: str, sentence: str) -> go.Figure:
    """A small image (row, column), such as a digit or the gradient of each of its pixels."""
    rows, columns = values.shape
    fig = figure(
        height=340,
        xaxis={"title": {"text": "Column (pixels)"}, "dtick": 1, "constrain": "domain",
               "showgrid": False},
        yaxis={"title": {"text": "Row (pixels)"}, "dtick": 1, "scaleanchor": "x",
               "range": [rows - 0.5, -0.5], "constrain": "domain", "showgrid": False},
    )  # fmt: skip
    order = np.arange(values.size).reshape(rows, columns) + 1
    fig.add_heatmap(
        x=np.arange(columns), y=np.arange(rows), z=values, customdata=order, zmin=0, zmax=1,
        hovertemplate="time step %{customdata}: %{z:.2f}<extra></extra>",
        colorbar={"title": {"text": title, "side": "right"}},
    )  # fmt: skip
    return describe(fig, sentence)
