"""Pictures of text: bags of words, the sparse matrix, n-grams, accuracy where order decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from seqviz.plots.style import (
    MODELS,
    MUTED,
    UNKNOWN,
    describe,
    escape,
    figure,
    power,
    powers_of_ten,
)

ROWS = 12  # n-grams that fit one figure on a phone
CELLS = 100  # groups of words side by side that a narrow figure can show


def _unit(n: int, count: int) -> str:
    return ("word" if n == 1 else f"{n}-gram") + ("" if count == 1 else "s")


def bags(first: Mapping[str, int], second: Mapping[str, int], n: int = 1) -> go.Figure:
    """The n-gram counts of two sentences side by side, in order of appearance."""
    # compareBags in front/words.js is the twin of this function.
    labels = list(dict.fromkeys([*first, *second]))
    shown = labels[:ROWS]
    rows = list(range(len(shown)))
    counts = [[bag.get(label, 0) for label in shown] for bag in (first, second)]
    most = max([1, *counts[0], *counts[1]])
    fig = figure(
        height=90 + 26 * ROWS,
        barmode="group",
        bargap=0.3,
        xaxis={
            "title": {"text": f"Times the {_unit(n, 1)} occurs"},
            "range": [0, most + 0.2],
            "dtick": -(-most // 8),
        },
        yaxis={
            "tickmode": "array",
            "tickvals": rows,
            "ticktext": [escape(label) for label in shown],
            "range": [max(len(shown), 3) - 0.5, -0.5],
        },
    )
    looks = (("First", "#3b7dd8", ""), ("Second", "#c17c00", "/"))
    for (name, color, shape), values in zip(looks, counts):
        pattern = {"shape": shape, "solidity": 0.2, "fillmode": "overlay"}
        marker = {"color": color, "pattern": pattern}
        fig.add_bar(
            x=values, y=rows, orientation="h", name=f"{name} sentence", marker=marker,
            hovertemplate="%{x}",
        )  # fmt: skip
    return describe(fig, _compare(first, second, labels, n))


def _compare(first: Mapping, second: Mapping, labels: Sequence[str], n: int) -> str:
    total = len(labels)
    if not total:
        return f"There is no {_unit(n, 1)} to count yet: type two sentences."
    more = f" The figure shows the first {ROWS}." if total > ROWS else ""
    differ = sum(first.get(label, 0) != second.get(label, 0) for label in labels)
    if not differ:
        return (
            f"The two bags are equal: {total} {_unit(n, total)}, counted alike. "
            f"A model that sees only the bag cannot tell these sentences apart.{more}"
        )
    return (
        f"The two bags differ in {differ} of {total} {_unit(n, total)}: "
        f"a model that sees the bag can tell these sentences apart.{more}"
    )


def judged_sentence(
    words: Sequence[str],
    results: Mapping[str, np.ndarray],
    n: int,
    judges: Mapping[str, str],
    pair: tuple[str, str],
    unknown: Sequence[bool] = (),
    note: str = "",
) -> list[go.Figure]:
    """Which of two words comes first, as several models judge it: the evidence, and the answers.

    `results` holds `evidence` (3, word), for each n from 1 what the n-gram that ends at a word
    adds to the log odds of the second word coming first, and `answers` (judge,), the probability
    each judge gives it; columns of padding before the words are left out. The first picture shows
    the n-grams of `n` words. `judges` maps a label to the key of its style: the bag, 2-grams and
    3-grams, then others. Without words the pictures are empty and ask for some.
    """
    first, second = pair
    grams = [words[i : i + n] for i in range(len(words) - n + 1)]
    labels = [escape(" ".join(gram)) for gram in grams]
    strange = [any(unknown[i : i + n]) for i in range(len(grams))]
    labels = [UNKNOWN + label if bad else label for label, bad in zip(labels, strange)]
    row = np.asarray(results["evidence"][n - 1], dtype=np.float64) if results else np.zeros(0)
    values = row[len(row) - len(grams) :].tolist()
    answers = [float(answer) for answer in results["answers"]] if results else []
    largest = max([abs(value) for value in values], default=0.0)
    shown = max(len(labels), 1)
    axis = {"tickvals": list(range(len(labels))), "ticktext": labels,
            "range": [shown - 0.5, -0.5], "title": {"text": _unit(n, 1).capitalize()}}  # fmt: skip
    bars = figure(
        height=max(340, 110 + 22 * len(labels)), showlegend=False, yaxis=axis,
        xaxis={"title": {"text": f"← “{first}” first · “{second}” first →"}, "nticks": 5,
               "range": [-1.1 * max(largest, 1), 1.1 * max(largest, 1)]},
    )  # fmt: skip
    bars.add_bar(
        x=values, y=list(range(len(labels))), orientation="h", marker={"color": "#3b7dd8"},
        hovertemplate="%{x:.2f}<extra></extra>",
    )  # fmt: skip
    bars.add_vline(x=0, line={"color": MUTED, "width": 1})
    verdicts = figure(
        height=340, showlegend=False,
        yaxis={"tickvals": list(range(len(judges))), "ticktext": list(judges),
               "range": [len(judges) - 0.5, -0.5], "title": {"text": "Model"}},
        xaxis={"title": {"text": f"“{second}” comes first (%)"}, "range": [0, 106], "dtick": 25},
    )  # fmt: skip
    verdicts.add_bar(
        x=[100 * answer for answer in answers], y=list(range(len(answers))), orientation="h",
        marker={"color": [MODELS[key].color for key in judges.values()]},
        hovertemplate="%{x:.0f} %<extra></extra>",
    )  # fmt: skip
    verdicts.add_vline(x=50, line={"color": MUTED, "width": 1.5, "dash": "dash"})
    if not results:
        describe(
            bars, f"There is nothing to judge yet: type a sentence with “{first}” and “{second}”."
        )
        return [bars, describe(verdicts, "Here you will see what each model answers.")]
    describe(bars, " ".join(filter(None, [_evidence(grams, values, n, pair), note])))
    return [bars, describe(verdicts, _verdicts(words, answers, list(judges), pair))]


def _evidence(
    grams: Sequence[Sequence[str]], values: Sequence[float], n: int, pair: tuple[str, str]
) -> str:
    if not grams:
        return f"The sentence is too short for a {_unit(n, 1)}."
    top = max(range(len(grams)), key=lambda i: abs(values[i]))
    side = pair[1] if values[top] > 0 else pair[0]
    return (
        f"The weightiest {_unit(n, 1)} is “{' '.join(grams[top])}”: {abs(values[top]):.2f} for "
        f"“{side}” first."
    )


def _verdicts(
    words: Sequence[str], answers: Sequence[float], judges: Sequence[str], pair: tuple[str, str]
) -> str:
    if any(list(words).count(word) != 1 for word in pair):
        return f"There is no right answer: that takes “{pair[0]}” and “{pair[1]}” once each."
    late = list(words).index(pair[1]) < list(words).index(pair[0])
    right = [judge for judge, answer in zip(judges, answers) if (answer > 0.5) == late]
    return f"Here “{pair[late]}” comes first. Right: {', '.join(right) or 'none'}."


def count_matrix(counts: np.ndarray, unit: str) -> go.Figure:
    """Which words each text uses: `counts` is `(text, word)`, the words in order of frequency.

    A cell is one word, or a group of words where there are more words than cells; its colour is
    the share of them that occurs.
    """
    groups = np.array_split(np.arange(counts.shape[1]), min(CELLS, counts.shape[1]))
    used = counts > 0
    share = np.stack([100 * used[:, group].mean(1) for group in groups], axis=1)
    middles = [float(group.mean()) + 1 for group in groups]
    size = counts.shape[1]
    fig = figure(
        height=300,
        showlegend=False,
        xaxis={"title": {"text": "Word (most frequent first)"}, "range": [0.5, size + 0.5]},
        yaxis={"title": {"text": unit.capitalize()}, "autorange": "reversed", "dtick": 10},
    )
    fig.add_heatmap(
        z=share.round().astype(np.uint8), x=middles, y0=1, dy=1, zmin=0, zmax=100,
        colorbar={"title": {"text": "words that occur (%)", "side": "right"}},
        colorscale=[[0, "rgba(127,135,146,0.08)"], [0.1, "#9cbfee"], [1, "#1c5bb4"]],
        hovertemplate=f"{unit} %{{y}}, words around %{{x:.0f}}: %{{z}} %<extra></extra>",
    )  # fmt: skip
    zeros = 100 * float((~used).mean())
    words = float(used.sum(1).mean())
    return describe(
        fig,
        f"With {size:,} words {zeros:.1f} % of the values are zero. Stored in full, at 4 bytes a "
        f"value, a {unit} takes {4 * size:,} bytes. On average {words:.1f} words occur in it: "
        f"stored as pairs of index and count, at 8 bytes a pair, they take {8 * words:,.0f}.",
    )


def zeros_by_vocabulary(
    sizes: np.ndarray, zeros: Mapping[str, np.ndarray], words: Mapping[str, float], size: int
) -> go.Figure:
    """The share of zeros by the size of the vocabulary, with its bound as far as 100,000 words.

    `zeros` has the share `(size,)` for each kind of text, `words` the mean number of distinct
    words in one: no vocabulary can make fewer zeros than one minus words over its size.
    """
    fig = figure(
        height=300,
        xaxis={"title": {"text": "Size of the vocabulary (words)"}, "type": "log",
               "tickvals": [100, 1000, 10000, 100000],
               "ticktext": ["100", "1,000", "10,000", "100,000"]},
        yaxis={"title": {"text": "Values that are zero (%)"}, "range": [0, 103], "dtick": 25},
    )  # fmt: skip
    looks = {"document": ("#3b7dd8", "solid"), "sentence": ("#c17c00", "dash")}
    for unit, (color, dash) in looks.items():
        fig.add_scatter(
            x=sizes, y=100 * zeros[unit], mode="lines", name=f"{unit}s, measured",
            line={"color": color, "dash": dash, "width": 2.5}, hovertemplate="%{x}: %{y:.1f} %",
        )  # fmt: skip
        beyond = np.geomspace(sizes[-1], 1e5, 12)
        fig.add_scatter(
            x=beyond, y=100 * (1 - words[unit] / beyond), mode="lines", name="at least",
            line={"color": color, "dash": "dot", "width": 1.5}, showlegend=unit == "document",
            hovertemplate="%{x:.0f}: at least %{y:.2f} %",
        )  # fmt: skip
    fig.add_vline(x=size, line={"color": MUTED, "width": 1.5})
    bound = ", ".join(f"{100 * (1 - words[u] / 1e5):.2f} % for {u}s" for u in looks)
    return describe(fig, f"At 100,000 words at least {bound} would be zero.")


def ngram_growth(possible: np.ndarray, occurring: np.ndarray, repeated: np.ndarray) -> go.Figure:
    """How many n-grams there could be, occur, and occur more than once; each is `(n,)` from 1."""
    n = np.arange(1, len(possible) + 1)
    fig = figure(
        height=340,
        xaxis={"title": {"text": "n (words in a row)"}, "dtick": 1},
        yaxis={"title": {"text": "Number of n-grams"}, "range": [1.5, 19],
               **powers_of_ten(3, 18, 3)},
    )  # fmt: skip
    series = (
        ("possible: V<sup>n</sup>", possible, "#7f8792", "dash", "square"),
        ("occurring", occurring, "#3b7dd8", "solid", "circle"),
        ("occurring twice or more", repeated, "#c17c00", "dot", "diamond"),
    )
    for name, values, color, dash, symbol in series:
        fig.add_scatter(
            x=n, y=np.log10(np.maximum(values, 1)), mode="lines+markers", name=name,
            line={"color": color, "dash": dash, "width": 2.5},
            marker={"color": color, "symbol": symbol, "size": 8}, customdata=values,
            hovertemplate="n = %{x}: %{customdata:,.0f}",
        )  # fmt: skip
    share = occurring[2] / possible[2]
    return describe(
        fig,
        f"Of {power(possible[2])} possible 3-grams {occurring[2]:,.0f} occur: "
        f"one in {1 / share:,.0f}.",
    )


def ngram_recurrence(seen: np.ndarray) -> go.Figure:
    """The share of held-out n-grams that were seen in the other text: `(n,)` from 1."""
    n = np.arange(1, len(seen) + 1)
    fig = figure(
        height=340,
        showlegend=False,
        xaxis={"title": {"text": "n (words in a row)"}, "dtick": 1},
        yaxis={"title": {"text": "Held-out n-grams seen before (%)"}, "range": [0, 110],
               "dtick": 25},
    )  # fmt: skip
    fig.add_bar(
        x=n, y=100 * seen, marker=MODELS["ngrams"].bar(), text=[f"{100 * s:.0f} %" for s in seen],
        textposition="outside", cliponaxis=False, hoverinfo="skip",
    )  # fmt: skip
    return describe(
        fig, f"Of the 2-grams in held-out text {100 * seen[1]:.0f} % were seen before, of the "
        f"3-grams {100 * seen[2]:.0f} %, of the 5-grams {100 * seen[4]:.0f} %.",
    )  # fmt: skip
