import itertools

import numpy as np
import pytest

from seqviz import plots
from seqviz.plots.convolution import tree_paths
from seqviz.plots.style import escape, power, style


def said(figure):
    return figure.layout.meta["description"]


def shown(trace, axis="y"):
    return np.asarray(trace[axis], dtype=float)


def edges(trace):
    """The edges that a line runs along, as pairs ((lag below, level), (lag above, level + 1))."""
    points = list(zip(shown(trace, "x"), shown(trace)))
    return {tuple(sorted(pair, key=lambda p: p[1])) for pair in itertools.pairwise(points)}


def test_paths_of_a_tree_are_the_coefficients_of_a_product():
    # Each layer multiplies by 1 + z^d + … + z^((k-1) d).
    for kernel_size, dilations in ((2, [1, 2, 4]), (3, [1, 1, 1]), (3, [1, 2])):
        product = np.ones(1)
        for dilation in dilations:
            product = np.convolve(product, np.bincount(np.arange(kernel_size) * dilation))
        counts = tree_paths(kernel_size, dilations, 20)
        assert len(counts) == len(dilations) + 1
        np.testing.assert_array_equal(counts[-1], np.append(product, np.zeros(20 - len(product))))


def test_a_tree_shows_every_edge_and_the_path_to_the_input():
    figure = plots.receptive_tree(2, [1, 2], lag=3, steps=6)
    everything, nodes, bold, chosen, mark = figure.data
    assert edges(bold) == {((3, 0), (2, 1)), ((2, 1), (0, 2))}
    assert edges(everything) == {
        ((0, 1), (0, 2)), ((2, 1), (0, 2)),
        ((0, 0), (0, 1)), ((1, 0), (0, 1)), ((2, 0), (2, 1)), ((3, 0), (2, 1)),
    }  # fmt: skip
    seen = set(zip(shown(nodes, "x"), shown(nodes)))
    assert seen == {node for edge in edges(everything) for node in edge}
    assert set(nodes.customdata) == {1}
    assert set(zip(shown(chosen, "x"), shown(chosen))) == {(3, 0), (2, 1), (0, 2)}
    assert (mark.x, mark.y) == ((3,), (0,)) and mark.marker.symbol == "circle-open"
    assert said(figure) == (
        "Through 2 layers the output sees 4 inputs, lags 0 to 3. "
        "One path of 2 hops leads to the input at lag 3."
    )


def test_a_tree_with_equal_dilations_has_many_paths():
    figure = plots.receptive_tree(2, [1, 1, 1, 1], lag=2)
    assert "6 paths of 4 hops lead to the input at lag 2." in said(figure)
    nodes = figure.data[1]
    paths = dict(zip(zip(shown(nodes, "x"), shown(nodes)), nodes.customdata))
    assert [paths[lag, 0] for lag in range(5)] == [1, 4, 6, 4, 1]


def test_an_input_that_is_not_seen_is_crossed_out():
    figure = plots.receptive_tree(2, [1, 2], lag=4, steps=6)
    _, _, bold, chosen, mark = figure.data
    assert len(bold.x) == len(chosen.x) == 0 and mark.marker.symbol == "x"
    assert "no training can change that" in said(figure)


def test_a_tree_larger_than_its_picture_says_so():
    figure = plots.receptive_tree(3, [1, 2, 4, 8], lag=0, steps=16)
    assert "sees 31 inputs, lags 0 to 30, of which 16 are drawn" in said(figure)
    assert max(shown(figure.data[1], "x")) == 15


@pytest.mark.parametrize("lag", [-1, 32])
def test_a_lag_outside_the_tree_is_answered_in_one_sentence(lag):
    with pytest.raises(ValueError, match=f"lag must lie between 0 and 31, got {lag}."):
        plots.receptive_tree(2, [1], lag)


def test_receptive_fields_shows_formula_and_measurement():
    fields = {"tcn": ([4, 10], [4, 9]), "wavenet": ([2, 4], [2, 4])}
    figure = plots.receptive_fields([1, 2], fields, chosen=2)
    line, marks, other_line, other_marks = figure.data
    np.testing.assert_allclose(10 ** shown(line), [4, 10])
    np.testing.assert_allclose(10 ** shown(marks), [4, 9])
    np.testing.assert_allclose(10 ** shown(other_line), 10 ** shown(other_marks))
    np.testing.assert_array_equal(shown(line, "x"), [1, 2])
    assert list(marks.customdata) == [4, 9]
    assert line.line.dash == style("tcn").dash
    assert any(shape.x0 == shape.x1 == 2 for shape in figure.layout.shapes)
    assert said(figure) == (
        "TCN: 10 time steps at depth 2 by the formula; the gradient finds 9. "
        "WaveNet: 4 time steps at depth 2 by the formula; the gradient finds the same number."
    )


def test_input_gradient_by_lag_shows_ratios_in_order_of_lag_and_says_where_it_ends():
    figure = plots.input_gradient_by_lag({"tcn": [0, 0, 1e-3, 10], "lstm": [1e-9, 1, 1, 0.5]})
    tcn, lstm = figure.data
    np.testing.assert_array_equal(shown(tcn, "x"), [0, 1, 2, 3])
    np.testing.assert_allclose(shown(tcn)[:2], [1, -3])
    assert (shown(tcn)[2:] < figure.layout.yaxis.range[0]).all()
    np.testing.assert_allclose(10 ** shown(lstm), [0.5, 1, 1, 1e-9])
    assert said(figure) == (
        f"TCN: 10 at lag 0, {power(1e-3)} at lag 1, and exactly zero beyond. "
        f"LSTM: 0.5 at lag 0, {power(1e-9)} at lag 3."
    )


def test_gradient_by_layer_is_relative_to_the_last():
    figure = plots.gradient_by_layer({"tcn": np.array([2.0, 3, 4]), "tcn-plain": np.array([0, 1])})
    tcn, plain = figure.data
    np.testing.assert_array_equal(shown(tcn, "x"), [1, 2, 3])
    np.testing.assert_allclose(10 ** shown(tcn), [0.5, 0.75, 1])
    assert np.isfinite(shown(plain)).all() and shown(plain)[0] < figure.layout.yaxis.range[0]
    assert said(figure).startswith("TCN: the first block gets 0.5 of the last one.")


def test_skills_shows_a_mark_for_each_seed_and_task():
    skill = {"tcn": np.array([[1, 0.9], [0.5, 0.4]]), "gru": np.array([[0, -0.1], [1, 1]])}
    figure = plots.skills(["copy", "add"], skill)
    for trace, key in zip(figure.data, skill):
        np.testing.assert_array_equal(shown(trace, "x"), skill[key].ravel())
        np.testing.assert_array_equal(np.round(shown(trace)), [0, 0, 1, 1])
        assert trace.marker.symbol == style(key).symbol
    assert not set(shown(figure.data[0])) & set(shown(figure.data[1]))  # side by side
    assert list(figure.layout.yaxis.ticktext) == ["copy", "add"]
    assert "copy: TCN 0.90, GRU -0.10; add: TCN 0.40, GRU 1.00." in said(figure)


def test_published_ratio_shows_who_wins_each_task():
    rows = {"<b>": ("loss", 1.0, 2.0), "far": ("loss", 1e-3, 1.0), "lost": ("bits", 9.5, 10.0)}
    rows |= {"won": ("perplexity", 20.0, 10.0)}
    figure = plots.published_ratio(rows, "lstm")
    better, worse = figure.data
    np.testing.assert_allclose(10 ** shown(better, "x"), [0.5, 1e-3, 0.95])
    np.testing.assert_array_equal(shown(better), [0, 1, 2])
    np.testing.assert_allclose(10 ** shown(worse, "x"), [2])
    assert worse.text == ("perplexity: TCN 20, LSTM 10",)
    assert (better.marker.symbol, worse.marker.symbol) == (
        style("tcn").symbol, style("lstm").symbol,
    )  # fmt: skip
    assert figure.layout.yaxis.ticktext[0] == escape("<b>")
    assert said(figure) == (
        "The TCN is better than LSTM on 3 of 4 tasks; not on won. "
        "On 1 of those it is better by less than a tenth."
    )


def test_pixel_map_shows_rows_from_the_top_and_counts_time_steps():
    values = np.arange(6.0).reshape(2, 3) / 6
    figure = plots.pixel_map(values, "ink", "A digit.")
    (heat,) = figure.data
    np.testing.assert_array_equal(shown(heat, "z"), values)
    np.testing.assert_array_equal(shown(heat, "customdata"), [[1, 2, 3], [4, 5, 6]])
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]
    assert (heat.zmin, heat.zmax, said(figure)) == (0, 1, "A digit.")


def test_loss_curves_of_means_count_steps():
    figure = plots.loss_curves({"tcn": [np.arange(6.0)]}, 0.5, window=2, name="Accuracy", every=10)
    (line,) = figure.data
    np.testing.assert_array_equal(shown(line, "x"), [20, 30, 40, 50, 60])
    np.testing.assert_allclose(shown(line), np.arange(5) + 0.5)
    assert figure.layout.yaxis.title.text == "Accuracy (mean of 20 steps)"


PICTURES = {
    "gradient_by_layer": lambda: plots.gradient_by_layer({"tcn": np.ones(3)}),
    "input_gradient_by_lag": lambda: plots.input_gradient_by_lag({"tcn": np.ones(3)}),
    "pixel_map": lambda: plots.pixel_map(np.eye(2), "ink", "Two pixels."),
    "published_ratio": lambda: plots.published_ratio({"a": ("loss", 1.0, 2.0)}, "gru"),
    "receptive_fields": lambda: plots.receptive_fields([1], {"tcn": ([3], [3])}),
    "receptive_tree": lambda: plots.receptive_tree(3, [1, 2], 1),
    "skills": lambda: plots.skills(["a"], {"tcn": np.ones((1, 3))}),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_titled_axes_a_height_and_a_description(name):
    figure = PICTURES[name]()
    assert figure.layout.xaxis.title.text and figure.layout.height >= 100
    assert figure.layout.yaxis.title.text or figure.layout.yaxis.ticktext
    assert said(figure).endswith(".") and "nan" not in said(figure)
    for trace in figure.data:
        for axis in ("x", "y", "z"):
            values = getattr(trace, axis, None)
            assert values is None or np.isfinite(np.asarray(values, dtype=float)).all()
