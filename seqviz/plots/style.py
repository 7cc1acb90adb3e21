"""One visual language for the whole book: type, spacing, and a colour and dash for each model.

The colours of lines are the same in the light and the dark theme, at a contrast of at least 3 to
both backgrounds; models are told apart by dash and marker too. Only the template changes.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import plotly.graph_objects as go

BACKGROUNDS = {"light": "#ffffff", "dark": "#14181e"}
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
UNKNOWN = "? "  # before a word that is not in a vocabulary
MUTED = "#7f8792"  # reference lines and their labels, in both themes
# Viridis: perceptually even, readable without colour. Written out, as plotly.colors loads slowly.
SEQUENTIAL = [[i / 9, colour] for i, colour in enumerate((
    "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58",
    "#b5de2b", "#fde725",
))]  # fmt: skip
DIVERGING = [[0.0, "#2c6fbb"], [0.25, "#8fb5dc"], [0.5, "#e9e7e2"], [0.75, "#e2a08c"],
             [1.0, "#bf3b2b"]]  # fmt: skip

FLOAT32_NORMAL = 1.1754944e-38  # below this float32 loses digits
FLOAT32_END = 1.4012985e-45  # below this float32 holds only zero


@dataclass(frozen=True)
class Style:
    """How one model looks wherever it appears."""

    label: str
    color: str
    dash: str
    symbol: str
    pattern: str  # of bars, where a dash does not show

    def bar(self) -> dict:
        """The marker of its bars."""
        pattern = {"shape": self.pattern, "solidity": 0.2, "fillmode": "overlay"}
        return {"color": self.color, "pattern": pattern}

    def line(self, width: float = 2.5) -> dict:
        """Its line, `width` pixels wide."""
        return {"color": self.color, "dash": self.dash, "width": width}


MODELS = {
    "bag": Style("Bag of words", "#63737b", "dot", "square", "."),
    "ngrams": Style("n-grams", "#757652", "dashdot", "diamond", "x"),
    "rnn": Style("RNN, tanh", "#d1495b", "solid", "circle", ""),
    "rnn-sigmoid": Style("RNN, sigmoid", "#c7560f", "dash", "triangle-up", "-"),
    "rnn-relu": Style("RNN, ReLU", "#b75694", "longdash", "triangle-down", "/"),
    "irnn": Style("RNN, ReLU, identity start", "#6d58ce", "5px 2px 1px 2px", "cross", "+"),
    "lstm": Style("LSTM", "#3b7dd8", "longdashdot", "star", "\\"),
    "gru": Style("GRU", "#14a38b", "8px 3px", "hexagon", "|"),
    "plain": Style("Feed-forward, plain", "#b424a8", "3px 5px", "diamond-tall", "/"),
    "residual": Style("Feed-forward, residual", "#189ccc", "10px 2px 2px 2px", "bowtie", "-"),
    "tcn": Style("TCN", "#4f8206", "2px 2px", "pentagon", "."),
    "tcn-plain": Style("TCN without residuals", "#5f9a7a", "14px 6px", "triangle-left", "-"),
    "wavenet": Style("WaveNet", "#9c6b45", "9px 2px 2px 2px 2px 2px", "hourglass", "+"),
    "hierarchy": Style("Hierarchical attention", "#9b6ad6", "6px 2px", "star-diamond", "/"),
    "seq2seq": Style("One fixed vector", "#d1495b", "4px 4px", "hexagram", "x"),
    "mean": Style("Uniform average", "#8a7d1c", "14px 4px", "triangle-right", "."),
    "query": Style("Learned query", "#6d58ce", "7px 2px 2px 2px", "star-square", "/"),
    "bahdanau": Style("Bahdanau attention", "#14879b", "16px 2px 1px 2px", "diamond-wide", ""),
    "transformer": Style("Transformer", "#b48913", "12px 3px 3px 3px", "x", "x"),
}


def style(model: str) -> Style:
    """The style of a model by its key; raises `ValueError` for a key that has none."""
    if model not in MODELS:
        raise ValueError(f"The model {model!r} has no style; the styles are {', '.join(MODELS)}.")
    return MODELS[model]


def _template(theme: str) -> dict:
    ink, soft, grid = {
        "light": ("#1f2429", "#59616b", "#e6e8eb"),
        "dark": ("#e4e7ea", "#a4acb6", "#2b323b"),
    }[theme]
    axis = {
        "gridcolor": grid, "linecolor": soft, "tickcolor": soft, "zeroline": False,
        "showline": True, "ticks": "outside", "ticklen": 4, "automargin": True,
        "title": {"standoff": 10, "font": {"color": soft}}, "tickfont": {"color": soft},
        "exponentformat": "power", "minor": {"showgrid": False},
    }  # fmt: skip
    return {
        "layout": {
            "font": {"family": FONT, "size": 14, "color": ink},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": [s.color for s in MODELS.values()],
            "colorscale": {
                "sequential": SEQUENTIAL,
                "diverging": DIVERGING,
            },
            "margin": {"l": 64, "r": 16, "t": 28, "b": 48},
            "height": 380,
            "dragmode": False,  # a thumb scrolls the page, it does not zoom the figure
            "hovermode": "closest",
            "hoverlabel": {"font": {"family": FONT, "size": 13}, "namelength": -1},
            "legend": {
                "orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left",
                "bgcolor": "rgba(0,0,0,0)", "itemclick": False, "itemdoubleclick": False,
            },
            "xaxis": axis,
            "yaxis": axis,
            "shapedefaults": {"line": {"color": soft, "width": 1}},
            "annotationdefaults": {
                "font": {"color": soft, "size": 12}, "showarrow": False, "arrowcolor": soft,
            },
        },
        "data": {
            "heatmap": [{
                "colorbar": {"thickness": 12, "outlinewidth": 0, "ticks": "outside"},
                "colorscale": SEQUENTIAL,
            }],
        },
    }  # fmt: skip


TEMPLATES = {theme: _template(theme) for theme in BACKGROUNDS}


@cache
def _register() -> None:
    # With the first figure, not at import: plotly checks every entry, which takes long.
    import plotly.io as pio

    for theme, spec in TEMPLATES.items():
        pio.templates[f"seqviz-{theme}"] = go.layout.Template(spec)


def figure(**layout: object) -> go.Figure:
    """An empty plotly figure in the book's template."""
    _register()
    return go.Figure(layout={"template": "seqviz-light", **layout})


def describe(figure: go.Figure, sentence: str) -> go.Figure:
    """Attach what the figure shows in one sentence: shown below it and read to screen readers."""
    if not isinstance(sentence, str) or not sentence.strip():
        raise ValueError("A description is a sentence of text that is not empty.")
    figure.layout.meta = {"description": sentence.replace(" %", "\u00a0%")}  # kept on one line
    return figure


def escape(token: str, limit: int = 24) -> str:
    """A token as plotly may show it: no markup, its own writing direction, at most `limit` long."""
    if len(token) > limit:
        token = token[: limit - 1] + "…"
    # The isolates keep a right-to-left word from turning its neighbours around.
    return "\u2068" + html.escape(token, quote=False) + "\u2069"


def marked(words: Sequence[str], unknown: Sequence[bool] = ()) -> list[str]:
    """Words as plotly may show them at an axis, with a mark before those that are unknown."""
    labels = [escape(word, 12) for word in words]
    if not len(unknown):
        return labels
    return [UNKNOWN + label if bad else label for label, bad in zip(labels, unknown)]


def as_bytes(shares: np.ndarray, scale: int) -> np.ndarray:
    """Shares of any shape as whole numbers of 0 to `scale`, one byte each, for a map on a page.

    Raises ValueError for numbers outside 0 and 1, which a byte would turn into others unseen.
    """
    shares = np.asarray(shares, dtype=np.float64)
    if not ((shares >= -1e-6) & (shares <= 1 + 1e-6)).all():  # float32 rounds
        raise ValueError("A map in bytes needs numbers between 0 and 1.")
    return np.round(scale * shares).astype(np.uint8)


SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def power(value: float) -> str:
    """A number for a sentence: 0.25, 3.1 × 10⁻⁷, ∞, kept on one line."""
    if not math.isfinite(value):
        return "undefined" if math.isnan(value) else "∞" if value > 0 else "-∞"
    if value == 0 or 1e-2 <= abs(value) < 1e4:
        return f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"
    digits, exponent = f"{value:.1e}".split("e")
    return f"{digits}\u00a0×\u00a010{str(int(exponent)).translate(SUPERSCRIPT)}"


def powers_of_ten(low: int, high: int, step: int) -> dict:
    """Ticks of an axis that counts in powers of ten, for every `step`-th power."""
    ticks = [p for p in range(low, high + 1) if p % step == 0]
    text = [f"10<sup>{p}</sup>".replace("-", "−") if p else "1" for p in ticks]
    return {"tickvals": ticks, "ticktext": text}
