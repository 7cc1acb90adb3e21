import numpy as np
import pytest

from seqviz.explore import Slider
from seqviz.explore.grid import DEFLATE, pack, unpack
from seqviz.models import sinusoidal_positions
from seqviz.plots import (
    attention_map,
    attention_step,
    cost_by_length,
    gradient_by_activation,
    head_roles,
    heads_removed,
    loss_by_positions,
    order_by_gap,
    position_code,
    position_products,
)

RANDOM = np.random.default_rng(0)
WORDS = ["the", "<b>", "ox"]


STEPS = np.arange(12.0).reshape(3, 4)


def matrices():
    shapes = {"queries": 4, "keys": 4, "scores": 3, "scaled": 3, "weights": 3, "values": 4,
              "output": 4}  # fmt: skip
    made = {name: RANDOM.normal(size=(3, n)) for name, n in shapes.items()}
    made["weights"] = np.array([[0.2, 0.7, 0.1], [0.1, 0.1, 0.8], [0.5, 0.25, 0.25]])
    return made


def said(figure):
    return figure.layout.meta["description"].replace("\u00a0", " ")


@pytest.mark.parametrize("step", ["queries", "keys", "scores", "scaled", "weights", "values",
                                  "output"])  # fmt: skip
def test_a_step_shows_its_matrix_and_the_row_of_the_query(step):
    made = matrices()
    whole, row = attention_step(WORDS, made, step, 1)
    np.testing.assert_allclose(whole.data[0].z, made[step], rtol=1e-6)
    np.testing.assert_allclose(row.data[0].y, made[step][1], rtol=1e-6)
    assert (whole.layout.shapes[0].y0, whole.layout.shapes[0].y1) == (0.5, 1.5)
    assert "<b>" in said(whole)  # plain text, which the page shows as text
    shown = [*whole.layout.yaxis.ticktext, *row.layout.xaxis.ticktext, row.layout.yaxis.title.text]
    assert not any("<b>" in text for text in shown)


def test_a_step_says_whom_the_query_looks_at():
    assert "80 % of its attention to “ox”" in said(
        attention_step(WORDS, matrices(), "weights", 1)[0]
    )
    assert "70 % of it from “<b>”" in said(attention_step(WORDS, matrices(), "output", 0)[0])
    with pytest.raises(ValueError, match="step must be one of queries, keys"):
        attention_step(WORDS, matrices(), "mask", 0)


def test_products_of_clocks_have_no_band_and_those_of_random_codes_do():
    clocks = sinusoidal_positions(12, 8).numpy()
    band, top, line = position_products(clocks, 3, "sinusoidal").data
    np.testing.assert_allclose(band.y, top.y, atol=1e-12)
    np.testing.assert_allclose(line.y, line.y[3] * (clocks @ clocks[3]) / 4, atol=1e-12)
    assert list(line.x) == list(range(-3, 9)) and line.y[3] == pytest.approx(1)
    assert "no width" in said(position_products(clocks, 3, "sinusoidal"))
    random = position_products(RANDOM.normal(size=(12, 8)), 3, "learned")
    assert (np.array(random.data[1].y) - random.data[0].y).max() > 0.5
    assert "differ by up to" in said(random)
    code = position_code(clocks, 3)
    np.testing.assert_allclose(code.data[0].z, clocks, rtol=1e-6)
    assert "position 3 of 12 has 8 numbers, from -0.99" in said(code)


def test_accuracy_and_loss_by_positions():
    values = np.array([[0.5, 0.6], [0.7, 0.8], [0.6, 0.7]])
    figure = order_by_gap(["near", "far"], {"none": values, "learned": values})
    np.testing.assert_allclose(figure.data[0].y, [60, 70])
    np.testing.assert_allclose(figure.data[1].error_y.array, [10, 10])
    assert "none 65.0 %" in said(figure)
    figure = loss_by_positions({"none": np.arange(20.0)}, chance=0.7)
    np.testing.assert_allclose(figure.data[0].y, np.arange(11) + 4.5)
    assert figure.data[0].x[0] == 10 and said(figure) == "The loss ends at: none 14.500."


def test_heads_removed_shows_each_head_and_both_orders():
    one = np.array([0.9, 0.6, 1.0, 0.8])
    curves = {"gentle": [1, 1, 0.9, 0.8, 0.5], "harsh": [1, 0.6, 0.5, 0.5, 0.5]}
    bars, curve = heads_removed(one, curves, 2, 3)
    np.testing.assert_allclose(bars.data[0].y, 100 * one)
    assert list(bars.layout.xaxis.ticktext) == ["1.1", "1.2", "2.1", "2.2"]
    assert "Without head 1.2, the one it misses most, in 60.0 %" in said(bars)
    np.testing.assert_allclose(curve.data[1].y, [100, 60, 50, 50, 50])
    assert "3 of 4 heads removed it is right in 80.0 %" in said(curve)


def test_costs_grow_by_the_factor_that_is_said():
    lengths = [1000, 2000, 4000]
    curves = {"transformer": [1, 3, 12], "transformer, blocks": [2, 4, 8], "lstm": [3, 6, 12]}
    figure = cost_by_length(lengths, curves, "Memory (MB)", "MB", 4000)
    np.testing.assert_allclose(10 ** np.array(figure.data[0].y), [1, 3, 12])
    assert "From 2,000 to 4,000 steps: Transformer ×4 (to 12 MB)" in said(figure)
    assert "in blocks ×2" in said(figure)
    middle = said(cost_by_length(lengths, curves, "Memory (MB)", "MB", 2000))
    assert "From 1,000 to 2,000 steps: Transformer ×3 (to 3 MB)" in middle
    with pytest.raises(ValueError, match="chosen must be one of"):
        cost_by_length(lengths, curves, "Memory (MB)", "MB", 1000)


def test_gradients_are_relative_to_the_last_layer():
    figure = gradient_by_activation({"relu": np.array([1.0, 10, 100]), "sigmoid": np.ones(3)})
    np.testing.assert_allclose(figure.data[0].y, [-2, -1, 0])
    assert "ReLU 0.01, sigmoid 1" in said(figure)


def test_a_head_has_the_sign_of_its_best_rule_where_it_explains_enough():
    shares = {"previous": np.array([[0.9, 0.1]]), "start": np.array([[0.05, 0.4]])}
    figure = head_roles(shares, 0.5)
    assert list(figure.data[0].text[0]) == ["←", ""]
    np.testing.assert_array_equal(figure.data[0].z, [[90, 40]])
    assert said(figure).startswith("1 of 2 heads") and "1 to the word before" in said(figure)
    assert list(head_roles(shares, 0.3).data[0].text[0]) == ["←", "⊢"]
    assert "none" in said(head_roles(shares, 0.95))


def test_a_map_has_one_byte_a_weight():
    weights = np.array([[1, 0], [0.25, 0.75]])
    figure = attention_map(weights, ["a", "<i>"])
    assert figure.data[0].z.dtype == np.uint8
    np.testing.assert_array_equal(figure.data[0].z, [[255, 0], [64, 191]])
    assert "<i>" not in "".join(figure.layout.xaxis.ticktext)
    assert "“a”, number 0: it gets 63 %" in said(figure)
    with pytest.raises(ValueError, match=r"shape \(3, 3\)"):
        attention_map(weights, ["a", "b", "c"])


def test_a_large_map_is_packed_small_and_comes_back_whole():
    maps = RANDOM.integers(0, 3, size=(2, 150, 150), dtype=np.uint8)
    tokens = [str(i) for i in range(150)]
    packed = pack(lambda head: attention_map(maps[head], tokens), {"head": Slider([0, 1])})
    (slot,) = [s for s in packed["slots"] if s["path"][-1] == "z"]
    assert "deflated" in slot and len(slot["deflated"]) < maps.size / 2 > DEFLATE / 2
    for head in (0, 1):
        shown = unpack(packed, [head])[0]["data"][0]["z"]
        np.testing.assert_array_equal(shown, maps[head])


def test_six_layers_of_twelve_heads_over_512_tokens_fit_in_five_megabytes():
    # As heads are: most on one word for all, some on neighbours, some spread over a part.
    n, maps = 512, []
    for head in range(72):
        scores = RANDOM.normal(scale=2, size=(n, n))
        scores[:, 0] += 4 * (head % 3)
        scores -= 0.02 * (head % 5) * np.abs(np.arange(n)[:, None] - np.arange(n))
        weights = np.exp(scores - scores.max(1, keepdims=True))
        maps.append(np.round(255 * weights / weights.sum(1, keepdims=True)).astype(np.uint8))
    tokens = [str(i) for i in range(n)]
    packed = pack(
        lambda layer, head: attention_map(maps[12 * layer + head], tokens),
        {"layer": Slider(range(6)), "head": Slider(range(12))},
    )
    (slot,) = [s for s in packed["slots"] if s["path"][-1] == "z"]
    assert len(slot["deflated"]) < 5e6
    assert (np.array(unpack(packed, [5, 11])[0]["data"][0]["z"]) == maps[71]).all()
