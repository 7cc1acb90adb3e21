"""Pictures of translation: where a written word looks, how widely, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from seqviz.plots.style import MUTED, as_bytes, describe, escape, figure, marked, style

END = "[end]"  # closes a sentence
WRONG = "✗ "  # before a word that is not the right one
ASK = "The model reads dates in English: type one, such as Tuesday 5 March 2024."
NO_PART = "No word is a part of a date in English."
RIGHT = "#e8590c"  # outlines the word that a written word should look at


def alignment_map(
    weights: np.ndarray,
    entropy: np.ndarray,
    source: Sequence[str],
    written: Sequence[str],
    right: Sequence[int],
    wrong: Sequence[bool] = (),
    unknown: Sequence[bool] = (),
) -> go.Figure:
    """Where each written word looks: `weights` (written, source), beside its entropy in bits.

    `right` has for each written word the place of its counterpart in the source, which is outlined,
    or -1 for none; `wrong` marks words that are not the right translation, `unknown` source words
    that the model does not know.
    """
    rows, columns = weights.shape
    entropy = np.asarray(entropy, dtype=np.float64)
    labels = [escape(word, 12) for word in written]
    if len(wrong):
        labels = [WRONG + label if bad else label for label, bad in zip(labels, wrong)]
    fig = figure(
        height=190 + 34 * rows,
        showlegend=False,
        margin={"t": 116, "l": 72, "r": 8, "b": 64},
        xaxis={
            "title": {"text": "Source word, looked at", "standoff": 4}, "domain": [0, 0.7],
            "side": "top", "tickangle": -40 if columns < 6 else -65, "ticks": "", "showgrid": False,
            "tickvals": list(range(columns)), "ticktext": marked(source, unknown),
            "range": [-0.5, max(columns, 1) - 0.5], "showline": False,
        },
        yaxis={
            "title": {"text": "Written word", "standoff": 4},
            "tickvals": list(range(rows)), "ticktext": labels, "ticks": "", "showgrid": False,
            "range": [max(rows, 1) - 0.5, -0.5], "showline": False,
        },
        xaxis2={
            "domain": [0.76, 1], "anchor": "y", "range": [0, 1.06 * np.log2(max(columns, 2))],
            "title": {"text": "Entropy<br>(bits)"}, "dtick": 1,
        },
    )  # fmt: skip
    fig.add_heatmap(
        # Whole percents: one byte a cell on a page.
        z=as_bytes(weights, 100), zmin=0, zmax=100, xgap=1, ygap=1,
        hovertemplate="%{y} ← %{x}: %{z} %<extra></extra>", showscale=False,
    )  # fmt: skip
    places = [(j, i) for i, j in enumerate(right) if j >= 0]
    fig.add_scatter(
        x=[j for j, _ in places], y=[i for _, i in places], mode="markers", hoverinfo="skip",
        marker={"symbol": "square-open", "size": 20 if columns < 6 else 11, "color": RIGHT,
                "line": {"width": 2.5}},
    )  # fmt: skip
    fig.add_bar(
        x=np.round(entropy, 2), y=list(range(rows)), orientation="h", xaxis="x2", width=0.6,
        marker={"color": style("bahdanau").color}, hovertemplate="%{x:.2f} bits<extra></extra>",
    )  # fmt: skip
    if not places:
        return describe(fig, "No written word has a right word to look at.")
    share = 100 * sum(float(weights[i, j]) for j, i in places) / len(places)
    return describe(
        fig,
        f"{share:.0f} % of the weight is on the right words (outlined); "
        f"mean entropy {sum(entropy.tolist()) / rows:.1f} bits.",
    )


def typed_translation(
    words: Sequence[str],
    results: Mapping[str, np.ndarray],
    vocabulary: Sequence[str],
    tables: Mapping[str, Any],
    language: str,
    unknown: Sequence[bool] = (),
    note: str = "",
) -> go.Figure:
    """The alignment map of a date that someone typed, with what became of each of its parts.

    `results` holds for each language of `tables["targets"]`, in that order, what the translator
    wrote: `written` tokens (language, step), `weights` (language, step, source) and `entropy`
    (language, step); columns of padding before the words are left out. `tables` is that of
    `seqviz.tasks.date_tables`: a written word is right if it says a part of the typed date, or
    nothing of its own. `unknown` marks typed words that the model does not know, `note` is said
    besides. Without results the picture is empty and asks for a date.
    """
    if not results:
        nothing = np.zeros((0, len(words)))
        fig = alignment_map(nothing, np.zeros(0), words, [], [], unknown=unknown)
        return describe(fig, _joined(ASK, note))
    at = list(tables["targets"]).index(language)
    tokens = [vocabulary[token] for token in results["written"][at]]
    rows = tokens.index(END) + 1 if END in tokens else len(tokens)
    written = tokens[:rows]
    weights = np.asarray(results["weights"][at], dtype=np.float64)[:rows, -len(words) :]
    asked: dict[str, int] = {}  # where each part of the date stands: its first place counts
    for place, word in enumerate(words):
        if word in tables["fields"]:
            asked.setdefault(tables["fields"][word], place)
    names, usual = tables["names"][language], tables["rows"][language]
    left = {field: names.get(words[place], words[place]) for field, place in asked.items()}
    right, wrong = [], []
    for row, word in enumerate(written):
        fits = [field for field, name in left.items() if name == word]
        # Two parts can be the same number; then the usual place decides.
        here = row < len(usual) and usual[row] in fits
        field = usual[row] if here else fits[0] if fits else None
        right.append(-1 if field is None else asked[field])
        wrong.append(field is None and word != END and word not in tables["literals"][language])
        left.pop(field, None)
    entropy = np.asarray(results["entropy"][at])[:rows]
    fig = alignment_map(weights, entropy, words, written, right, wrong, unknown)
    done = len(asked) - len(left)
    lost = _listed([words[asked[field]] for field in left])
    made = _listed([word for word, bad in zip(written, wrong) if bad])
    sentence = _joined(
        f"Translated: {done} of {len(asked)} parts of a date." if asked else NO_PART,
        f"Lost: {lost}." if lost else "",
        f"Made up, or said again: {made}." if made else "",
        fig.layout.meta["description"] if done else "",
        note,
    )
    return describe(fig, sentence)


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _listed(words: Sequence[str]) -> str:
    # The isolates keep an Arabic word from turning the sentence after it around.
    return ", ".join(f"“\u2068{word}\u2069”" for word in dict.fromkeys(words))


def effect_map(
    effect: np.ndarray,
    source: Sequence[str],
    written: Sequence[str],
    right: Sequence[int],
    tags: int = 0,
) -> go.Figure:
    """How often a written word changes when a source word is replaced: `(written, source)`, 0 to 1.

    `right` outlines the counterpart of each written word, as in `alignment_map`. The first `tags`
    columns are no words, but say what is to be done.
    """
    fig = alignment_map(effect, np.zeros(len(effect)), source, written, right)
    fig.data = fig.data[:2]
    fig.layout.xaxis2 = None
    fig.layout.xaxis.update(title_text="Source word, replaced", domain=[0, 1])
    fig.data[0].hovertemplate = "%{y} changes with %{x}: %{z} %<extra></extra>"
    places = [(i, j) for i, j in enumerate(right) if j >= 0]
    on = 100 * float(np.mean([effect[i, j] for i, j in places]))
    rows = [i for i, _ in places]
    elsewhere = effect[rows].copy()
    elsewhere[np.arange(len(rows)), [j for _, j in places]] = np.nan
    others = 100 * float(np.nanmean(elsewhere[:, tags:]))
    tagged = f", in {100 * effect[rows, :tags].mean():.0f} % when the tag is" if tags else ""
    return describe(
        fig,
        f"A word changes in {on:.0f} % of the cases when its counterpart is replaced, in "
        f"{others:.0f} % when another word is{tagged}.",
    )


def accuracy_by_dates(
    dates: Sequence[int], accuracy: Mapping[str, np.ndarray], trained: int, counted: str
) -> go.Figure:
    """Accuracy by the number of dates in a sentence: `accuracy` maps a model to `(seed, dates)`.

    The line is the mean of the seeds, each mark one seed; the shade begins beyond the longest
    sentence trained on. `counted` is what is counted, such as "words".
    """
    fig = figure(
        height=400,
        margin={"t": 60},
        xaxis={"title": {"text": "Dates in the sentence"}, "dtick": 1,
               "range": [min(dates) - 0.3, max(dates) + 0.3]},
        yaxis={"title": {"text": f"Right {counted} (%)"}, "range": [-4, 106], "dtick": 25},
    )  # fmt: skip
    fig.add_vrect(
        x0=trained + 0.5, x1=max(dates) + 0.3, fillcolor=MUTED, opacity=0.15, line_width=0
    )
    fig.add_annotation(
        x=max(dates) + 0.25, xanchor="right", y=103, text="longer than trained on", yanchor="middle"
    )
    parts = []
    for key, values in accuracy.items():
        look, percent = style(key), 100 * np.asarray(values, dtype=np.float64)
        fig.add_scatter(
            x=np.tile(dates, len(percent)), y=np.round(percent.ravel(), 1), mode="markers",
            showlegend=False, name=look.label, hovertemplate="%{y:.1f} %",
            marker={"color": look.color, "symbol": look.symbol, "size": 9, "opacity": 0.7},
        )  # fmt: skip
        fig.add_scatter(
            x=list(dates), y=np.round(percent.mean(0), 1), mode="lines", name=look.label,
            line=look.line(), hoverinfo="skip",
        )  # fmt: skip
        at = list(dates).index(trained)
        parts.append(f"{look.label} {percent[:, 0].mean():.0f} % and {percent[:, at].mean():.0f} %")
    return describe(
        fig, f"Right {counted} with one date and with {trained}, mean of the seeds: "
        f"{'; '.join(parts)}.",
    )  # fmt: skip


def zoom(
    temperatures: np.ndarray, accuracy: np.ndarray, entropy: np.ndarray, at: int, most: float
) -> go.Figure:
    """Right words and mean entropy by the temperature of attention, both `(seed, temperature)`.

    A line marks the temperature number `at`; `most` is the entropy of equal weights, in bits.
    """
    look, exponents = style("bahdanau"), np.log10(temperatures)
    fig = figure(
        height=400,
        showlegend=False,
        margin={"t": 16},
        xaxis={
            "title": {"text": "Temperature τ (log scale)"}, "anchor": "y2",
            "tickvals": [-2, -1, 0, 1, 2], "ticktext": ["0.01", "0.1", "1", "10", "100"],
        },
        yaxis={"title": {"text": "Right words (%)"}, "domain": [0.56, 1], "range": [-4, 108],
               "dtick": 25},
        yaxis2={"title": {"text": "Entropy (bits)"}, "domain": [0, 0.44], "dtick": 1,
                "range": [-0.1, 1.1 * most]},
    )  # fmt: skip
    for axis, values, unit in (("y", 100 * accuracy, " %"), ("y2", entropy, " bits")):
        for dash, (seed, row) in zip(("solid", "dash", "dot"), enumerate(values)):
            fig.add_scatter(
                x=exponents, y=np.round(row, 2), yaxis=axis, mode="lines+markers",
                line={"color": look.color, "width": 1.5, "dash": dash},
                marker={"color": look.color, "symbol": look.symbol, "size": 7},
                name=f"seed {seed}", hovertemplate="%{y:.2f}" + unit,
            )  # fmt: skip
    fig.add_hline(y=most, yref="y2", line={"color": MUTED, "width": 1, "dash": "dash"})
    fig.add_annotation(
        x=float(exponents[0]), xanchor="left", y=most, yref="y2", yanchor="bottom",
        text="equal weights",
    )  # fmt: skip
    fig.add_shape(
        type="line", x0=exponents[at], x1=exponents[at], y0=0, y1=1, yref="paper",
        line={"color": RIGHT, "width": 2},
    )  # fmt: skip
    said = ", ".join(f"{100 * a:.0f} %" for a in accuracy[:, at])
    return describe(
        fig, f"At τ = {temperatures[at]:g}, by seed: right words {said}; mean entropy "
        f"{entropy[:, at].mean():.2f} bits of at most {most:.2f}.",
    )  # fmt: skip
