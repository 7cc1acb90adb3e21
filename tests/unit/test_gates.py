"""The pictures of gated cells, by their data."""

import warnings

import numpy as np
import pytest

from seqviz import plots
from seqviz.plots.gates import GATES, STATES
from seqviz.plots.style import escape, power, style

FALLING = 0.5 ** np.arange(9, -1, -1.0)  # norms by time step: half as much at each step back


def said(figure):
    return figure.layout.meta["description"]


def shown(trace, axis="y"):
    return np.asarray(trace[axis], dtype=float)


UNIT = {
    "input_gate": np.array([0.9, 0.1, 0.2]),
    "forget_gate": np.array([0.5, 0.75, 0.25]),
    "output_gate": np.array([0.0, 0.1, 1.0]),
    "cell": np.array([0.5, -1.25, 0.75]),
    "hidden": np.array([0.0, -0.1, 0.6]),
}


def test_cell_steps_shows_gates_and_states_with_what_is_on_the_input():
    gates, states = plots.cell_steps(UNIT, ["+1", "", "<b>"], largest=2)
    for figure, table in ((gates, GATES), (states, STATES)):
        looks = {name: look for name, look in table.items() if name in UNIT}
        assert len(figure.data) == len(looks) >= 2
        for trace, (name, (label, color, dash, symbol)) in zip(figure.data, looks.items()):
            np.testing.assert_array_equal(shown(trace), UNIT[name])
            np.testing.assert_array_equal(shown(trace, "x"), [1, 2, 3])
            assert (trace.name, trace.line.color) == (label, color)
            assert (trace.line.dash, trace.marker.symbol) == (dash, symbol)
        ticks = list(figure.layout.xaxis.ticktext)
        assert ticks == [f"1<br>{escape('+1')}", f"2<br>{escape('')}", f"3<br>{escape('<b>')}"]
    assert tuple(states.layout.yaxis.range) == (-2, 2)
    assert said(gates) == (
        "The input gate opens at 1 of 3 steps. The forget gate lies between 0.25 and 0.75."
    )
    assert "furthest from zero at step 2, at -1.25" in said(states)
    assert "At the last step it is 0.75, and the hidden state is 0.60." in said(states)
    empty = dict.fromkeys(UNIT, np.full(3, 0.001))
    assert "stays near zero" in said(plots.cell_steps(empty, [""] * 3, largest=2)[1])
    with pytest.raises(ValueError):
        plots.cell_steps(UNIT, ["one too few"], largest=2)


def test_cell_steps_shows_a_gru_by_its_own_gates():
    unit = {
        "reset_gate": np.array([1.0, 0.9]), "update_gate": np.array([0.25, 0.5]),
        "candidate": np.array([1.0, -1.0]), "hidden": np.array([0.75, -0.125]),
    }  # fmt: skip
    gates, states = plots.cell_steps(unit, ["+1", ""], largest=1)
    for figure, names in (
        (gates, ["update_gate", "reset_gate"]),
        (states, ["candidate", "hidden"]),
    ):
        assert [trace.name for trace in figure.data] == [(GATES | STATES)[n][0] for n in names]
        for trace, name in zip(figure.data, names):
            np.testing.assert_array_equal(shown(trace), unit[name])
    assert said(gates) == "The update gate lies between 0.25 and 0.50."
    assert said(states) == (
        "The hidden state is furthest from zero at step 1, at 0.75. At the last step it is -0.12."
    )


@pytest.mark.parametrize("looks", [GATES, STATES])
def test_the_lines_of_a_unit_are_told_apart_without_colour(looks):
    for part in range(4):
        assert len({look[part] for look in looks.values()}) == len(looks)


def test_gate_map_shows_percent_by_unit_and_time_and_compares_the_marks():
    values = np.array([[0.1, 0.2], [0.9, 0.5], [0.3, 0.006]])  # (time, unit)
    figure = plots.gate_map(values, "input gate", marks=[1], unit_order=np.array([1, 0]))
    (heat,) = figure.data
    np.testing.assert_array_equal(shown(heat, "z"), [[20, 50, 1], [10, 90, 30]])
    assert (heat.zmin, heat.zmax, heat.x0, heat.dx) == (0, 100, 1, 1)
    assert [note.x for note in figure.layout.annotations] == [2]
    # at the mark (90 + 50) / 2, elsewhere (10 + 20 + 30 + 0.6) / 4
    assert said(figure) == (
        "At the marked steps the input gate is 70\u00a0% open on average over the units, "
        "at all others 15\u00a0%."
    )
    plain = plots.gate_map(values, "input gate")
    np.testing.assert_array_equal(shown(plain.data[0], "z")[0], [10, 90, 30])
    assert "is 33\u00a0% open on average" in said(plain)
    everywhere = said(plots.gate_map(values, "input gate", marks=[0, 1, 2]))
    assert everywhere.startswith("Every step is marked. Over all units and steps the input gate is")
    assert "33\u00a0% open" in everywhere and "nan" not in everywhere


@pytest.mark.parametrize("wrong", [-0.01, 1.01, 2.6, np.nan])
def test_gate_map_refuses_what_is_no_gate(wrong):
    with pytest.raises(ValueError, match="values must lie between 0 and 1, got") as caught:
        plots.gate_map(np.array([[0.5, wrong]]), "input gate")
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    ends = plots.gate_map(np.array([[0.0, 1.0]]), "input gate").data[0]
    np.testing.assert_array_equal(shown(ends, "z"), [[0], [100]])


def test_text_map_shows_each_character_once_and_its_state():
    values = np.array([0.5, -1.5, 0.25, 0.75])
    figure = plots.text_map(["a", " ", "\n", "<"], values, "state", columns=3)
    (heat,) = figure.data
    np.testing.assert_array_equal(shown(heat, "z"), [[50, -100, 25], [75, 0, 0]])
    assert [list(row) for row in heat.text] == [[escape("a"), "·", "↵"], [escape("<"), "", ""]]
    assert (heat.zmin, heat.zmax) == (-100, 100)
    assert "75\u00a0% at its highest, after character 4" in said(figure)
    assert "-150\u00a0% at its lowest, after character 2" in said(figure)


def test_cell_gradient_shows_both_and_says_where_they_part():
    direct = 0.2 ** np.arange(9, -1, -1.0)
    figure = plots.cell_gradient(FALLING, direct, low=-10, high=2)
    total, alone = figure.data
    np.testing.assert_allclose(10 ** shown(total), 0.5 ** np.arange(10))
    np.testing.assert_allclose(10 ** shown(alone), 0.2 ** np.arange(10))
    assert total.line.dash != alone.line.dash
    # (0.5 / 0.2) ** lag first exceeds 2 at lag 1
    assert said(figure) == (
        f"At lag 9 the recorded gradient is {power(0.5**9)} times the last, the product of forget "
        f"gates {power(0.2**9)}. They differ by more than a factor of 2 from lag 1 on."
    )
    assert "never differ" in said(plots.cell_gradient(FALLING, FALLING, low=-10, high=2))


def test_cell_gradient_compares_what_vanished_altogether():
    gone = np.array([0.0, 0.0, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = plots.cell_gradient(gone, gone, low=-10, high=2)
        other = plots.cell_gradient(gone, np.array([0.0, 1e-9, 1.0]), low=-10, high=2)
    assert "never differ" in said(same)
    assert "from lag 1 on" in said(other)


def test_gradient_by_depth_shows_each_curve_and_its_rate():
    figure = plots.gradient_by_depth({"lstm": FALLING, "residual": np.array([9.0, 3, 1])}, -10, 4)
    falling, rising = figure.data
    np.testing.assert_allclose(10 ** shown(falling), 0.5 ** np.arange(10))
    np.testing.assert_allclose(10 ** shown(rising), [1, 3, 9])
    np.testing.assert_array_equal(shown(rising, "x"), [0, 1, 2])
    assert falling.line.dash == style("lstm").dash and rising.line.color == style("residual").color
    assert f"LSTM {power(0.5**9)} (0.50 a step)" in said(figure)
    assert "Feed-forward, residual 9 (3.00 a step)" in said(figure)


def test_cell_costs_shows_each_quantity_on_its_own_log_axis():
    costs = {"Parameters": {"rnn": 100, "lstm": 400}, "Bytes": {"rnn": 1e3, "lstm": 5e6}}
    figure = plots.cell_costs(costs, {"Parameters": (1, 4), "Bytes": (2, 8)})
    for trace, (quantity, values) in zip(figure.data, costs.items(), strict=True):
        np.testing.assert_allclose(10 ** shown(trace, "x"), list(values.values()))
        assert list(trace.marker.symbol) == [style(key).symbol for key in values]
        axis = figure.layout[trace.xaxis.replace("x", "xaxis")]
        assert axis.title.text == quantity
    assert figure.data[0].text[1].strip() == "400 (4.00 ×)"
    assert figure.data[1].text[1].strip() == "5 million (5000.00 ×)"
    assert tuple(figure.layout.xaxis2.range) == (2, 8)
    assert "Parameters: RNN, tanh 100, LSTM 400; Bytes:" in said(figure)
    domains = [figure.layout.yaxis.domain, figure.layout.yaxis2.domain]
    assert domains[0][0] > domains[1][1]  # no row lies on another


def test_loss_by_length_shows_seeds_and_their_median():
    losses = {"gru": np.array([[0.01, 0.1, 1.0], [0.001, 0.2, 2.0], [0.02, 0.1, 0.5]])}
    lengths = np.array([50, 1000, 5000])
    figure = plots.loss_by_length(lengths, losses, chance=1 / 6, trained=50)
    seeds, median = figure.data
    np.testing.assert_allclose(10 ** shown(seeds), losses["gru"].ravel())
    np.testing.assert_array_equal(shown(seeds, "x"), np.tile(lengths, 3))
    np.testing.assert_allclose(10 ** shown(median), [0.01, 0.1, 1.0])
    assert list(figure.layout.xaxis.ticktext) == ["50", "1,000", "5,000"]
    assert any(shape.x0 == shape.x1 == 50 for shape in figure.layout.shapes)
    assert any(np.isclose(shape.y0, np.log10(1 / 6)) for shape in figure.layout.shapes)
    assert said(figure).endswith("70\u00a0% of the variance: GRU at 50.")
    nowhere = plots.loss_by_length(lengths, {"rnn": np.ones((3, 3))}, chance=1 / 6)
    assert "RNN, tanh at no length" in said(nowhere)


def test_correlation_bars_shows_means_and_seeds():
    found = {
        "trained": np.array([[0.5, 0.9], [0.7, 0.7]]),
        "untrained": np.array([[0.1, 0.2], [0.3, 0.4]]),
    }
    figure = plots.correlation_bars(["a", "inside<br>b"], found)
    trained, seeds, untrained, _ = figure.data
    np.testing.assert_allclose(shown(trained, "x"), [0.6, 0.8])
    np.testing.assert_allclose(shown(untrained, "x"), [0.2, 0.3])
    np.testing.assert_allclose(shown(seeds, "x"), [0.5, 0.9, 0.7, 0.7])
    assert trained.marker.pattern.shape != untrained.marker.pattern.shape
    assert said(figure) == (
        "The difference is largest for “inside b”, mean of the seeds: "
        "trained 0.80 and untrained 0.30."
    )


PICTURES = {
    "cell_costs": lambda: plots.cell_costs({"Bytes": {"rnn": 10}}, {"Bytes": (0, 2)}),
    "cell_gradient": lambda: plots.cell_gradient(FALLING, FALLING, -10, 2),
    "cell_steps": lambda: plots.cell_steps(UNIT, ["", "", ""], 2)[0],
    "correlation_bars": lambda: plots.correlation_bars(["a"], {"trained": np.ones((3, 1))}),
    "gate_map": lambda: plots.gate_map(np.ones((3, 2)), "forget gate"),
    "gradient_by_depth": lambda: plots.gradient_by_depth({"lstm": FALLING}, -10, 2),
    "loss_by_length": lambda: plots.loss_by_length(
        np.array([1, 2]), {"gru": np.ones((3, 2))}, 0.5
    ),
    "text_map": lambda: plots.text_map(["a"], np.ones(1), "state"),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_titled_axes_a_height_and_a_description(name):
    figure = PICTURES[name]()
    if name != "text_map":  # the text is its own axis
        assert figure.layout.xaxis.title.text
    rows = name in ("cell_costs", "correlation_bars", "text_map")
    assert figure.layout.yaxis.title.text or rows, "words on the axis need no title"
    assert figure.layout.height >= 100
    assert said(figure).endswith(".") and "nan" not in said(figure)
    for trace in figure.data:
        for axis in ("x", "y", "z"):
            values = getattr(trace, axis, None)
            assert values is None or np.isfinite(np.asarray(values, dtype=float)).all()
