import math

import pytest
import torch

from seqviz.models import LSTM, RNN, FeedForward, spread_forget_bias
from seqviz.probes import cell_gradients, state_gradients

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def inputs_like(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def squares(prediction, targets):
    return (prediction - targets).square().sum()


def loop(model, inputs, state=None):
    """torch.nn.LSTM with the same weights: its hidden states, last cell state, parameters."""
    twin = torch.nn.LSTM(model.input_size, model.hidden_size, batch_first=True).double()
    for name in WEIGHTS:
        getattr(twin, f"{name}_l0").data.copy_(getattr(model, name))
    states, (_, cell) = twin(inputs, None if state is None else tuple(s[None] for s in state))
    return twin, states, cell[0]


@pytest.mark.parametrize("forget_bias", [None, 0.0, 3.0])
def test_lstm_equals_torch_in_states_prediction_and_gradients(forget_bias):
    model = LSTM(3, 5, 2, forget_bias=forget_bias, seed=1).double()
    inputs = inputs_like(4, 7, 3)
    output = model(inputs)
    twin, states, cell = loop(model, inputs)
    torch.testing.assert_close(torch.stack(output.hidden_states, 1), states)
    torch.testing.assert_close(output.cell_states[-1], cell)
    prediction = torch.nn.functional.linear(states[:, -1], model.head.weight, model.head.bias)
    torch.testing.assert_close(output.prediction, prediction)

    output.prediction.square().sum().backward()
    head_gradient = model.head.weight.grad.clone()
    model.head.zero_grad()
    prediction.square().sum().backward()
    torch.testing.assert_close(model.head.weight.grad, head_gradient)
    for name in WEIGHTS:
        gradient = getattr(model, name).grad
        assert gradient.abs().max() > 1e-6
        torch.testing.assert_close(gradient, getattr(twin, f"{name}_l0").grad)


def test_lstm_continues_from_a_state():
    model = LSTM(3, 5, 2, seed=2).double()
    inputs, state = inputs_like(4, 6, 3), (inputs_like(4, 5, seed=1), inputs_like(4, 5, seed=2))
    _, states, cell = loop(model, inputs, state)
    output = model(inputs, state)
    torch.testing.assert_close(torch.stack(output.hidden_states, 1), states)
    torch.testing.assert_close(output.cell_states[-1], cell)
    half = model(inputs[:, :2], state)
    rest = model(inputs[:, 2:], (half.hidden_states[-1], half.cell_states[-1]))
    torch.testing.assert_close(rest.prediction, output.prediction)


def test_gates_follow_the_equations():
    model = LSTM(3, 5, 2, seed=3).double()
    output = model(inputs_like(4, 6, 3))
    gates = output.gates
    assert set(gates) == {"input_gate", "forget_gate", "cell_candidate", "output_gate", "cell"}
    assert all(gate.shape == (4, 6, 5) for gate in gates.values())
    for name in ("input_gate", "forget_gate", "output_gate"):
        assert ((gates[name] > 0) & (gates[name] < 1)).all()
    assert (gates["cell_candidate"].abs() < 1).all()
    torch.testing.assert_close(gates["cell"], torch.stack(output.cell_states, 1))
    before = torch.cat([torch.zeros(4, 1, 5).double(), gates["cell"][:, :-1]], 1)
    cell = gates["forget_gate"] * before + gates["input_gate"] * gates["cell_candidate"]
    torch.testing.assert_close(cell, gates["cell"])
    hidden = gates["output_gate"] * gates["cell"].tanh()
    torch.testing.assert_close(hidden, torch.stack(output.hidden_states, 1))


def test_the_past_does_not_see_the_future():
    model, inputs = LSTM(3, 5, 2, seed=4).double(), inputs_like(2, 8, 3)
    changed = inputs.clone()
    changed[:, 5:] += 1
    one, other = model(inputs), model(changed)
    for before, after in zip(one.hidden_states[:5], other.hidden_states[:5]):
        assert torch.equal(before, after)
    assert not torch.equal(one.hidden_states[5], other.hidden_states[5])


def test_gradients_agree_with_finite_differences():
    model, inputs = LSTM(2, 3, 1, seed=5).double(), inputs_like(2, 4, 2)
    names, values = zip(*model.named_parameters())

    def prediction(inputs, *values):
        named = dict(zip(names, values))
        return torch.func.functional_call(model, named, (inputs,)).prediction

    inputs.requires_grad_()
    assert torch.autograd.gradcheck(prediction, (inputs, *values))


def test_tokens_are_one_hot_vectors():
    model = LSTM(6, 4, 2, seed=6).double()
    tokens = torch.tensor([[0, 5, 2], [1, 1, 3]])
    one_hot = torch.nn.functional.one_hot(tokens, 6).double()
    torch.testing.assert_close(model(tokens).prediction, model(one_hot).prediction)


def test_forget_bias_is_the_sum_of_both_biases_and_touches_nothing_else():
    default, model = LSTM(3, 8, 2, forget_bias=None), LSTM(3, 8, 2, forget_bias=2.5)
    total = (model.bias_ih + model.bias_hh)[8:16]
    assert torch.equal(total, torch.full((8,), 2.5))
    for name, value in default.state_dict().items():
        kept = torch.ones(len(value), dtype=bool)
        if name.startswith("bias"):
            kept[8:16] = False
            assert not torch.equal(value[8:16], model.state_dict()[name][8:16])
        assert torch.equal(value[kept], model.state_dict()[name][kept])
        assert 0.5 / math.sqrt(8) < value.abs().max() <= 1 / math.sqrt(8)


def test_the_start_depends_on_the_seed_alone():
    before = torch.get_rng_state()
    one, again, other = LSTM(2, 4, 1, seed=5), LSTM(2, 4, 1, seed=5), LSTM(2, 4, 1, seed=6)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one.weight_hh, again.weight_hh)
    assert not torch.equal(one.weight_hh, other.weight_hh)


def test_total_gradient_of_the_cell_state_is_that_of_autograd():
    model, inputs, targets = LSTM(3, 5, 2, seed=7).double(), inputs_like(4, 9, 3), inputs_like(4, 2)
    measured = cell_gradients(model, inputs, targets, squares)
    for t in (0, 4, 8):
        # The rest of the sequence, read from a copy of the state after step t.
        output = model(inputs[:, : t + 1])
        c = output.cell_states[-1].detach().requires_grad_()
        h = output.gates["output_gate"][:, -1].detach() * c.tanh()
        prediction = model.head(h) if t == 8 else model(inputs[:, t + 1 :], (h, c)).prediction
        (gradient,) = torch.autograd.grad(squares(prediction, targets), c)
        torch.testing.assert_close(measured.total[t], gradient.norm())


def test_without_the_hidden_path_the_product_of_forget_gates_is_all():
    model, inputs, targets = LSTM(3, 5, 2, seed=8).double(), inputs_like(4, 9, 3), inputs_like(4, 2)
    measured = cell_gradients(model, inputs, targets, squares)
    assert not torch.allclose(measured.total, measured.direct)
    torch.testing.assert_close(measured.total[-1], measured.direct[-1])
    with torch.no_grad():
        model.weight_hh.zero_()
    measured = cell_gradients(model, inputs, targets, squares)
    torch.testing.assert_close(measured.total, measured.direct)


@pytest.mark.parametrize("kind", ["plain", "residual"])
def test_feed_forward_follows_its_equation(kind):
    model, inputs = FeedForward(3, 5, 2, layers=4, kind=kind, seed=1).double(), inputs_like(6, 3)
    output = model(inputs)
    state = inputs @ model.embed.T
    for layer in range(4):
        branch = (state @ model.weight[layer].T + model.bias[layer]).tanh()
        state = branch + (state if kind == "residual" else 0)
        torch.testing.assert_close(output.hidden_states[layer], state)
    torch.testing.assert_close(output.prediction, state @ model.head.weight.T + model.head.bias)
    measured = state_gradients(model, inputs, inputs_like(6, 2), squares)
    assert measured.state_grad_norm.shape == (4,)
    assert len(set(measured.state_grad_norm.tolist())) == 4


def test_the_spread_start_keeps_for_times_up_to_the_longest_and_touches_nothing_else():
    default, model = LSTM(3, 400, 2, forget_bias=0.5, seed=3), LSTM(3, 400, 2, seed=3)
    spread_forget_bias(model, longest=1000, seed=1)
    total = model.bias_ih + model.bias_hh
    kept = total[400:800].exp()  # about how many steps each unit keeps its cell state
    assert kept.min() > 1 and 950 < kept.max() < 999
    assert abs(kept.mean() - 500) < 50 and abs(kept.median() - 500) < 75  # uniform
    torch.testing.assert_close(total[:400], -total[400:800])
    for name, value in default.state_dict().items():
        rest = model.state_dict()[name]
        if name.startswith("bias"):
            value, rest = value[800:], rest[800:]
        assert torch.equal(value, rest)
    before = torch.get_rng_state()
    again, other = LSTM(3, 400, 2, seed=3), LSTM(3, 400, 2, seed=3)
    spread_forget_bias(again, longest=1000, seed=1)
    spread_forget_bias(other, longest=1000, seed=2)
    assert torch.equal(model.bias_ih, again.bias_ih)
    assert not torch.equal(model.bias_ih, other.bias_ih)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("seed", range(3))
def test_the_spread_start_does_not_repeat_the_draws_of_a_model_of_the_same_seed(seed):
    model = LSTM(3, 400, 2, seed=seed)
    drawn = model.weight_ih.detach().flatten()[:400].clone()
    spread_forget_bias(model, longest=1000, seed=seed)
    kept = (model.bias_ih + model.bias_hh).detach()[400:800].exp()
    assert abs(torch.corrcoef(torch.stack([kept, drawn]))[0, 1]) < 0.2


LSTM_2 = LSTM(2, 4, 1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: LSTM(2, 0, 1), ValueError, "hidden_size must be a whole number of at least 1"),
        (lambda: LSTM(2, 4, 1, forget_bias=math.inf), ValueError, "forget_bias must be a finite"),
        (lambda: LSTM_2(torch.ones(1, 3, 3)), ValueError, r"the shape \(batch, time, 2\)"),
        (lambda: LSTM_2(torch.ones(1, 3, 2).double()), TypeError, "inputs must be torch.float32"),
        (lambda: LSTM_2(torch.tensor([[2]])), ValueError, "tokens must lie between 0 and 1"),
        (
            lambda: LSTM_2(torch.ones(3, 1, 2), (torch.zeros(3, 4), torch.zeros(1, 4))),
            ValueError,
            r"c must have the shape \(3, 4\), got \(1, 4\)",
        ),
        (lambda: LSTM_2(torch.ones(3, 1, 2), torch.zeros(3, 4)), ValueError, "one state for each"),
        (
            lambda: cell_gradients(RNN(2, 4, 1), torch.ones(1, 3, 2), torch.ones(1, 1), squares),
            ValueError,
            "RNN has no cell states with a forget gate",
        ),
        (lambda: spread_forget_bias(LSTM_2, 1), ValueError, "longest must be a whole number of at"),
        (lambda: FeedForward(2, 4, 1, layers=0), ValueError, "layers must be a whole number"),
        (lambda: FeedForward(2, 4, 1, layers=2, kind="x"), ValueError, "one of plain, residual"),
        (lambda: FeedForward(2, 4, 1, layers=2)(torch.ones(3)), ValueError, r"shape \(batch, 2\)"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert str(caught.value).count("\n") == 0 and str(caught.value).endswith(".")
