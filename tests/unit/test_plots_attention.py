import numpy as np
import pytest

from seqviz import plots
from seqviz.plots.style import escape, style

WEIGHTS = np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])
HOSTILE = "</script><img src=x onerror=alert(1)>"


def said(figure):
    return figure.layout.meta["description"]


def draw(**changes):
    given = {
        "weights": WEIGHTS, "entropy": np.array([0.47, 1.49]), "source": ["a", HOSTILE, "c"],
        "written": ["مارس", "[end]"], "right": [0, -1],
    }  # fmt: skip
    return plots.alignment_map(**{**given, **changes})


def test_alignment_map_shows_weights_right_words_and_entropy():
    figure = draw()
    heat, right, bars = figure.data
    np.testing.assert_array_equal(heat.z, [[90, 10, 0], [20, 30, 50]])
    assert heat.z.dtype == np.uint8 and (heat.zmin, heat.zmax) == (0, 100)
    assert (list(right.x), list(right.y)) == ([0], [0])
    np.testing.assert_allclose(bars.x, [0.47, 1.49])
    assert figure.layout.xaxis2.range[1] >= np.log2(3)
    assert "90\u00a0% of the weight is on the right words" in said(figure)
    assert "mean entropy 1.0 bits" in said(figure)


def test_words_are_escaped_and_keep_their_own_direction():
    layout = draw(wrong=[True, False]).layout
    assert layout.yaxis.ticktext == ("✗ " + escape("مارس"), escape("[end]"))
    assert not set("".join(layout.xaxis.ticktext)) & set("<>")


def test_effect_map_says_on_and_off_the_counterpart():
    effect = np.array([[1.0, 0.0, 0.1], [0.0, 0.0, 0.0]])
    figure = plots.effect_map(effect, ["a", "b", "c"], ["x", "[end]"], [0, -1])
    heat, right = figure.data
    np.testing.assert_array_equal(heat.z, [[100, 0, 10], [0, 0, 0]])
    assert list(right.x) == [0]
    assert "in 100\u00a0% of the cases" in said(figure) and "in 5\u00a0% when" in said(figure)
    tagged = plots.effect_map(effect[:, ::-1], ["[t]", "b", "a"], ["x", "[end]"], [2, -1], tags=1)
    assert "in 0\u00a0% when another word is, in 10\u00a0% when the tag is." in said(tagged)


def test_accuracy_by_dates_shows_seeds_mean_and_what_was_trained():
    values = np.array([[1.0, 0.5, 0.2], [0.8, 0.7, 0.4]])
    figure = plots.accuracy_by_dates([1, 2, 3], {"seq2seq": values}, 2, "words")
    marks, line = figure.data
    np.testing.assert_allclose(marks.y, [100, 50, 20, 80, 70, 40])
    np.testing.assert_allclose(marks.x, [1, 2, 3, 1, 2, 3])
    np.testing.assert_allclose(line.y, [90, 60, 30])
    assert (
        line.line.dash == style("seq2seq").dash and marks.marker.symbol == style("seq2seq").symbol
    )
    assert figure.layout.shapes[0].x0 == 2.5
    assert "One fixed vector 90\u00a0% and 60\u00a0%" in said(figure)


def test_zoom_marks_the_temperature():
    accuracy, entropy = np.array([[1.0, 0.9], [0.8, 0.5]]), np.array([[0.1, 1.0], [0.2, 1.2]])
    figure = plots.zoom(np.array([0.1, 10.0]), accuracy, entropy, 1, 2.0)
    np.testing.assert_allclose(figure.data[1].y, [80, 50])
    np.testing.assert_allclose(figure.data[3].y, [0.2, 1.2])
    assert figure.data[2].yaxis == "y2" and figure.data[0].line.dash != figure.data[1].line.dash
    assert figure.layout.shapes[-1].x0 == pytest.approx(1)
    assert "At τ = 10, by seed: right words 90\u00a0%, 50\u00a0%" in said(figure)
    assert "1.10 bits of at most 2.00" in said(figure)
