import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from seqviz.models import RNN, TCN, BagOfWords
from seqviz.probes import (
    input_gradients,
    inputs_seen,
    jacobian_singular_values,
    layer_gradients,
    norm_per_step,
    safe_norm,
    spectrum,
    state_gradients,
)
from seqviz.tasks import Adding


def loss_from_state(model, inputs, targets, task, t, state):
    """The loss as a function of the hidden state after step t alone."""
    return task.loss(model(inputs[:, t + 1 :], state).prediction, targets)


@pytest.fixture
def setting():
    task = Adding(6)
    batch = task.batch(3, 0)
    model = RNN(2, 4, 1, start="orthogonal", seed=1).double()
    return model, batch.inputs.double(), batch.targets.double(), task


def test_state_gradients_equal_a_pass_that_starts_from_each_state(setting):
    model, inputs, targets, task = setting
    result = state_gradients(model, inputs, targets, task.loss)
    assert result.state_grad_norm.shape == (6,)
    states = [state.detach() for state in model(inputs).hidden_states]
    for t in range(5):
        state = states[t].clone().requires_grad_()
        loss = loss_from_state(model, inputs, targets, task, t, state)
        (gradient,) = torch.autograd.grad(loss, state)
        assert result.state_grad_norm[t].item() == pytest.approx(gradient.norm().item(), rel=1e-10)


def test_state_gradients_equal_central_differences(setting):
    model, inputs, targets, task = setting
    result = state_gradients(model, inputs, targets, task.loss)
    states = [state.detach() for state in model(inputs).hidden_states]
    for t in range(5):
        differences = torch.zeros_like(states[t])
        for i in range(differences.numel()):
            step = torch.zeros_like(states[t])
            step.view(-1)[i] = 1e-5
            up = loss_from_state(model, inputs, targets, task, t, states[t] + step)
            down = loss_from_state(model, inputs, targets, task, t, states[t] - step)
            differences.view(-1)[i] = (up - down).item() / 2e-5
        expected = differences.norm().item()
        assert result.state_grad_norm[t].item() == pytest.approx(expected, rel=1e-6)


def test_the_same_pass_gives_the_gradients_of_the_parameters(setting):
    model, inputs, targets, task = setting
    result = state_gradients(model, inputs, targets, task.loss)
    loss = task.loss(model(inputs).prediction, targets)
    assert result.loss == loss.item()
    assert all(parameter.grad is None for parameter in model.parameters())
    loss.backward()
    assert result.parameters.keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(result.parameters[name], parameter.grad)


def test_frozen_and_unused_parameters_are_no_trouble(setting):
    model, inputs, targets, task = setting
    model.weight_ih.requires_grad_(False)
    model.unused = torch.nn.Parameter(torch.ones(2))
    result = state_gradients(model, inputs, targets, task.loss)
    assert "weight_ih" not in result.parameters
    assert result.parameters["unused"].tolist() == [0, 0]
    assert (result.state_grad_norm > 0).all()


def central_differences(function, at, step=1e-6):
    """The gradient of a scalar function of a tensor, one number after the other."""
    flat = at.detach().flatten()
    moved = [torch.zeros_like(flat).index_fill(0, torch.tensor(i), step) for i in range(len(flat))]
    slopes = [
        (function((flat + m).reshape(at.shape)) - function((flat - m).reshape(at.shape))).item()
        for m in moved
    ]
    return torch.tensor(slopes, dtype=at.dtype).reshape(at.shape) / (2 * step)


def test_input_gradients_equal_central_differences(setting):
    model, inputs, targets, task = setting
    slopes = central_differences(lambda x: task.loss(model(x).prediction, targets), inputs)
    found = input_gradients(model, inputs, targets, task.loss)
    torch.testing.assert_close(found, slopes.norm(dim=(0, 2)), rtol=1e-6, atol=1e-9)
    assert not inputs.requires_grad


@pytest.mark.parametrize("residual", [True, False])
def test_layer_gradients_equal_central_differences(setting, residual):
    _, inputs, targets, task = setting
    model = TCN(2, 6, 1, kernel_size=2, depth=2, residual=residual, seed=4).double()
    first, second = model(inputs).layers

    def from_second(h):
        return task.loss(model.head(h[:, -1]), targets)

    slopes = [
        central_differences(lambda h: from_second(model.blocks[1](h)), first).norm(),
        central_differences(from_second, second).norm(),
    ]
    assert min(slopes) > 0
    found = layer_gradients(model, inputs, targets, task.loss)
    torch.testing.assert_close(found, torch.stack(slopes), rtol=1e-6, atol=1e-9)


def test_inputs_seen_are_those_that_move_the_prediction():
    model = TCN(1, 8, 2, kernel_size=2, depth=2, dropout=0.9, seed=0)
    inputs = torch.randn(4, 12, 1, generator=torch.Generator().manual_seed(1))
    seen = inputs_seen(model, inputs)
    assert model.training and next(model.parameters()).dtype == torch.float32
    model.eval()
    for t in range(12):
        other = inputs.clone()
        other[:, t] += 1
        moved = not torch.equal(model(inputs).prediction, model(other).prediction)
        assert moved == seen[t], t
    assert seen.sum() == model.receptive_field == 7


def test_inputs_seen_sees_a_prediction_whose_sum_is_fixed():
    class Shares(RNN):
        def forward(self, inputs):
            output = super().forward(inputs)
            return replace(output, prediction=output.prediction.softmax(-1))

    assert inputs_seen(Shares(1, 4, 3), torch.rand(2, 6, 1)).all()


@pytest.mark.parametrize("value", [1e-30, 1e-40, 1e-45])
def test_safe_norm_of_tiny_float32_numbers_does_not_underflow(value):
    tensor = torch.full((4, 9), value)
    exact = tensor[0, 0].double().item()  # 1e-45 is not exact in float32
    assert exact > 0
    assert safe_norm(tensor, dim=1).tolist() == pytest.approx([3 * exact] * 4, rel=1e-12, abs=0)
    assert safe_norm(tensor).item() == pytest.approx(6 * exact, rel=1e-12, abs=0)


@pytest.mark.parametrize("value", [1e-300, 1e-200, 1.0, 1e200])
def test_safe_norm_of_extreme_float64_numbers(value):
    tensor = torch.full((4, 9), value, dtype=torch.float64)
    assert safe_norm(tensor, dim=1).tolist() == pytest.approx([3 * value] * 4, rel=1e-12, abs=0)
    assert safe_norm(tensor).item() == pytest.approx(6 * value, rel=1e-12, abs=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_safe_norm_of_zero_infinity_and_nan(dtype):
    tensor = torch.tensor([[0.0, 0], [math.inf, 1], [math.nan, 1]], dtype=dtype)
    norms = safe_norm(tensor, dim=1)
    assert norms[0] == 0 and norms[1] == math.inf and norms[2].isnan()


def test_norm_per_step_is_over_batch_and_hidden():
    steps = (torch.tensor([[3.0, 0.0], [0.0, 4.0]]), torch.zeros(2, 2))
    assert norm_per_step(steps).tolist() == [5, 0]
    assert norm_per_step(steps * 10).tolist() == [5, 0] * 10


@pytest.mark.parametrize("nonlinearity", ["tanh", "sigmoid", "relu"])
def test_jacobian_singular_values_equal_those_of_the_whole_jacobian(nonlinearity):
    model = RNN(2, 5, 1, nonlinearity=nonlinearity, start="gaussian", seed=4)
    inputs = Adding(8).batch(1, 3).inputs
    measured = jacobian_singular_values(model, inputs, [0, 3, 1, 6])
    assert measured.shape == (4, 5)

    twin = copy.deepcopy(model).double()
    states = [state.detach() for state in twin(inputs.double()).hidden_states]
    for values, lag in zip(measured, [0, 3, 1, 6]):
        later = inputs[:, len(states) - lag :].double()
        if lag == 0:
            np.testing.assert_array_equal(values, 0)
            continue
        jacobian = torch.autograd.functional.jacobian(
            lambda state, later=later: twin(later, state).hidden_states[-1], states[-1 - lag]
        )
        expected = torch.linalg.svdvals(jacobian.view(5, 5)).numpy()
        reliable = expected > 1e-12 * expected[0]
        assert reliable.sum() >= 1
        np.testing.assert_allclose(10 ** values[reliable], expected[reliable], rtol=1e-6)


def test_orthogonal_linear_network_has_singular_values_radius_to_the_lag():
    model = RNN(1, 8, 1, start="orthogonal", spectral_radius=0.01, seed=0)
    for bias in (model.bias_ih, model.bias_hh):
        torch.nn.init.zeros_(bias)
    inputs = torch.zeros(1, 301, 1)  # tanh is the identity at h = 0
    lags = [1, 10, 100, 300]  # 0.01^300 = 1e-600 lies far below float64
    radius = model.weight_hh.double().svd().S.mean().log10().item()
    expected = radius * np.array(lags)[:, None] * np.ones(8)
    np.testing.assert_allclose(jacobian_singular_values(model, inputs, lags), expected, rtol=1e-6)


def test_dead_network_has_singular_values_of_zero():
    model = RNN(1, 3, 1, nonlinearity="relu")
    torch.nn.init.constant_(model.bias_ih, -10)
    values = jacobian_singular_values(model, torch.zeros(1, 4, 1), [1, 2])
    assert (values == -np.inf).all()


def test_probing_leaves_the_model_as_it_was():
    model = RNN(2, 3, 1)
    jacobian_singular_values(model, torch.ones(1, 4, 2), [2])
    assert model.weight_hh.dtype == torch.float32 and model.weight_hh.grad is None


def test_jacobians_take_tokens():
    model = RNN(4, 3, 1)
    tokens = torch.tensor([[1, 3, 0, 2]])
    one_hot = torch.nn.functional.one_hot(tokens, 4).float()
    np.testing.assert_allclose(
        jacobian_singular_values(model, tokens, [1, 3]),
        jacobian_singular_values(model, one_hot, [1, 3]),
    )


def test_spectrum_of_a_rotation_and_a_scaling():
    weight = torch.tensor([[0.0, -1.0, 0], [1.0, 0.0, 0], [0, 0, -3.0]])
    values = spectrum(weight)
    assert values.dtype == np.complex128 and values[0] == pytest.approx(-3)
    assert sorted(values[1:].imag) == pytest.approx([-1, 1])
    assert values[1:].real == pytest.approx([0, 0])


TWO = torch.ones(2, 4, 2)
BAG = BagOfWords(4, 1)
TOKENS = torch.ones(1, 4, dtype=torch.int64)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jacobian_singular_values(RNN(2, 3, 1), TWO, [1]), "exactly one sequence, got 2."),
        (
            lambda: jacobian_singular_values(RNN(2, 3, 1), TWO[:1], [4]),
            r"lags must lie between 0 and 3, got \[4\].",
        ),
        (lambda: jacobian_singular_values(RNN(2, 3, 1), TWO[:1], [-1]), "lags must lie between"),
        (lambda: jacobian_singular_values(RNN(2, 3, 1), TWO[:1], []), "lags must lie between 0"),
        (lambda: jacobian_singular_values(BAG, TOKENS, [1]), "BagOfWords has no hidden states"),
        (lambda: state_gradients(BAG, TOKENS, None, None), "BagOfWords has no hidden states"),
        (lambda: layer_gradients(BAG, TOKENS, None, None), "BagOfWords has no layers"),
        (
            lambda: spectrum(torch.ones(2, 3)),
            r"weight must be a square matrix .* got the shape \(2",
        ),
    ],
)
def test_bad_input_is_answered_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert str(caught.value).count("\n") == 0 and str(caught.value).endswith(".")
