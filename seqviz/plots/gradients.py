"""Pictures of how a gradient flows back through time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from seqviz.plots.style import (
    FLOAT32_END,
    FLOAT32_NORMAL,
    MUTED,
    describe,
    escape,
    figure,
    power,
    powers_of_ten,
    style,
)

LOW, HIGH = -48, 12  # powers of ten that a figure of gradient by lag shows


def relative_to_last(norms: np.ndarray) -> np.ndarray:
    """Norms `(…, time)` in order of lag, each divided by the one at the last time step."""
    norms = np.asarray(norms, dtype=np.float64)
    last = norms[..., -1:]
    return np.divide(norms, last, out=np.zeros_like(norms), where=last > 0)[..., ::-1]


def to_exponents(values: np.ndarray) -> np.ndarray:
    """Powers of ten of `values`, from -300 for zero to 300 for what overflowed to infinity or NaN.

    Axes are linear in the exponent: plotly's own log axis cannot show 10^-300.
    """
    return np.log10(np.clip(np.nan_to_num(values, nan=np.inf), 1e-300, 1e300))


def gradient_by_lag(
    curves: Mapping[str, np.ndarray], low: int = LOW, high: int = HIGH
) -> go.Figure:
    """‖∂L/∂h_t‖ by lag T − t, relative to the last time step, on a log axis.

    `curves` maps a model's style to norms `(time,)` in float64. The shaded floor begins where
    float32 holds nothing but zero. A norm of exactly zero is drawn below the axis, not left out,
    and one that overflowed to infinity or NaN above it.
    """
    fig = figure(
        height=430,
        showlegend=len(curves) > 1,
        xaxis={"title": {"text": "Lag T − t (time steps)"}},
        yaxis={
            "title": {"text": "‖∂L/∂h<sub>t</sub>‖ / ‖∂L/∂h<sub>T</sub>‖"},
            "range": [low, high], **powers_of_ten(low, high, 10),
        },
    )  # fmt: skip
    sentences = []
    for key, norms in curves.items():
        look, values = style(key), relative_to_last(norms)
        fig.add_scatter(
            x=np.arange(len(values)), y=to_exponents(values), mode="lines", name=look.label,
            line=look.line(), cliponaxis=True,
            hovertemplate="lag %{x}: 10<sup>%{y:.1f}</sup>",
        )  # fmt: skip
        sentences.append(_by_lag_sentence(look.label if len(curves) > 1 else "", values))
    fig.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    float32_floor(fig, low)
    return describe(fig, " ".join(sentences))


def float32_floor(fig: go.Figure, low: float) -> None:
    """Mark where float32 ends, on an axis of powers of ten that begins at `low`."""
    end = float(np.log10(FLOAT32_END))
    fig.add_hrect(y0=low, y1=end, fillcolor=MUTED, opacity=0.25, line_width=0)
    fig.add_hline(y=float(np.log10(FLOAT32_NORMAL)), line={"color": MUTED, "width": 1})
    fig.add_annotation(
        x=1, xref="paper", xanchor="right", y=float(np.log10(FLOAT32_NORMAL)), yanchor="bottom",
        text="below, float32 loses digits;<br>in the shade it holds only 0", align="right",
    )  # fmt: skip


def rate(values: np.ndarray) -> float:
    """The factor by which values change from one lag to the next, on average (geometric mean)."""
    inside = np.log(np.maximum(values, 1e-300))
    return float(np.exp((inside[-1] - inside[0]) / max(len(values) - 1, 1)))


def _by_lag_sentence(who: str, values: np.ndarray) -> str:
    last = len(values) - 1
    subject = f"{who}: {last}" if who else f"{last}"
    if values[-1] == 0:
        return f"{subject} steps back the gradient is zero: even float64 cannot hold it."
    if not np.isfinite(values[-1]):
        return f"{subject} steps back the gradient has overflowed: even float64 cannot hold it."
    trend = f"each step back multiplies it by {rate(values):.2f} on average"
    return f"{subject} steps back the gradient is {power(values[-1])} times the last; {trend}."


def gradient_by_token(tokens: Sequence[str], norms: np.ndarray, model: str = "rnn") -> go.Figure:
    """How much of the gradient reaches each token of a sentence, the last one being 1."""
    look, values = style(model), relative_to_last(norms)[::-1]
    low = -12
    exponents = to_exponents(values)
    shown = np.clip(exponents, low, 3)
    rows = np.arange(len(tokens))
    fig = figure(
        height=60 + 24 * len(tokens),
        showlegend=False,
        xaxis={
            "title": {"text": "‖∂L/∂h<sub>t</sub>‖ relative to the last word"},
            "range": [low - 0.3, 3.3], **powers_of_ten(low, 3, 3),
        },
        yaxis={
            "tickvals": rows.tolist(), "ticktext": [escape(token) for token in tokens],
            "range": [len(tokens) - 0.5, -0.5], "ticks": "",
        },
    )  # fmt: skip
    fig.add_bar(
        x=shown - low, y=rows, base=low, orientation="h", width=0.28,
        marker={"color": look.color, "opacity": 0.45}, hoverinfo="skip",
    )  # fmt: skip
    fig.add_scatter(
        x=shown, y=rows, mode="markers", customdata=exponents,
        marker={"color": look.color, "size": 11, "symbol": look.symbol},
        hovertemplate="10<sup>%{customdata:.1f}</sup>", name="",
    )  # fmt: skip
    fig.add_vline(x=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    lag = len(tokens) - 1
    if not norms[-1] > 0:
        return describe(fig, "The gradient of the last word is zero: there is nothing to pass on.")
    first = f"The first word, {lag} steps back, gets {power(values[0])} times the gradient"
    factor = rate(values[::-1])
    fate = " It vanishes." if values[0] < 0.01 else " It explodes." if values[0] > 10 else ""
    step = f"Each step back multiplies it by {factor:.2f} on average."
    return describe(fig, f"{first} of the last.{fate} {step}")


def gradient_map(steps: np.ndarray, norms: np.ndarray, low: float = -12) -> go.Figure:
    """‖∂L/∂h_t‖ by training step and lag: `norms` is `(step, time)`; colours are powers of ten."""
    relative = relative_to_last(norms)
    exponents = np.log10(np.maximum(relative, 10.0**low))
    lags = np.arange(relative.shape[1])
    fig = figure(
        height=360,
        xaxis={"title": {"text": "Training step"}},
        yaxis={"title": {"text": "Lag T − t (time steps)"}, "autorange": "reversed"},
    )
    fig.add_heatmap(
        x=np.asarray(steps), y=lags, z=exponents.T, zmin=low, zmax=0,
        hovertemplate="step %{x}, lag %{y}: 10<sup>%{z:.1f}</sup><extra></extra>",
        colorbar={
            "title": {"text": "relative ‖∂L/∂h<sub>t</sub>‖", "side": "right"},
            **powers_of_ten(int(low), 0, 3),
        },
    )  # fmt: skip
    start, end = np.median(relative[:3, -1]), np.median(relative[-3:, -1])
    return describe(
        fig,
        f"At the longest lag, {lags[-1]} steps, the gradient is {power(start)} times the last "
        f"at the start of training and {power(end)} times at its end.",
    )


def eigenvalue_plane(eigenvalues: np.ndarray) -> go.Figure:
    """The eigenvalues of a recurrent matrix in the complex plane, with the unit circle."""
    angle = np.linspace(0, 2 * np.pi, 121)
    radius = float(np.abs(eigenvalues).max())
    axis = {"range": [-2.1, 2.1], "dtick": 1}
    fig = figure(
        height=380,
        showlegend=False,
        margin={"l": 56, "r": 8, "t": 16, "b": 48},
        xaxis={"title": {"text": "Real part"}, "constrain": "domain", **axis},
        yaxis={"title": {"text": "Imaginary part"}, "scaleanchor": "x", **axis},
    )
    fig.add_scatter(
        x=np.cos(angle), y=np.sin(angle), mode="lines", hoverinfo="skip",
        line={"color": MUTED, "width": 1.5},
    )  # fmt: skip
    fig.add_scatter(
        x=radius * np.cos(angle), y=radius * np.sin(angle), mode="lines", hoverinfo="skip",
        line={"color": style("rnn").color, "width": 1.5, "dash": "dash"},
    )  # fmt: skip
    fig.add_scatter(
        x=eigenvalues.real, y=eigenvalues.imag, mode="markers",
        marker={"color": style("rnn").color, "size": 7, "opacity": 0.8},
        hovertemplate="%{x:.2f} + %{y:.2f}i<extra></extra>",
    )  # fmt: skip
    fig.add_annotation(x=0.72, y=-0.72, xanchor="left", yanchor="top", text="unit circle")
    where = "on" if abs(radius - 1) < 5e-3 else "inside" if radius < 1 else "outside"
    return describe(
        fig, f"The largest eigenvalue has size {radius:.2f}: it lies {where} the unit circle."
    )


def matrix_powers(norms: np.ndarray, radius: float) -> go.Figure:
    """‖W^k‖ by the power k, beside ρ^k, which the eigenvalues alone would give."""
    powers = np.arange(len(norms))
    fig = figure(
        height=380,
        margin={"l": 56, "r": 8, "t": 28, "b": 48},
        xaxis={"title": {"text": "Power k (time steps)"}},
        yaxis={
            "title": {"text": "Size"}, "range": [-12, 12], **powers_of_ten(-10, 10, 5),
        },
    )  # fmt: skip
    look = style("rnn")
    fig.add_scatter(
        x=powers, y=to_exponents(norms), mode="lines", line=look.line(),
        name="‖W<sup>k</sup>‖ (largest singular value)",
        hovertemplate="k = %{x}: 10<sup>%{y:.1f}</sup><extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=powers, y=powers * np.log10(radius), mode="lines", name="ρ<sup>k</sup>",
        line={"color": MUTED, "dash": "dash", "width": 2},
        hovertemplate="k = %{x}: 10<sup>%{y:.1f}</sup><extra></extra>",
    )  # fmt: skip
    peak = int(norms.argmax())
    last = len(norms) - 1
    rise = (
        f" On the way it first grew to {power(norms[peak])}, at k = {peak}."
        if 0 < peak < last and norms[peak] > 1.05
        else ""
    )
    return describe(fig, f"After {last} steps ‖Wᵏ‖ is {power(norms[-1])}.{rise}")


def singular_values(exponents: np.ndarray, lags: np.ndarray) -> go.Figure:
    """The singular values of ∂h_T/∂h_t by lag: `exponents` is `(lag, hidden)`, in powers of ten.

    The band runs from the smallest to the largest, the line is the median. The lower edge ends 15
    powers of ten below the upper one: what lies deeper is float64's rounding.
    """
    low, high = -30, 12
    fig = figure(
        height=400,
        showlegend=False,
        xaxis={"title": {"text": "Lag T − t (time steps)"}},
        yaxis={
            "title": {"text": "Singular values of ∂h<sub>T</sub>/∂h<sub>t</sub>"},
            "range": [low, high], **powers_of_ten(low, high, 10),
        },
    )  # fmt: skip
    color = style("rnn").color
    clipped = np.clip(exponents, np.maximum(exponents.max(1, keepdims=True), -300) - 15, None)
    lines = [("smallest", clipped.min(1), 1), ("largest", clipped.max(1), 2.5)]
    for name, values, width in lines:
        fig.add_scatter(
            x=lags, y=values, mode="lines", name=name, line={"color": color, "width": width},
            fill="tonexty" if name == "largest" else None, fillcolor="rgba(209,73,91,0.18)",
            hovertemplate="lag %{x}, %{fullData.name}: 10<sup>%{y:.1f}</sup><extra></extra>",
        )  # fmt: skip
    fig.add_scatter(
        x=lags, y=np.median(clipped, 1), mode="lines", name="median",
        line={"color": color, "width": 2, "dash": "dash"},
        hovertemplate="lag %{x}, %{fullData.name}: 10<sup>%{y:.1f}</sup><extra></extra>",
    )  # fmt: skip
    fig.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    last, largest = exponents[-1], exponents[-1].max()
    kept = int((last > largest - 2).sum())
    return describe(
        fig,
        f"At lag {lags[-1]} the direction that survives best is multiplied by "
        f"{power(10.0**largest)}; {kept} of {len(last)} directions keep more than a hundredth of "
        f"that.",
    )


def cliff(
    weights: np.ndarray,
    biases: np.ndarray,
    loss: np.ndarray,
    paths: Mapping[str, np.ndarray],
    losses: Mapping[str, float],
) -> go.Figure:
    """A loss surface with a cliff, and the paths of gradient descent with and without clipping.

    `loss` is `(bias, weight)`; each path is `(step, 2)` of weight and bias and begins at the same
    point; `losses` has the loss at each path's end.
    """
    fig = figure(
        height=440,
        xaxis={"title": {"text": "Recurrent weight w"}, "range": [weights[0], weights[-1]]},
        yaxis={"title": {"text": "Bias b"}, "range": [biases[0], biases[-1]]},
    )
    fig.add_heatmap(
        x=weights, y=biases, z=loss, hoverinfo="skip", showlegend=False,
        colorbar={"title": {"text": "loss", "side": "right"}},
    )  # fmt: skip
    # Colours that show on the whole of the sequential scale and on both themes.
    looks = {"plain": ("#f0435a", "dot", "x"), "clipped": ("#22a8f0", "solid", "circle")}
    sentences = []
    for name, path in paths.items():
        color, dash, symbol = looks[name]
        fig.add_scatter(
            x=path[:, 0], y=path[:, 1], mode="lines+markers", name=f"{name} gradient",
            line={"color": color, "dash": dash, "width": 2},
            marker={"size": 7, "symbol": symbol, "color": color,
                    "line": {"width": 1, "color": "#222222"}},
            hovertemplate="w = %{x:.2f}, b = %{y:.2f}",
        )  # fmt: skip
        longest = float(np.linalg.norm(np.diff(path, axis=0), axis=1).max())
        sentences.append(
            f"The {name} gradient's longest step is {power(longest)}; "
            f"after {len(path) - 1} steps its loss is {losses[name]:.3f}."
        )
    fig.add_annotation(
        x=paths["plain"][0, 0], y=paths["plain"][0, 1], text="start", yshift=14,
        font={"color": "#222222"},
    )  # fmt: skip
    return describe(fig, " ".join(sentences))
