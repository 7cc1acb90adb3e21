"""Pictures of gated cells: what is written, kept and read, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from seqviz.plots.gradients import rate, relative_to_last, to_exponents
from seqviz.plots.style import (
    DIVERGING,
    MUTED,
    describe,
    escape,
    figure,
    power,
    powers_of_ten,
    style,
)

# A gate's look through the whole book: label, colour, dash, symbol.
GATES = {
    "input_gate": ("input gate i<sub>t</sub>", "#c7560f", "dash", "triangle-up"),
    "forget_gate": ("forget gate f<sub>t</sub>", "#3b7dd8", "solid", "circle"),
    "output_gate": ("output gate o<sub>t</sub>", "#14a38b", "dot", "square"),
    "update_gate": ("update gate z<sub>t</sub>", "#b75694", "longdash", "diamond"),
    "reset_gate": ("reset gate r<sub>t</sub>", "#7f7a2a", "dashdot", "x"),
}
STATES = {
    "cell": ("cell state c<sub>t</sub>", "#6d58ce", "solid", "circle"),
    "candidate": ("candidate n<sub>t</sub>", "#189ccc", "dash", "triangle-up"),
    "hidden": ("hidden state h<sub>t</sub>", "#c17c00", "dot", "square"),
}


def cell_steps(
    gates: Mapping[str, np.ndarray], events: Sequence[str], largest: float
) -> list[go.Figure]:
    """One unit step by step: its gates (0 to 1), then its states.

    `gates` maps input_gate, forget_gate, output_gate, cell and hidden to values `(time,)`, or, for
    a GRU, update_gate, reset_gate, candidate and hidden. `events` is one text a step, shown below
    its number; `largest` is the largest state that the second picture leaves room for.
    """
    steps = np.arange(1, len(gates["hidden"]) + 1)
    labels = [f"{step}<br>{escape(event)}" for step, event in zip(steps, events, strict=True)]
    x_axis = {
        "title": {"text": "Time step t, and what is on the input"}, "tickvals": steps.tolist(),
        "ticktext": labels, "tickangle": 0, "range": [0.5, len(steps) + 0.5],
    }  # fmt: skip
    titles = ("Gate (0 shut, 1 open)", "State")
    y_axes = ({"range": [-0.05, 1.05], "dtick": 0.5}, {"range": [-largest, largest], "dtick": 1})
    figures = []
    for looks, title, y_axis in zip((GATES, STATES), titles, y_axes):
        fig = figure(height=310, xaxis=x_axis, yaxis={"title": {"text": title}, **y_axis})
        for key in (key for key in looks if key in gates):
            label, color, dash, symbol = looks[key]
            fig.add_scatter(
                x=steps, y=gates[key], mode="lines+markers", name=label,
                line={"color": color, "dash": dash, "width": 2.5},
                marker={"color": color, "symbol": symbol, "size": 8},
                hovertemplate="step %{x}: %{y:.2f}",
            )  # fmt: skip
        figures.append(fig)
    figures[1].add_hline(y=0, line={"color": MUTED, "width": 1})
    is_lstm = "cell" in gates
    keeps = gates["forget_gate" if is_lstm else "update_gate"]
    held, hidden = gates["cell" if is_lstm else "hidden"], gates["hidden"]
    opened = int((gates["input_gate"] > 0.5).sum()) if is_lstm else 0
    first = f"The input gate opens at {opened} of {len(steps)} steps. " if is_lstm else ""
    gate = "forget" if is_lstm else "update"
    describe(
        figures[0], f"{first}The {gate} gate lies between {keeps.min():.2f} and {keeps.max():.2f}."
    )
    sizes = np.abs(held)
    peak = int((sizes > sizes.max() - 0.005).argmax())  # the first that is as far, to two digits
    state = "cell state" if is_lstm else "hidden state"
    far = f"The {state} is furthest from zero at step {peak + 1}, at {held[peak]:.2f}."
    end = f"At the last step it is {held[-1]:.2f}"
    describe(
        figures[1],
        f"{far if abs(held[peak]) > 0.05 else f'The {state} stays near zero.'} {end}"
        + (f", and the hidden state is {hidden[-1]:.2f}." if is_lstm else "."),
    )
    return figures


def gate_map(
    values: np.ndarray, gate: str, marks: Sequence[int] = (), unit_order: np.ndarray | None = None
) -> go.Figure:
    """A gate by time and unit: `values` is `(time, unit)` between 0 and 1, shown in percent.

    `marks` are time steps (from 0) to point at. Units are drawn in `unit_order`, or as they come.
    Raises ValueError for a value outside 0 to 1.
    """
    if not np.all((values >= 0) & (values <= 1)):  # a byte would wrap without a word
        raise ValueError(
            f"values must lie between 0 and 1, got {np.min(values):.3g} to {np.max(values):.3g}."
        )
    order = np.arange(values.shape[1]) if unit_order is None else np.asarray(unit_order)
    fig = figure(
        height=380,
        margin={"t": 40},
        xaxis={"title": {"text": "Time step t"}},
        yaxis={"title": {"text": "Unit (sorted)" if unit_order is not None else "Unit"}},
    )
    fig.add_heatmap(
        # Whole percents: one byte a cell on a page.
        z=np.round(100 * values[:, order].T).astype(np.uint8), x0=1, dx=1, y0=1, dy=1,
        zmin=0, zmax=100, customdata=None,
        hovertemplate="step %{x}, unit %{y}: %{z} %<extra></extra>",
        colorbar={"title": {"text": f"{gate} (% open)", "side": "right"}, "dtick": 25},
    )  # fmt: skip
    for mark in marks:
        fig.add_annotation(
            x=mark + 1, y=1, yref="paper", yanchor="bottom", text="▼", font={"size": 14}
        )
    mean = 100 * values.mean()
    sentence = f"Over all units and steps the {gate} is {mean:.0f} % open on average."
    rest = np.delete(np.arange(len(values)), list(marks))
    if not len(rest):
        sentence = f"Every step is marked. {sentence}"
    elif len(marks):
        at, off = 100 * values[list(marks)].mean(), 100 * values[rest].mean()
        sentence = (
            f"At the marked steps the {gate} is {at:.0f} % open on average over the units, "
            f"at all others {off:.0f} %."
        )
    return describe(fig, sentence)


def text_map(
    characters: Sequence[str], values: np.ndarray, name: str, columns: int = 30
) -> go.Figure:
    """A unit's state after each character of a text, as the character's colour, −1 to 1.

    The text reads line by line, `columns` characters a line; a space is shown as ·, a line break
    as ↵.
    """
    rows = -(-len(characters) // columns)
    size = rows * columns
    shown = [{"\n": "↵", " ": "·"}.get(c, escape(c)) for c in characters]
    grid = np.zeros(size, dtype=np.int16)
    grid[: len(values)] = np.round(100 * np.clip(values, -1, 1))
    text = np.array(shown + [""] * (size - len(shown)), dtype=object).reshape(rows, columns)
    fig = figure(
        height=110 + 44 * rows,
        margin={"l": 16, "r": 16, "t": 16},
        xaxis={"visible": False, "fixedrange": True},
        yaxis={"visible": False, "autorange": "reversed", "fixedrange": True},
    )
    fig.add_heatmap(
        z=grid.reshape(rows, columns), text=text.tolist(), texttemplate="%{text}",
        # Ink that reads on the whole scale: its ends are lighter than those of the theme.
        textfont={"size": 14, "color": "#14181e"}, zmin=-100, zmax=100,
        colorscale=[[0.0, "#6ea3dd"], [0.25, "#a9c8e8"], DIVERGING[2], [0.75, "#eab5a4"],
                    [1.0, "#e2806e"]],
        xgap=1, ygap=3, hovertemplate="%{text}: %{z} %<extra></extra>",
        colorbar={"title": {"text": f"{name} (%)", "side": "bottom"}, "orientation": "h",
                  "y": -0.02, "yanchor": "top", "dtick": 50, "len": 0.9, "x": 0.5},
    )  # fmt: skip
    high, low = int(np.argmax(values)), int(np.argmin(values))
    return describe(
        fig,
        f"The {name} is {100 * values[high]:.0f} % at its highest, after character {high + 1}, and "
        f"{100 * values[low]:.0f} % at its lowest, after character {low + 1}.",
    )


def cell_gradient(total: np.ndarray, direct: np.ndarray, low: int, high: int) -> go.Figure:
    """‖∂L/∂c_t‖ by lag beside what the product of forget gates alone gives; both `(time,)`."""
    look = style("lstm")
    fig = figure(
        height=430,
        xaxis={"title": {"text": "Lag T − t (time steps)"}},
        yaxis={
            "title": {"text": "‖∂L/∂c<sub>t</sub>‖ / ‖∂L/∂c<sub>T</sub>‖"},
            "range": [low, high], **powers_of_ten(low, high, 5),
        },
    )  # fmt: skip
    curves = {
        "recorded, every path": (relative_to_last(total), look.line()),
        "product of forget gates alone": (
            relative_to_last(direct), {"color": "#c17c00", "width": 2.5, "dash": "dot"},
        ),
    }  # fmt: skip
    for name, (values, line) in curves.items():
        fig.add_scatter(
            x=np.arange(len(values)), y=to_exponents(values), mode="lines",
            name=name, line=line, hovertemplate="lag %{x}: 10<sup>%{y:.1f}</sup>",
        )  # fmt: skip
    fig.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    (every, _), (alone, _) = curves.values()
    lag = len(every) - 1
    powers = [to_exponents(values) for values in (every, alone)]
    apart = np.nonzero(abs(powers[0] - powers[1]) > np.log10(2) + 1e-9)[0]
    parting = (
        f"They differ by more than a factor of 2 from lag {apart[0]} on."
        if len(apart)
        else "They never differ by more than a factor of 2."
    )
    return describe(
        fig,
        f"At lag {lag} the recorded gradient is {power(every[-1])} times the last, the product of "
        f"forget gates {power(alone[-1])}. {parting}",
    )


def gradient_by_depth(curves: Mapping[str, np.ndarray], low: int, high: int) -> go.Figure:
    """The gradient by how far it has come: time steps of a recurrent network, layers of a deep one.

    `curves` maps a model's style to norms `(time,)` or `(layer,)` in float64.
    """
    fig = figure(
        height=430,
        xaxis={"title": {"text": "Steps or layers back"}},
        yaxis={
            "title": {"text": "Gradient ‖∂L/∂h‖ relative to the last"},
            "range": [low, high], **powers_of_ten(low, high, 10),
        },
    )  # fmt: skip
    parts = []
    for key, norms in curves.items():
        look, values = style(key), relative_to_last(norms)
        fig.add_scatter(
            x=np.arange(len(values)), y=to_exponents(values), mode="lines",
            name=look.label, line=look.line(), hovertemplate="%{x} back: 10<sup>%{y:.1f}</sup>",
        )  # fmt: skip
        parts.append(f"{look.label} {power(values[-1])} ({rate(values):.2f} a step)")
    fig.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    return describe(fig, f"Furthest back the gradient is: {', '.join(parts)}.")


def cell_costs(
    costs: Mapping[str, Mapping[str, float]], spans: Mapping[str, tuple[int, int]]
) -> go.Figure:
    """What one step of each cell costs: `costs` maps a quantity with its unit to model -> number.

    Each quantity has a row of its own with a log axis, `spans` being the powers of ten at its ends,
    so that a ratio is a distance. Each mark carries its number, and its ratio to the first model.
    """
    # Each row takes six tenths of its share, and the last one ends at the bottom.
    share = 1 / (len(costs) - 0.4)
    fig = figure(height=130 * len(costs) + 20, showlegend=False, margin={"l": 56, "t": 8, "b": 44})
    for row, (quantity, values) in enumerate(costs.items()):
        suffix, top = "" if row == 0 else str(row + 1), 1 - row * share
        low, high = spans[quantity]
        fig.layout[f"xaxis{suffix}"] = {
            "title": {"text": quantity, "standoff": 4}, "anchor": f"y{suffix}",
            "range": [low, high], **powers_of_ten(low, high, 1),
        }  # fmt: skip
        fig.layout[f"yaxis{suffix}"] = {
            "domain": [max(top - 0.6 * share, 0), top], "anchor": f"x{suffix}", "ticks": "",
            "range": [len(values) - 0.4, -0.6], "tickvals": list(range(len(values))),
            "ticktext": [style(key).label.split(",")[0] for key in values],
        }  # fmt: skip
        first = next(iter(values.values()))
        fig.add_scatter(
            x=[np.log10(v) for v in values.values()], y=list(range(len(values))),
            xaxis=f"x{suffix}", yaxis=f"y{suffix}", mode="markers+text", name=quantity,
            marker={"color": [style(key).color for key in values], "size": 11,
                    "symbol": [style(key).symbol for key in values]},
            text=[f"  {_short(v)} ({v / first:.2f} ×)" for v in values.values()],
            textposition="middle right", textfont={"size": 12}, hoverinfo="skip",
            cliponaxis=False,
        )  # fmt: skip
    said = "; ".join(
        f"{quantity}: {', '.join(f'{style(key).label} {_short(v)}' for key, v in values.items())}"
        for quantity, values in costs.items()
    )
    return describe(fig, f"{said}.")


def _short(value: float) -> str:
    """A number in few letters: 4,224, 268 million, 0.48."""
    if value >= 1e6:
        return f"{value / 1e6:.3g} million"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def loss_by_length(
    lengths: np.ndarray, losses: Mapping[str, np.ndarray], chance: float, trained: int | None = None
) -> go.Figure:
    """Mean squared error by sequence length: `losses` maps a model's style to `(seed, length)`.

    The line is the median of the seeds, each mark one seed. `trained` points at the length that the
    models were trained at, where that is only one.
    """
    fig = figure(
        height=400,
        xaxis={
            "title": {"text": "Length T (time steps)"}, "type": "log",
            "tickvals": list(lengths), "ticktext": [f"{n:,}" for n in lengths], "tickangle": 0,
            "tickfont": {"size": 11},
        },
        yaxis={"title": {"text": "Mean squared error"}, "range": [-4.1, 1.2],
               **powers_of_ten(-4, 1, 1)},
    )  # fmt: skip
    parts = []
    for key, runs in losses.items():
        look, runs = style(key), np.asarray(runs, dtype=np.float64)
        exponents = np.log10(np.maximum(runs, 1e-12))
        fig.add_scatter(
            x=np.tile(lengths, len(runs)), y=exponents.ravel(), mode="markers", name=look.label,
            marker={"color": look.color, "symbol": look.symbol, "size": 8, "opacity": 0.7},
            showlegend=False, customdata=runs.ravel(), hovertemplate="T = %{x}: %{customdata:.4f}",
        )  # fmt: skip
        fig.add_scatter(
            x=lengths, y=np.median(exponents, 0), mode="lines", name=look.label, line=look.line(),
            hoverinfo="skip",
        )  # fmt: skip
        learned = [f"{n:,}" for n in lengths[np.median(runs, 0) < 0.3 * chance]]
        parts.append(f"{look.label} at {', '.join(learned) or 'no length'}")
    fig.add_hline(y=float(np.log10(chance)), line={"color": MUTED, "width": 1.5, "dash": "dash"})
    fig.add_annotation(
        x=0, xref="paper", xanchor="left", y=float(np.log10(chance)), yanchor="bottom",
        text=f"knowing nothing: {chance:.3f}",
    )  # fmt: skip
    if trained is not None:
        fig.add_vline(x=trained, line={"color": MUTED, "width": 1.5, "dash": "dot"})
    return describe(
        fig, f"Lengths at which the median seed explains 70 % of the variance: {'; '.join(parts)}."
    )


def correlation_bars(properties: Sequence[str], found: Mapping[str, np.ndarray]) -> go.Figure:
    """How well the best unit tracks each property: `found` maps a name to `(seed, property)`.

    Bars are the mean of the seeds, marks the seeds.
    """
    rows = np.arange(len(properties))
    fig = figure(
        height=110 + 62 * len(properties),
        barmode="group",
        bargap=0.35,
        xaxis={"title": {"text": "Size of the correlation"}, "range": [0, 1]},
        yaxis={"tickvals": rows.tolist(), "ticktext": list(properties), "ticks": "",
               "autorange": "reversed"},
    )  # fmt: skip
    looks = [(style("lstm").color, "", -0.2), (MUTED, "/", 0.2)]
    for (name, values), (color, shape, shift) in zip(found.items(), looks):
        pattern = {"shape": shape, "solidity": 0.2, "fillmode": "overlay"}
        fig.add_bar(
            x=values.mean(0), y=rows, orientation="h", name=name, opacity=0.75,
            marker={"color": color, "pattern": pattern}, hovertemplate="%{x:.2f}",
        )  # fmt: skip
        fig.add_scatter(
            x=values.ravel(), y=np.tile(rows + shift, len(values)), mode="markers",
            showlegend=False, hovertemplate="%{x:.2f}<extra>one seed</extra>",
            marker={"color": color, "size": 8, "line": {"width": 1, "color": "#ffffff"}},
        )  # fmt: skip
    means = [values.mean(0) for values in found.values()]
    widest = int((max(means, key=np.sum) - min(means, key=np.sum)).argmax())
    said = " and ".join(f"{name} {mean[widest]:.2f}" for name, mean in zip(found, means))
    plain = properties[widest].replace("<br>", " ")
    return describe(fig, f"The difference is largest for “{plain}”, mean of the seeds: {said}.")
