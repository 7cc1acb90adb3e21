"""Pictures of attention: its products one by one, positions, heads, and what it costs by length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from seqviz.plots.gradients import relative_to_last, to_exponents
from seqviz.plots.style import (
    DIVERGING,
    MUTED,
    SEQUENTIAL,
    as_bytes,
    describe,
    escape,
    figure,
    marked,
    power,
    powers_of_ten,
    style,
)
from seqviz.plots.training import running_mean

# Each step of an attention head: what the matrix is called, and what its columns are.
STEPS = {
    "queries": ("queries Q", "dimension"),
    "keys": ("keys K", "dimension"),
    "scores": ("scores QKᵀ", "word"),
    "scaled": ("scores ÷ √d", "word"),
    "weights": ("weights", "word"),
    "values": ("values V", "dimension"),
    "output": ("output", "dimension"),
}
# What a Transformer knows of positions: label, colour, dash, symbol.
POSITIONS = {
    "sinusoidal": ("sinusoidal", "#b48913", "solid", "circle"),
    "learned": ("learned", "#3b7dd8", "dash", "square"),
    "none": ("none", "#d1495b", "dot", "x"),
    "none, causal": ("none, causal mask", "#14a38b", "dashdot", "diamond"),
}
# Activation functions of the feed-forward part: label, colour, dash, symbol.
ACTIVATIONS = {
    "relu": ("ReLU", "#b48913", "solid", "circle"),
    "tanh": ("tanh", "#d1495b", "dash", "square"),
    "sigmoid": ("sigmoid", "#3b7dd8", "dot", "triangle-up"),
}
# A simple rule that a head may follow: its sign in a figure, and where it looks.
ROLES = {
    "previous": ("←", "the word before"),
    "next": ("→", "the word after"),
    "self": ("●", "the word itself"),
    "start": ("⊢", "the start mark"),
    "end": ("⊣", "the end mark"),
    "punctuation": (",", "punctuation"),
    "same": ("=", "the same word elsewhere"),
}
Look = tuple[str, str, str, str]
UPRIGHT, SMALL = 10, 16  # words below a picture beyond which they stand upright, and are small


def _line(look: Look) -> dict:
    label, color, dash, symbol = look
    return {
        "mode": "lines+markers", "name": label,
        "line": {"color": color, "dash": dash, "width": 2.5},
        "marker": {"color": color, "symbol": symbol, "size": 8},
    }  # fmt: skip


def attention_step(
    words: Sequence[str],
    matrices: Mapping[str, np.ndarray],
    step: str,
    query: int,
    unknown: Sequence[bool] = (),
    note: str = "",
) -> list[go.Figure]:
    """One product of an attention head: the whole matrix, and the row of one query word.

    `matrices` holds every name of `STEPS`: queries, keys, values and output (word, dimension);
    scores, scaled and weights (query, key); rows and columns of padding before the words are left
    out. `query` is the row that the second picture shows, or the last one if there are fewer words.
    `unknown` marks words that the model does not know, `note` is said besides.
    Without words the pictures are empty and ask for some; `matrices` is not read then.
    Raises ValueError for a step that is not one of `STEPS`.
    """
    if step not in STEPS:
        raise ValueError(f"step must be one of {', '.join(STEPS)}, got {step!r}.")
    name, kind = STEPS[step]
    matrix = _of_words(matrices, step, len(words))
    shown = marked(words, unknown)
    columns = shown if kind == "word" else [str(i + 1) for i in range(matrix.shape[1])]
    axis_title = "Key: the word looked at" if kind == "word" else "Dimension"
    largest = float(np.abs(matrix).max()) if words else 1.0
    positive = step == "weights"
    row = min(query, len(words) - 1)
    upright = kind == "word" and len(words) > UPRIGHT
    ticks = {"tickvals": list(range(len(columns))), "ticktext": columns, "ticks": "",
             "tickangle": -90 if upright else -60 if kind == "word" else 0}  # fmt: skip
    if kind == "word" and len(words) > SMALL:
        ticks["tickfont"] = {"size": 9}
    height = max(400, 130 + 22 * len(words))
    fig = figure(
        height=height,
        margin={"r": 8, "l": 60, "t": 76},
        xaxis={"title": {"text": axis_title}, "showgrid": False, **ticks},
        yaxis={"tickvals": list(range(len(shown))), "ticktext": shown, "ticks": "",
               "showgrid": False, "range": [max(len(shown), 1) - 0.5, -0.5],
               "title": {"text": "Key" if step == "keys" else "Value" if step == "values" else
                         "Query: the word that looks"}},
    )  # fmt: skip
    span = {"zmin": 0, "zmax": 1} if positive else {"zmin": -largest, "zmax": largest}
    pale = [[0, "rgba(127,135,146,0.10)"], [0.1, "#9cbfee"], [1, "#1c5bb4"]]
    gap = int(len(words) <= UPRIGHT)  # each gap costs time, and small cells have no room for it
    fig.add_heatmap(
        z=matrix, xgap=gap, ygap=gap, colorscale=pale if positive else DIVERGING, **span,
        customdata=[[f"{row} → {column}" for column in columns] for row in shown],
        hovertemplate="%{customdata}: %{z:.3f}<extra></extra>",
        colorbar={"title": {"text": name, "side": "top"}, "nticks": 5, "orientation": "h",
                  "y": 1.01, "yanchor": "bottom", "tickangle": 0},
    )  # fmt: skip
    fig.add_shape(
        type="rect", x0=-0.5, x1=len(columns) - 0.5, y0=row - 0.5, y1=row + 0.5,
        line={"color": style("transformer").color, "width": 3},
    )  # fmt: skip
    span = [0, 1.05] if positive else [-1.1 * largest, 1.1 * largest]
    of_word = f", row “{shown[row]}”" if words else ""
    bars = figure(
        height=height,
        showlegend=False,
        xaxis={"title": {"text": axis_title}, **ticks},
        yaxis={"title": {"text": f"{name[0].upper()}{name[1:]}{of_word}"},
               "range": span, "nticks": 6, "zeroline": True, "zerolinecolor": MUTED},
    )  # fmt: skip
    bars.add_bar(
        x=np.arange(len(columns)), y=matrix[row] if words else [],
        marker=style("transformer").bar(), hovertemplate="%{y:.3f}<extra></extra>",
    )  # fmt: skip
    if not words:
        describe(fig, "There is no word to look at yet: type a sentence.")
        return [fig, describe(bars, "Here you will see the row of one word.")]
    few = "" if row == query else f" There is no word {query + 1}: the last word looks."
    describe(fig, f"{_step_sentence(words, matrices, step, row)}{few}{note and ' ' + note}")
    values = [float(value) for value in matrix[row]]
    least, most = int(np.argmin(values)), int(np.argmax(values))
    places = (
        [f"“{word}”" for word in words] if kind == "word" else [f"dimension {c}" for c in columns]
    )
    describe(
        bars,
        f"The row of “{words[row]}” runs from {values[least]:.2f} at {places[least]} to "
        f"{values[most]:.2f} at {places[most]}.",
    )
    return [fig, bars]


def _of_words(matrices: Mapping[str, np.ndarray], step: str, count: int) -> np.ndarray:
    """A matrix without its rows, and columns, of padding before `count` words."""
    if not count:
        return np.zeros((0, 0), dtype=np.float32)
    matrix = np.asarray(matrices[step], dtype=np.float32)[-count:]
    return matrix[:, -count:] if STEPS[step][1] == "word" else matrix


def _step_sentence(
    words: Sequence[str], matrices: Mapping[str, np.ndarray], step: str, query: int
) -> str:
    word, size = words[query], np.asarray(matrices["queries"]).shape[1]
    row = [float(value) for value in _of_words(matrices, step, len(words))[query]]
    if step in ("queries", "keys", "values"):
        role = {"queries": "asks with", "keys": "is found by", "values": "has to say"}[step]
        return f"Each word is projected to {size} numbers: what “{word}” {role}."
    best = int(np.argmax(row))
    if step == "scores":
        return (
            f"Every query is multiplied with every key. For “{word}” the key of “{words[best]}” "
            f"fits best: {row[best]:.2f}."
        )
    if step == "scaled":
        return (
            f"Divided by √{size} ≈ {np.sqrt(size):.2f}, so that scores do not grow with the width: "
            f"the best of “{word}” is now {row[best]:.2f}."
        )
    if step == "weights":
        even = 1 / len(words)
        return (
            f"The softmax makes each row positive with the sum 1. “{word}” gives "
            f"{100 * row[best]:.0f} % of its attention to “{words[best]}”; "
            f"an even share would be {100 * even:.0f} %."
        )
    weight = [float(value) for value in _of_words(matrices, "weights", len(words))[query]]
    top = int(np.argmax(weight))
    return (
        f"What “{word}” takes home: the mean of all values by its weights, "
        f"{100 * weight[top]:.0f} % of it from “{words[top]}”."
    )


def position_code(codes: np.ndarray, position: int) -> go.Figure:
    """The code of every position as a map; `codes` is (time, width), `position` is marked."""
    largest = float(np.abs(codes).max())
    fig = figure(
        height=380,
        xaxis={"title": {"text": "Dimension"}},
        yaxis={"title": {"text": "Position t (words)"}, "autorange": "reversed"},
    )
    fig.add_heatmap(
        z=np.asarray(codes, dtype=np.float32), x0=1, dx=1, zmin=-largest, zmax=largest,
        colorscale=DIVERGING, colorbar={"title": {"text": "P", "side": "right"}, "nticks": 5},
        hovertemplate="position %{y}, dimension %{x}: %{z:.2f}<extra></extra>",
    )  # fmt: skip
    fig.add_hline(y=position, line={"color": MUTED, "width": 2, "dash": "dot"})
    row = codes[position]
    return describe(
        fig,
        f"The code of position {position} of {len(codes)} has {len(row)} numbers, from "
        f"{row.min():.2f} to {row.max():.2f}.",
    )


def position_products(codes: np.ndarray, position: int, key: str) -> go.Figure:
    """The dot product of one position's code with every other's, by distance.

    `codes` is (time, width); products are divided by their mean on the diagonal. The band holds the
    same curve of all other positions: where it has no width, distance alone decides. `key` is one
    of `POSITIONS`.
    """
    product = codes @ codes.T
    product = product / np.trace(product) * len(product)
    time = len(codes)
    distance = np.arange(time) - position
    low, high = np.full(2 * time - 1, np.inf), np.full(2 * time - 1, -np.inf)
    for row in range(time):
        at = np.arange(time) - row + time - 1
        low[at], high[at] = np.minimum(low[at], product[row]), np.maximum(high[at], product[row])
    inside = slice(time - 1 - position, 2 * time - 1 - position)
    fig = figure(
        height=380,
        xaxis={"title": {"text": "Distance s − t (words)"}, "range": [1 - time, time - 1]},
        yaxis={"title": {"text": "P<sub>t</sub> · P<sub>s</sub> (mean |P|² = 1)"},
               "range": [min(-1.1, 1.05 * product.min()), max(1.6, 1.05 * product.max())]},
    )  # fmt: skip
    label, color, dash, symbol = POSITIONS[key]
    fig.add_scatter(
        x=distance, y=low[inside], mode="lines", line={"width": 0}, hoverinfo="skip",
        showlegend=False,
    )  # fmt: skip
    fig.add_scatter(
        x=distance, y=high[inside], mode="lines", line={"width": 0}, fill="tonexty",
        fillcolor="rgba(127,135,146,0.35)", hoverinfo="skip", name="at other positions",
    )  # fmt: skip
    fig.add_scatter(
        x=distance, y=product[position],
        hovertemplate="distance %{x}: %{y:.2f}<extra></extra>",
        **{**_line((f"from position {position}", color, dash, symbol)), "mode": "lines+markers"},
    )  # fmt: skip
    wide = float((high - low).max())
    near = product[np.arange(time - 1), np.arange(1, time)].mean()
    far = np.diagonal(product, time // 2).mean()
    say = (
        "The distance alone decides: the band has no width"
        if wide < 1e-3
        else f"At one distance the products differ by up to {wide:.2f}"
    )
    return describe(
        fig,
        f"{label.capitalize()} positions: neighbours have the product {near:.2f} on average, "
        f"positions {time // 2} apart {far:.2f}. {say}.",
    )


def loss_by_positions(
    losses: Mapping[str, np.ndarray], chance: float, window: int = 10
) -> go.Figure:
    """The training loss, a running mean; `losses` maps a key of `POSITIONS` to (step,)."""
    fig = figure(
        height=400,
        xaxis={"title": {"text": "Training step"}},
        yaxis={"title": {"text": f"Loss (nats, mean of {window} steps)"}, "range": [-0.03, 0.9]},
    )
    ends = []
    for key, losses_of in losses.items():
        smooth = running_mean(np.asarray(losses_of, dtype=np.float64), window)
        label, color, dash, symbol = POSITIONS[key]
        fig.add_scatter(
            x=np.arange(len(smooth)) + window, y=smooth.astype(np.float32),
            hovertemplate="step %{x}: %{y:.3f}",
            **{**_line((label, color, dash, symbol)), "mode": "lines"},
        )  # fmt: skip
        ends.append(f"{label} {smooth[-1]:.3f}")
    fig.add_hline(y=chance, line={"color": MUTED, "width": 1.5, "dash": "dash"})
    return describe(fig, f"The loss ends at: {', '.join(ends)}.")


def order_by_gap(
    groups: Sequence[str], accuracy: Mapping[str, np.ndarray], chance: float = 0.5
) -> go.Figure:
    """Accuracy by distance of the two words; ``accuracy` maps a key of
    `POSITIONS` to (seed, gap).
    """
    fig = figure(
        height=400,
        xaxis={"title": {"text": "Distance of the two words (words)"}, "ticktext": list(groups),
               "tickvals": list(range(len(groups))), "range": [-0.5, len(groups) - 0.5]},
        yaxis={"title": {"text": "Accuracy (%)"}, "range": [30, 106], "dtick": 25, "tick0": 0},
    )  # fmt: skip
    sentences = []
    for n, (key, values) in enumerate(accuracy.items()):
        percent = 100 * np.asarray(values, dtype=np.float64)
        mean = percent.mean(0)
        fig.add_scatter(
            x=np.arange(len(groups)) + 0.06 * (n - (len(accuracy) - 1) / 2), y=mean,
            error_y={"array": percent.max(0) - mean, "arrayminus": mean - percent.min(0),
                     "color": MUTED, "width": 3},
            hovertemplate="%{y:.1f} %", **_line(POSITIONS[key]),
        )  # fmt: skip
        sentences.append(f"{POSITIONS[key][0]} {mean.mean():.1f} %")
    fig.add_hline(y=100 * chance, line={"color": MUTED, "width": 1.5, "dash": "dash"})
    return describe(fig, f"Mean accuracy over the groups and seeds: {', '.join(sentences)}.")


def heads_removed(
    one: np.ndarray, curves: Mapping[str, np.ndarray], layers: int, removed: int
) -> list[go.Figure]:
    """What each head is worth, and how long a model lives as its heads are removed one by one.

    `one` (layer · head,) is the accuracy without that head; `curves` maps "gentle" and "harsh", the
    best and the worst order of removal, to accuracies (removed,) from the whole model to none.
    `removed` marks a point of the curves.
    """
    heads = len(one) // layers
    whole = 100 * float(curves["gentle"][0])
    names = [f"{layer + 1}.{head + 1}" for layer in range(layers) for head in range(heads)]
    bars = figure(
        height=360,
        showlegend=False,
        xaxis={"title": {"text": "Head removed (layer.head)"}, "tickvals": list(range(len(one))),
               "ticktext": names, "tickangle": -90 if len(one) > 8 else 0, "ticks": ""},
        yaxis={"title": {"text": "Accuracy (%)"}, "range": [40, 104], "dtick": 20},
    )  # fmt: skip
    bars.add_bar(
        x=np.arange(len(one)), y=100 * np.asarray(one), marker=style("transformer").bar(),
        hovertemplate="%{y:.1f} %<extra></extra>",
    )  # fmt: skip
    bars.add_hline(y=whole, line={"color": MUTED, "width": 1.5, "dash": "dash"})
    fig = figure(
        height=360,
        xaxis={"title": {"text": "Heads removed"}, "dtick": max(1, len(one) // 8)},
        yaxis={"title": {"text": "Accuracy (%)"}, "range": [40, 104], "dtick": 20},
    )
    looks = {
        "gentle": ("least needed first", "#b48913", "solid", "circle"),
        "harsh": ("most needed first", "#d1495b", "dash", "x"),
    }
    for key, look in looks.items():
        fig.add_scatter(
            x=np.arange(len(one) + 1), y=100 * np.asarray(curves[key]),
            hovertemplate="%{x} removed: %{y:.1f} %", **_line(look),
        )  # fmt: skip
    fig.add_vline(x=removed, line={"color": MUTED, "width": 1.5, "dash": "dot"})
    worst = int(np.argmin(one))
    describe(
        bars,
        f"The whole model is right in {whole:.1f} % of held-out sentences. Without head "
        f"{names[worst]}, the one it misses most, in {100 * one[worst]:.1f} %; without head "
        f"{names[int(np.argmax(one))]} in {100 * np.max(one):.1f} %.",
    )
    describe(
        fig,
        f"With {removed} of {len(one)} heads removed it is right in "
        f"{100 * curves['gentle'][removed]:.1f} % if the least needed went first, in "
        f"{100 * curves['harsh'][removed]:.1f} % if the most needed did.",
    )
    return [bars, fig]


def cost_by_length(
    lengths: Sequence[int],
    curves: Mapping[str, Sequence[float]],
    axis: str,
    unit: str,
    chosen: int,
) -> go.Figure:
    """A cost by sequence length on two log axes; `curves` maps a model's style to (length,).

    The key "transformer, blocks" is the same Transformer with attention computed block by block.
    The sentence says by which factor each cost grows from the length before to `chosen`. Raises
    ValueError if `chosen` is not one of the lengths after the first.
    """
    if chosen not in lengths[1:]:
        raise ValueError(f"chosen must be one of {list(lengths[1:])}, got {chosen}.")
    at = list(lengths).index(chosen)
    values = np.array([v for curve in curves.values() for v in curve], dtype=float)
    low, high = int(np.floor(np.log10(values.min()))), int(np.ceil(np.log10(values.max())))
    fig = figure(
        height=400,
        xaxis={"title": {"text": "Sequence length N (steps)"}, "tickvals": np.log10(lengths),
               "ticktext": [f"{n:,}" for n in lengths], "tickangle": -60},
        yaxis={"title": {"text": axis}, "range": [low - 0.1, high + 0.1],
               **powers_of_ten(low, high, 1)},
    )  # fmt: skip
    blocks = ("Transformer, in blocks", "#7d6aa8", "dash", "square")
    sentences = []
    for key, curve in curves.items():
        look = style(key) if key != "transformer, blocks" else None
        look = (look.label, look.color, look.dash, look.symbol) if look else blocks
        fig.add_scatter(
            x=np.log10(lengths), y=np.log10(curve), customdata=np.asarray(curve, dtype=float),
            hovertemplate=f"%{{customdata:,.4g}} {unit}", **_line(look),
        )  # fmt: skip
        growth = curve[at] / curve[at - 1]
        sentences.append(f"{look[0]} ×{growth:.2g} (to {power(curve[at])} {unit})")
    fig.add_vline(x=float(np.log10(chosen)), line={"color": MUTED, "width": 1.5, "dash": "dot"})
    return describe(fig, f"From {lengths[at - 1]:,} to {chosen:,} steps: {', '.join(sentences)}.")


def gradient_by_activation(curves: Mapping[str, np.ndarray]) -> go.Figure:
    """‖∂L/∂hˡ‖ by layer relative to the last, one line an activation of `ACTIVATIONS`: (layer,)."""
    low, high = -12, 2
    fig = figure(
        height=400,
        xaxis={"title": {"text": "Layer (1 is nearest to the words)"}},
        yaxis={"title": {"text": "‖∂L/∂h<sup>l</sup>‖ relative to the last layer"},
               "range": [low, high], **powers_of_ten(low, high, 2)},
    )  # fmt: skip
    sentences = []
    for key, norms in curves.items():
        values = relative_to_last(norms)[::-1]
        fig.add_scatter(
            x=np.arange(1, len(values) + 1), y=to_exponents(values),
            hovertemplate="layer %{x}: 10<sup>%{y:.1f}</sup>", **_line(ACTIVATIONS[key]),
        )  # fmt: skip
        sentences.append(f"{ACTIVATIONS[key][0]} {power(values[0])}")
    fig.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    return describe(
        fig, f"The first layer gets this share of the last one's gradient: {', '.join(sentences)}."
    )


def head_roles(shares: Mapping[str, np.ndarray], enough: float) -> go.Figure:
    """Which simple rule each head follows: its sign where the rule explains `enough` of the head.

    `shares` maps a key of `ROLES` to the mean attention (layer, head) that goes where it points.
    """
    names = [ROLES[key][1] for key in shares]
    signs = [ROLES[key][0] for key in shares]
    stack = np.stack([np.asarray(values, dtype=np.float64) for values in shares.values()])
    best, value = stack.argmax(0), stack.max(0)
    layers, heads = value.shape
    letters = [
        [signs[best[i, j]] if value[i, j] > enough else "" for j in range(heads)]
        for i in range(layers)
    ]
    hover = [
        [f"layer {i + 1}, head {j + 1}: {100 * value[i, j]:.0f} % to {names[best[i, j]]}"
         for j in range(heads)] for i in range(layers)
    ]  # fmt: skip
    fig = figure(
        height=120 + 44 * layers,
        xaxis={"title": {"text": "Head"}, "dtick": 1, "ticks": "", "showgrid": False},
        yaxis={
            "title": {"text": "Layer"},
            "autorange": "reversed",
            "dtick": 1,
            "ticks": "",
            "showgrid": False,
        },
    )
    fig.add_heatmap(
        z=np.round(100 * value).astype(np.uint8), x0=1, dx=1, y0=1, dy=1, zmin=0, zmax=100,
        xgap=2, ygap=2, text=letters, texttemplate="%{text}",
        textfont={"size": 14, "color": "#14181e"},
        colorscale=[[0, "rgba(127,135,146,0.15)"], [1, "#e8b93a"]],
        customdata=hover, hovertemplate="%{customdata}<extra></extra>",
        colorbar={"title": {"text": "its best rule (%)", "side": "right"}, "dtick": 25},
    )  # fmt: skip
    counts = [int(((best == n) & (value > enough)).sum()) for n in range(len(names))]
    said = [f"{count} to {name}" for count, name in zip(counts, names) if count]
    return describe(
        fig,
        f"{int((value > enough).sum())} of {layers * heads} heads send more than "
        f"{100 * enough:.0f} % of their attention where one rule points: "
        f"{', '.join(said) or 'none'}.",
    )


BRIGHT = 64  # 255ths of a weight that are as bright as it gets: in a long text few weigh more


def attention_map(weights: np.ndarray, tokens: Sequence[str]) -> go.Figure:
    """The attention of one head to a long text as a compact map, one byte a weight.

    `weights` is (query, key), uint8 in 255ths, or floats between 0 and 1. The colour grows with the
    square root of a weight, up to a quarter, so that small ones show. Raises ValueError unless it
    is square, as large as there are tokens, and of such numbers.
    """
    weights = np.asarray(weights)
    if weights.shape != (len(tokens), len(tokens)):
        raise ValueError(
            f"weights must have the shape ({len(tokens)}, {len(tokens)}), one row and one column a "
            f"token, got {weights.shape}."
        )
    if weights.dtype != np.uint8:
        weights = as_bytes(weights, 255)
    every = -(-len(tokens) // 12)
    ticks = list(range(0, len(tokens), every))
    axis = {"tickvals": ticks, "ticktext": [escape(tokens[i], 8) for i in ticks], "ticks": ""}
    fig = figure(
        height=600,
        xaxis={**axis, "title": {"text": "Key: the word looked at"}, "tickangle": -90},
        yaxis={**axis, "title": {"text": "Query"}, "range": [len(tokens) - 0.5, -0.5]},
    )
    fig.add_heatmap(
        z=weights, zmin=0, zmax=BRIGHT,
        colorscale=[[stop**2, color] for stop, color in SEQUENTIAL],
        hovertemplate="number %{y} looks at number %{x}: %{z} of 255<extra></extra>",
        colorbar={"title": {"text": "weight", "side": "top"}, "orientation": "h",
                  "y": 1.01, "yanchor": "bottom", "tickvals": [0, BRIGHT / 4, BRIGHT],
                  "ticktext": ["0", "6 %", "≥ 25 %"], "tickangle": 0, "len": 0.85},
    )  # fmt: skip
    total = weights.sum(0, dtype=np.int64)
    top = int(total.argmax())
    return describe(
        fig,
        f"The word looked at most is “{tokens[top]}”, number {top}: it gets "
        f"{100 * total[top] / max(int(total.sum()), 1):.0f} % of all attention.",
    )
