import itertools
import math
import re
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seqviz import plots
from seqviz.plots.gradients import rate, relative_to_last
from seqviz.plots.style import (
    BACKGROUNDS,
    DIVERGING,
    FLOAT32_END,
    FLOAT32_NORMAL,
    MODELS,
    MUTED,
    as_bytes,
    describe,
    escape,
    power,
    powers_of_ten,
    style,
)
from seqviz.plots.training import running_mean

FALLING = 0.5 ** np.arange(9, -1, -1.0)  # norms by time step: half as much at each step back


def said(figure):
    return figure.layout.meta["description"].replace("\u00a0", " ")


def shown(trace, axis="y"):
    return np.asarray(trace[axis], dtype=float)


# Style


def linear(color):
    """An sRGB hex colour as linear light, (3,)."""
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """WCAG 2.2, "contrast ratio"."""
    low, high = sorted(linear(color) @ [0.2126, 0.7152, 0.0722] for color in (one, other))
    return (high + 0.05) / (low + 0.05)


# Machado, Oliveira and Fernandes 2009, "A physiologically-based model for simulation of color
# vision deficiency", severity 1.0.
SEEN = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def distance(one, other, eyes):
    """How far apart two colours look, in OKLab (Ottosson 2020)."""
    a, b = (
        TO_LAB @ np.cbrt(TO_CONES @ np.clip(SEEN[eyes] @ linear(c), 0, 1)) for c in (one, other)
    )
    return float(np.linalg.norm(a - b))


TOGETHER = (  # models that share a figure
    ("rnn", "rnn-sigmoid", "rnn-relu", "irnn"),
    ("lstm", "gru", "rnn", "tcn", "transformer"),
    ("lstm", "gru", "rnn", "plain", "residual"),
    ("seq2seq", "mean", "query", "bahdanau"),
    ("bag", "ngrams", "rnn"),
    ("tcn", "tcn-plain"),
    ("wavenet", "hierarchy"),
)


def test_black_on_white_has_the_contrast_that_wcag_gives():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", BACKGROUNDS)
def test_every_line_shows_on_both_backgrounds(theme):
    colors = {**{name: look.color for name, look in MODELS.items()}, "muted": MUTED}
    pale = {n: c for n, c in colors.items() if contrast(c, BACKGROUNDS[theme]) < 3}
    assert not pale


@pytest.mark.parametrize("one, other", itertools.combinations(MODELS, 2))
def test_models_are_told_apart_without_colour(one, other):
    assert style(one).label != style(other).label
    assert style(one).dash != style(other).dash
    assert style(one).symbol != style(other).symbol


@pytest.mark.parametrize("eyes", SEEN)
def test_models_that_share_a_figure_differ_in_colour(eyes):
    pairs = {p for group in TOGETHER for p in itertools.combinations(group, 2)}
    gaps = {p: distance(*(style(name).color for name in p), eyes) for p in pairs}
    assert not {p: gap for p, gap in gaps.items() if gap < 0.04}


def test_the_diverging_scale_has_two_sides_for_every_eye():
    for eyes in SEEN:
        assert distance(DIVERGING[0][1], DIVERGING[-1][1], eyes) > 0.15


@pytest.mark.parametrize("name", MODELS)
def test_a_look_is_one_that_plotly_draws(name):
    look = style(name)
    go.Figure(go.Bar(y=[1], marker=look.bar()))
    go.Figure(go.Scatter(y=[1], line=look.line(), marker={"symbol": look.symbol}))


def test_a_model_without_a_style_is_answered():
    with pytest.raises(ValueError, match=r"The model 'elman' has no style; the styles are bag, "):
        style("elman")


@pytest.mark.parametrize("sentence", ["", " \n", None, 5])
def test_a_description_is_a_sentence(sentence):
    with pytest.raises(ValueError, match="a sentence of text that is not empty"):
        describe(go.Figure(), sentence)


HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<b>bold</b>",
    '<a href="javascript:alert(1)">x</a>',
    "\"'`",
    "&lt;b&gt;",
    "עברית",
    "\u202eabc",
    "x" * 10_000,
    "<" * 10_000,
    "<br>" * 3,
    "%{x}<extra></extra>",
    "",
]


@pytest.mark.parametrize("token", HOSTILE, ids=lambda t: ascii(t[:12]))
def test_a_token_cannot_be_markup(token):
    safe = escape(token)
    assert safe[0] == "\u2068" and safe[-1] == "\u2069"  # a text direction of its own
    assert not set(safe) & set("<>")
    assert "&" not in re.sub("&(amp|lt|gt);", "", safe)
    assert len(safe) <= 24 * len("&amp;") + 2


@given(st.text(max_size=40))
def test_a_token_is_shown_as_it_is_or_cut(token):
    text = escape(token)[1:-1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert text == token if len(token) <= 24 else text == token[:23] + "…"


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"), (1, "1"), (0.25, "0.25"), (-0.5, "-0.5"), (0.01, "0.01"), (42, "42"),
        (3.1e-7, "3.1 × 10⁻⁷"), (1e-200, "1.0 × 10⁻²⁰⁰"), (5e-324, "4.9 × 10⁻³²⁴"),
        (2e12, "2.0 × 10¹²"), (-4e-5, "-4.0 × 10⁻⁵"),
    ],
)  # fmt: skip
def test_a_number_in_a_sentence(value, text):
    assert power(value).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    "value, text", [(math.inf, "∞"), (-math.inf, "-∞"), (math.nan, "undefined")]
)
def test_what_is_no_number_is_said_in_a_sentence_too(value, text):
    assert power(value) == text


def test_a_map_in_bytes_refuses_what_a_byte_cannot_hold():
    np.testing.assert_array_equal(as_bytes(np.array([0, 0.5, 1]), 100), [0, 50, 100])
    for odd in (-0.1, 1.5, np.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            as_bytes(np.array([0.5, odd]), 255)


@given(st.floats(1e-300, 1e300))
@example(999.6)
@example(9999.7)
@example(0.009999)
def test_a_number_in_a_sentence_is_that_number_and_readable(value):
    text = power(value).replace("\u00a0", " ")
    assert "e" not in text
    digits, _, exponent = text.replace(",", "").partition(" × 10")
    exponent = exponent.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    assert float(f"{digits}e{exponent or 0}") == pytest.approx(value, rel=0.051)


def test_ticks_are_powers_of_ten():
    ticks = powers_of_ten(-24, 16, 10)
    assert ticks["tickvals"] == [-20, -10, 0, 10]
    assert ticks["ticktext"] == ["10<sup>−20</sup>", "10<sup>−10</sup>", "1", "10<sup>10</sup>"]


# Gradients


def test_norms_are_divided_by_the_last_and_turned_to_lags():
    np.testing.assert_allclose(relative_to_last(np.array([1.0, 2.0, 4.0])), [1, 0.5, 0.25])
    np.testing.assert_array_equal(relative_to_last(np.zeros(3)), np.zeros(3))
    assert rate(relative_to_last(FALLING)) == pytest.approx(0.5)


def test_gradient_by_lag_shows_each_curve_in_powers_of_ten():
    rising = np.array([8.0, 4.0, 2.0])
    figure = plots.gradient_by_lag({"rnn": FALLING, "lstm": rising})
    falling, up = figure.data
    np.testing.assert_array_equal(shown(falling, "x"), np.arange(10))
    np.testing.assert_allclose(10 ** shown(falling), 0.5 ** np.arange(10))
    np.testing.assert_allclose(10 ** shown(up), [1, 2, 4])
    assert falling.line.color == style("rnn").color and up.line.dash == style("lstm").dash
    assert said(figure) == (
        "RNN, tanh: 9 steps back the gradient is 2.0 × 10⁻³ times the last; each step back "
        "multiplies it by 0.50 on average. LSTM: 2 steps back the gradient is 4 times the last; "
        "each step back multiplies it by 2.00 on average."
    )


@pytest.mark.parametrize("last", [1.0, 1e-100])
def test_a_gradient_of_1e_200_is_drawn_where_it_is(last):
    norms = last * np.array([1e-200, 1e-100, 1e-50, 1.0])
    (trace,) = plots.gradient_by_lag({"rnn": norms}).data
    np.testing.assert_allclose(shown(trace), [0, -50, -100, -200], atol=1e-9)


def test_a_gradient_of_zero_is_said_to_be_zero_and_drawn_below_the_axis():
    figure = plots.gradient_by_lag({"rnn": np.array([0.0, 1e-20, 1.0])})
    assert np.isfinite(shown(figure.data[0])).all()
    assert shown(figure.data[0])[-1] < figure.layout.yaxis.range[0]
    assert "2 steps back the gradient is zero" in said(figure)


def test_the_axis_says_where_float32_ends():
    figure = plots.gradient_by_lag({"rnn": FALLING})
    edges = {shape.y1 for shape in figure.layout.shapes}
    for value in (FLOAT32_NORMAL, FLOAT32_END):
        assert any(math.isclose(edge, math.log10(value), rel_tol=1e-9) for edge in edges)
    smallest = np.finfo(np.float32)
    assert pytest.approx(float(smallest.tiny), rel=1e-6) == FLOAT32_NORMAL
    assert pytest.approx(float(smallest.smallest_subnormal), rel=1e-6) == FLOAT32_END
    assert any("float32" in note.text for note in figure.layout.annotations)


@pytest.mark.parametrize("overflowed", [np.inf, np.nan])
def test_gradient_by_lag_says_that_a_gradient_overflowed(overflowed):
    figure = plots.gradient_by_lag({"rnn": np.array([overflowed, 1e300, 1.0])})
    np.testing.assert_allclose(shown(figure.data[0]), [0, 300, 300])
    assert "2 steps back the gradient has overflowed" in said(figure)


@pytest.mark.parametrize(
    "draw",
    [
        lambda norms: plots.gradient_by_depth({"rnn": norms}, -12, 12),
        lambda norms: plots.input_gradient_by_lag({"rnn": norms}, -12, 12),
        lambda norms: plots.gradient_by_layer({"tcn": norms}),
        lambda norms: plots.gradient_by_activation({"relu": norms}),
    ],
)
@pytest.mark.parametrize("overflowed", [np.inf, np.nan])
def test_every_picture_of_a_gradient_can_show_that_it_overflowed(draw, overflowed):
    figure = draw(np.array([overflowed, 1e3, 1.0]))
    assert 300 in shown(figure.data[0]) and said(figure)


@pytest.mark.parametrize(
    "first, verdict", [(1e-6, " It vanishes."), (0.1, " of the last. Each"), (1e6, " It explodes.")]
)
def test_gradient_by_token_shows_each_token(first, verdict):
    tokens = ["the", "<b>book</b>", "is"]
    figure = plots.gradient_by_token(tokens, np.array([first, 2.0, 1.0]))
    bar, dots = figure.data
    exponents = [math.log10(first), math.log10(2), 0]
    np.testing.assert_allclose(shown(dots, "customdata"), exponents, atol=1e-12)
    np.testing.assert_allclose(shown(dots, "x"), np.clip(exponents, -12, 3), atol=1e-12)
    np.testing.assert_allclose(shown(bar, "x") + bar.base, shown(dots, "x"))
    assert list(figure.layout.yaxis.ticktext) == [escape(token) for token in tokens]
    assert verdict in said(figure) and "2 steps back" in said(figure)
    assert f"gets {power(first)} times the gradient".replace("\u00a0", " ") in said(figure)
    assert f"by {math.sqrt(first):.2f} on average" in said(figure)


def test_gradient_map_shows_steps_and_lags():
    norms = np.array([[1e-3, 0.1, 1.0], [1e-3, 0.1, 1.0], [1e-3, 0.1, 1.0]] + 3 * [[1.0, 2.0, 2.0]])
    figure = plots.gradient_map(np.arange(0, 60, 10), norms)
    (heat,) = figure.data
    np.testing.assert_array_equal(shown(heat, "x"), np.arange(0, 60, 10))
    np.testing.assert_array_equal(shown(heat, "y"), [0, 1, 2])
    np.testing.assert_allclose(shown(heat, "z")[:, 0], [0, -1, -3], atol=1e-12)
    np.testing.assert_allclose(shown(heat, "z")[:, -1], [0, 0, math.log10(0.5)], atol=1e-12)
    assert "2 steps, the gradient is 1.0 × 10⁻³ times the last at the start" in said(figure)
    assert "and 0.5 times at its end" in said(figure)


@pytest.mark.parametrize(
    "size, where",
    [(0.9, "0.90: it lies inside"), (1.0, "1.00: it lies on"), (1.5, "1.50: it lies")],
)
def test_eigenvalue_plane_shows_the_eigenvalues(size, where):
    eigenvalues = size * np.array([1j, -0.5, 0.3 - 0.2j])
    figure = plots.eigenvalue_plane(eigenvalues)
    circle, radius, dots = figure.data
    np.testing.assert_allclose(shown(dots, "x") + 1j * shown(dots), eigenvalues)
    np.testing.assert_allclose(np.hypot(shown(circle, "x"), shown(circle)), 1)
    np.testing.assert_allclose(np.hypot(shown(radius, "x"), shown(radius)), size)
    assert where in said(figure)
    assert figure.layout.yaxis.scaleanchor == "x"  # a circle looks like one


def test_matrix_powers_shows_the_norms_beside_the_spectral_radius():
    norms = np.array([1.0, 30.0, 5.0, 0.02])
    figure = plots.matrix_powers(norms, 0.5)
    measured, alone = figure.data
    np.testing.assert_allclose(10 ** shown(measured), norms)
    np.testing.assert_allclose(10 ** shown(alone), 0.5 ** np.arange(4))
    assert said(figure) == ("After 3 steps ‖Wᵏ‖ is 0.02. On the way it first grew to 30, at k = 1.")
    assert "On the way" not in said(plots.matrix_powers(np.array([1.0, 0.5, 0.25]), 0.5))


def test_singular_values_shows_the_band_and_the_median():
    exponents = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, -4.0]])
    figure = plots.singular_values(exponents, np.array([0, 7]))
    band = {trace.name: shown(trace) for trace in figure.data}
    np.testing.assert_allclose(band["smallest"], [0, -4])
    np.testing.assert_allclose(band["largest"], [0, 1])
    np.testing.assert_allclose(band["median"], [0, -2])
    np.testing.assert_array_equal(shown(figure.data[0], "x"), [0, 7])
    assert "At lag 7" in said(figure) and "by 10; 1 of 3 directions keep" in said(figure)


def test_cliff_shows_the_surface_and_both_paths():
    weights, biases, loss = (
        np.linspace(0, 4, 3),
        np.linspace(-1, 1, 2),
        np.arange(6.0).reshape(2, 3),
    )
    paths = {
        "plain": np.array([[2.0, 0.0], [2.0, 30.0]]),
        "clipped": np.array([[2.0, 0.0], [2.0, 0.5], [2.0, 0.6]]),
    }
    figure = plots.cliff(weights, biases, loss, paths, {"plain": 2.5, "clipped": 0.125})
    surface, plain, clipped = figure.data
    np.testing.assert_array_equal(shown(surface, "z"), loss)
    for trace, path in ((plain, paths["plain"]), (clipped, paths["clipped"])):
        np.testing.assert_array_equal(np.stack([shown(trace, "x"), shown(trace)], 1), path)
    assert "plain gradient's longest step is 30; after 1 steps its loss is 2.500" in said(figure)
    assert "clipped gradient's longest step is 0.5; after 2 steps its loss is 0.125" in said(figure)


# Text


def test_bags_counts_both_sentences():
    figure = plots.bags({"to": 2, "<i>": 1}, {"live": 1, "to": 2})
    first, second = figure.data
    assert list(figure.layout.yaxis.ticktext) == [escape(w) for w in ("to", "<i>", "live")]
    assert (list(first.x), list(second.x)) == ([2, 1, 0], [2, 0, 1])
    assert said(figure).startswith("The two bags differ in 2 of 3 words:")


@pytest.mark.parametrize(
    "first, second, n, sentence",
    [
        ({}, {}, 1, "There is no word to count yet"),
        ({"a": 1}, {"a": 1}, 1, "The two bags are equal: 1 word,"),
        ({"a b": 1, "b a": 1}, {"b a": 1, "a b": 1}, 2, "are equal: 2 2-grams,"),
        (dict.fromkeys("abcdefghijklmnop", 1), {"a": 1}, 1, "The figure shows the first 12."),
    ],
)
def test_bags_says_what_a_model_can_tell(first, second, n, sentence):
    figure = plots.bags(first, second, n)
    assert sentence in said(figure)
    assert len(figure.data[0].x) <= 12


def test_count_matrix_marks_words_and_counts_zeros():
    counts = np.array([[3, 0, 0, 1], [0, 0, 0, 2]])
    figure = plots.count_matrix(counts, "document")
    np.testing.assert_array_equal(shown(figure.data[0], "z"), 100 * (counts > 0))
    assert "With 4 words 62.5 % of the values are zero" in said(figure)
    assert "16 bytes" in said(figure) and "8 bytes a pair, they take 12." in said(figure)


def test_count_matrix_groups_the_words_of_a_large_vocabulary():
    counts = np.zeros((2, 250), dtype=int)
    counts[1, :3] = 1  # the first group holds three words: all of them occur in the second text
    (heat,) = plots.count_matrix(counts, "sentence").data
    assert shown(heat, "z").shape == (2, 100)
    np.testing.assert_array_equal(shown(heat, "z")[1], [100] + 99 * [0])
    np.testing.assert_allclose(shown(heat, "x")[[0, -1]], [2, 249.5])


def test_zeros_by_vocabulary_shows_shares_and_their_bound():
    sizes = np.array([100, 1000])
    zeros = {"document": np.array([0.5, 0.75]), "sentence": np.array([0.9, 0.99])}
    words = {"document": 200.0, "sentence": 20.0}
    figure = plots.zeros_by_vocabulary(sizes, zeros, words, 100)
    document, beyond, sentence, further = figure.data
    np.testing.assert_allclose(shown(document), [50, 75])
    np.testing.assert_allclose(shown(sentence), [90, 99])
    np.testing.assert_allclose(shown(beyond), 100 * (1 - 200 / shown(beyond, "x")))
    assert shown(further, "x")[[0, -1]] == pytest.approx([1000, 1e5])
    assert "99.80 % for documents, 99.98 % for sentences" in said(figure)


def test_ngram_growth_shows_the_numbers_in_powers_of_ten():
    possible, occurring, repeated = (
        np.array([1e3, 1e6, 1e9]),
        np.array([1000, 4000, 5000]),
        [9, 5, 1],
    )
    figure = plots.ngram_growth(possible, occurring, np.array(repeated))
    for trace, values in zip(figure.data, (possible, occurring, repeated)):
        np.testing.assert_allclose(10 ** shown(trace), values)
        np.testing.assert_array_equal(shown(trace, "x"), [1, 2, 3])
    assert said(figure) == "Of 1.0 × 10⁹ possible 3-grams 5,000 occur: one in 200,000."


def test_ngram_recurrence_shows_percentages():
    figure = plots.ngram_recurrence(np.array([0.99, 0.6, 0.3, 0.1, 0.04]))
    np.testing.assert_allclose(shown(figure.data[0]), [99, 60, 30, 10, 4])
    assert "60 % were seen before, of the 3-grams 30 %, of the 5-grams 4 %" in said(figure)


# Training


def test_the_running_mean_is_a_mean_of_neighbours():
    np.testing.assert_allclose(running_mean(np.array([1.0, 3.0, 5.0, 7.0]), 2), [2, 4, 6])
    np.testing.assert_allclose(running_mean(np.array([1.0, 3.0]), 25), [2])


def test_loss_curves_shows_a_line_a_seed_and_knowing_nothing():
    runs = {"rnn": [np.arange(40.0), np.ones(40)], "lstm": [np.full(40, 0.25)]}
    figure = plots.loss_curves(runs, chance=1 / 6, window=10)
    assert [trace.name for trace in figure.data] == ["RNN, tanh", "RNN, tanh", "LSTM"]
    assert [trace.showlegend for trace in figure.data] == [True, False, True]
    np.testing.assert_allclose(shown(figure.data[0]), np.arange(31) + 4.5)
    assert shown(figure.data[0], "x")[[0, -1]].tolist() == [10, 40]
    assert said(figure) == "RNN, tanh ends at 34.500, 1.000. LSTM ends at 0.250."
    assert any(shape.y0 == shape.y1 == 1 / 6 for shape in figure.layout.shapes)


def test_accuracy_bars_shows_means_and_their_range():
    accuracy = {"bag": np.full((3, 2), 0.5), "rnn": np.array([[0.9, 0.6], [1.0, 0.7], [0.8, 0.8]])}
    figure = plots.accuracy_bars(["near", "far"], accuracy, chance=0.5, axis="Distance (words)")
    bag, rnn = figure.data
    np.testing.assert_allclose(shown(bag), [50, 50])
    np.testing.assert_allclose(shown(rnn), [90, 70])
    np.testing.assert_allclose(rnn.error_y.array, [10, 10])
    np.testing.assert_allclose(rnn.error_y.arrayminus, [10, 10])
    assert rnn.marker.color == style("rnn").color
    assert "Bag of words 50 %, RNN, tanh 80 %" in said(figure)


# Every picture

PICTURES = {
    "accuracy_bars": lambda: plots.accuracy_bars(["a"], {"rnn": np.ones((3, 1))}, 0.5, "Group"),
    "bags": lambda: plots.bags({"a": 1}, {"b": 1}),
    "cliff": lambda: plots.cliff(
        np.arange(2.0), np.arange(2.0), np.ones((2, 2)),
        dict.fromkeys(["plain", "clipped"], np.ones((2, 2))), {"plain": 1.0, "clipped": 1.0},
    ),
    "count_matrix": lambda: plots.count_matrix(np.eye(2), "sentence"),
    "eigenvalue_plane": lambda: plots.eigenvalue_plane(np.array([1j, 1])),
    "gradient_by_lag": lambda: plots.gradient_by_lag({"rnn": FALLING}),
    "gradient_by_token": lambda: plots.gradient_by_token(["a", "b"], np.ones(2)),
    "gradient_map": lambda: plots.gradient_map(np.arange(4), np.ones((4, 3))),
    "loss_curves": lambda: plots.loss_curves({"rnn": [np.ones(30)]}, 0.5),
    "matrix_powers": lambda: plots.matrix_powers(np.ones(3), 1.0),
    "ngram_growth": lambda: plots.ngram_growth(np.ones(3), np.ones(3), np.ones(3)),
    "ngram_recurrence": lambda: plots.ngram_recurrence(np.ones(5)),
    "singular_values": lambda: plots.singular_values(np.zeros((2, 3)), np.arange(2)),
    "zeros_by_vocabulary": lambda: plots.zeros_by_vocabulary(
        np.array([100, 1000]), dict.fromkeys(["document", "sentence"], np.ones(2)),
        {"document": 10.0, "sentence": 5.0}, 100,
    ),
}  # fmt: skip


def test_every_picture_is_drawn_by_some_test():
    tests = "".join(p.read_text(encoding="utf-8") for p in Path(__file__).parent.glob("test_*.py"))
    assert not [name for name in plots.__all__ if f"{name}(" not in tests]


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_titled_axes_a_height_and_a_description(name):
    figure = PICTURES[name]()
    assert figure.layout.xaxis.title.text
    rows = figure.layout.yaxis.ticktext and name in ("bags", "gradient_by_token")
    assert figure.layout.yaxis.title.text or rows, "words on the axis need no title"
    assert figure.layout.height >= 100
    assert said(figure).endswith(".") and "nan" not in said(figure)
    for trace in figure.data:
        for axis in ("x", "y", "z"):
            values = getattr(trace, axis, None)
            assert values is None or np.isfinite(np.asarray(values, dtype=float)).all()
