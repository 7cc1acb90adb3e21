import pytest
import torch

from seqviz.models import GRU

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def inputs_like(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def torch_twin(model):
    """torch.nn.GRU with the same weights."""
    twin = torch.nn.GRU(model.input_size, model.hidden_size, batch_first=True).double()
    for name in WEIGHTS:
        getattr(twin, f"{name}_l0").data.copy_(getattr(model, name))
    return twin


@pytest.mark.parametrize("with_state", [False, True])
def test_gru_equals_torch_in_states_prediction_and_gradients(with_state):
    model = GRU(3, 5, 2, seed=1).double()
    twin, inputs = torch_twin(model), inputs_like(4, 7, 3)
    state = inputs_like(4, 5, seed=1) if with_state else None
    output = model(inputs, state)
    states, _ = twin(inputs, state[None] if with_state else None)
    torch.testing.assert_close(torch.stack(output.hidden_states, 1), states)
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


def test_gates_follow_the_equations():
    model = GRU(3, 5, 2, seed=3).double()
    output = model(inputs_like(4, 6, 3))
    gates = output.gates
    assert set(gates) == {"reset_gate", "update_gate", "candidate"}
    assert all(gate.shape == (4, 6, 5) for gate in gates.values())
    for name in ("reset_gate", "update_gate"):
        assert ((gates[name] > 0) & (gates[name] < 1)).all()
    hidden = torch.stack(output.hidden_states, 1)
    before = torch.cat([torch.zeros(4, 1, 5).double(), hidden[:, :-1]], 1)
    update = gates["update_gate"]
    torch.testing.assert_close(update * before + (1 - update) * gates["candidate"], hidden)
    # The reset gate acts after the matrix product, on its last third.
    from_state = before @ model.weight_hh.T + model.bias_hh
    from_input = inputs_like(4, 6, 3) @ model.weight_ih.T + model.bias_ih
    candidate = torch.tanh(from_input[..., 10:] + gates["reset_gate"] * from_state[..., 10:])
    torch.testing.assert_close(candidate, gates["candidate"])


def test_the_past_does_not_see_the_future():
    model, inputs = GRU(3, 5, 2, seed=4).double(), inputs_like(2, 8, 3)
    changed = inputs.clone()
    changed[:, 5:] += 1
    one, other = model(inputs), model(changed)
    for before, after in zip(one.hidden_states[:5], other.hidden_states[:5]):
        assert torch.equal(before, after)
    assert not torch.equal(one.hidden_states[5], other.hidden_states[5])


def test_gradients_agree_with_finite_differences():
    model, inputs = GRU(2, 3, 1, seed=5).double(), inputs_like(2, 4, 2)
    names, values = zip(*model.named_parameters())

    def prediction(inputs, *values):
        named = dict(zip(names, values))
        return torch.func.functional_call(model, named, (inputs,)).prediction

    inputs.requires_grad_()
    assert torch.autograd.gradcheck(prediction, (inputs, *values))


def test_tokens_are_one_hot_vectors():
    model = GRU(6, 4, 2, seed=6).double()
    tokens = torch.tensor([[0, 5, 2], [1, 1, 3]])
    one_hot = torch.nn.functional.one_hot(tokens, 6).double()
    torch.testing.assert_close(model(tokens).prediction, model(one_hot).prediction)


def test_the_start_depends_on_the_seed_alone():
    before = torch.get_rng_state()
    one, again, other = GRU(2, 4, 1, seed=5), GRU(2, 4, 1, seed=5), GRU(2, 4, 1, seed=6)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one.weight_hh, again.weight_hh)
    assert not torch.equal(one.weight_hh, other.weight_hh)


GRU_2 = GRU(2, 4, 1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: GRU(2, 0, 1), ValueError, "hidden_size must be a whole number of at least 1"),
        (lambda: GRU_2(torch.ones(1, 3, 3)), ValueError, r"the shape \(batch, time, 2\)"),
        (lambda: GRU_2(torch.ones(1, 3, 2).double()), TypeError, "inputs must be torch.float32"),
        (lambda: GRU_2(torch.tensor([[2]])), ValueError, "tokens must lie between 0 and 1"),
        (
            lambda: GRU_2(torch.ones(3, 1, 2), torch.zeros(1, 4)),
            ValueError,
            r"state must have the shape \(3, 4\), got \(1, 4\)",
        ),
    ],
)
def test_bad_input_is_answered_in_one_sentence(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert str(caught.value).count("\n") == 0 and str(caught.value).endswith(".")
