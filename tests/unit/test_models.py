import math

import pytest
import torch

from seqviz.models import (
    GRU,
    LSTM,
    RNN,
    Attention,
    BagOfWords,
    CausalConv,
    FeedForward,
    NGrams,
    scale_to_spectral_radius,
    spectral_radius,
)

INPUTS = torch.zeros(4, 6, 2)


def torch_twin(model):
    """torch.nn.RNN with the same weights."""
    twin = torch.nn.RNN(
        model.input_size, model.hidden_size, nonlinearity=model.nonlinearity, batch_first=True
    ).double()
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(twin, f"{name}_l0").data.copy_(getattr(model, name))
    return twin


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_rnn_equals_torch_in_states_prediction_and_gradients(nonlinearity):
    model = RNN(3, 5, 2, nonlinearity=nonlinearity, seed=1).double()
    twin = torch_twin(model)
    inputs = torch.randn(4, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    output = model(inputs)
    expected, _ = twin(inputs)
    torch.testing.assert_close(torch.stack(output.hidden_states, 1), expected)
    prediction = torch.nn.functional.linear(expected[:, -1], model.head.weight, model.head.bias)
    torch.testing.assert_close(output.prediction, prediction)

    output.prediction.square().sum().backward()
    head_gradient = model.head.weight.grad.clone()
    model.head.zero_grad()
    prediction.square().sum().backward()
    torch.testing.assert_close(model.head.weight.grad, head_gradient)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        gradient = getattr(model, name).grad
        assert gradient.abs().max() > 1e-6
        torch.testing.assert_close(gradient, getattr(twin, f"{name}_l0").grad)


def test_sigmoid_rnn_follows_its_equation():
    model = RNN(2, 3, 1, nonlinearity="sigmoid", seed=2)
    x, h = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.1, 0.2, -0.3]])
    for k in range(3):
        total = model.bias_ih[k] + model.bias_hh[k]
        total = total + sum(model.weight_ih[k, j] * x[0, j] for j in range(2))
        total = total + sum(model.weight_hh[k, j] * h[0, j] for j in range(3))
        by_hand = 1 / (1 + math.exp(-total.item()))
        assert model.cell(x, h)[0, k].item() == pytest.approx(by_hand, rel=1e-5)
    assert torch.equal(model(x.unsqueeze(1), h).hidden_states[0], model.cell(x, h))


def test_tokens_are_one_hot_vectors():
    model = RNN(6, 4, 2, seed=3).double()
    tokens = torch.tensor([[0, 5, 2], [1, 1, 3]])
    one_hot = torch.nn.functional.one_hot(tokens, 6).double()
    gradients = []
    for inputs in (tokens, one_hot):
        prediction = model(inputs).prediction
        gradients.append(torch.autograd.grad(prediction.sum(), model.weight_ih)[0])
    torch.testing.assert_close(model(tokens).prediction, model(one_hot).prediction)
    torch.testing.assert_close(*gradients)


def test_hidden_states_lie_in_the_graph_of_the_prediction():
    output = RNN(2, 4, 1)(torch.ones(3, 5, 2))
    gradients = torch.autograd.grad(output.prediction.sum(), output.hidden_states)
    assert len(gradients) == 5
    assert all(gradient.shape == (3, 4) and gradient.abs().max() > 0 for gradient in gradients)
    assert output.gates == {} and output.attention is None


def test_the_start_depends_on_the_seed_alone_and_leaves_global_random_numbers_alone():
    before = torch.get_rng_state()
    one, again, other = RNN(2, 4, 1, seed=5), RNN(2, 4, 1, seed=5), RNN(2, 4, 1, seed=6)
    assert torch.equal(before, torch.get_rng_state())
    for name, value in one.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
        assert not torch.equal(value, other.state_dict()[name])


def test_default_start_is_that_of_torch():
    model = RNN(50, 64, 40, seed=0)
    for value in model.parameters():
        assert 0.9 / 8 < value.abs().max() <= 1 / 8
        assert value.std().item() == pytest.approx(1 / 8 / math.sqrt(3), rel=0.3)


@pytest.mark.parametrize("start", ["gaussian", "orthogonal", "identity"])
def test_starts_differ_from_default_in_the_recurrent_matrix(start):
    default, model = RNN(3, 8, 2), RNN(3, 8, 2, start=start)
    assert not torch.equal(default.weight_hh, model.weight_hh)
    for name in ("weight_ih", "head.weight", "head.bias"):
        assert torch.equal(default.get_parameter(name), model.get_parameter(name))
    zero_biases = start == "identity"
    for name in ("bias_ih", "bias_hh"):
        assert (model.get_parameter(name) == 0).all() == zero_biases


def test_gaussian_start_obeys_the_circular_law():
    weight = RNN(1, 256, 1, start="gaussian").weight_hh.detach().double()
    absolute = torch.linalg.eigvals(weight).abs()
    assert spectral_radius(weight) == pytest.approx(1, abs=0.1)
    # Uniform in the unit disc: a share r² of the eigenvalues lies within the radius r.
    for r in (0.3, 0.5, 0.7, 0.9):
        assert (absolute < r).double().mean().item() == pytest.approx(r**2, abs=0.06)


def test_orthogonal_and_identity_starts():
    weight = RNN(1, 16, 1, start="orthogonal").weight_hh
    torch.testing.assert_close(weight @ weight.T, torch.eye(16))
    assert torch.equal(RNN(1, 16, 1, start="identity").weight_hh, torch.eye(16))


@pytest.mark.parametrize("start", ["default", "gaussian", "orthogonal", "identity"])
@pytest.mark.parametrize("radius", [0.0, 0.3, 1.0, 1.7])
def test_spectral_radius_is_set_exactly(start, radius):
    model = RNN(2, 32, 1, start=start, spectral_radius=radius)
    assert spectral_radius(model.weight_hh) == pytest.approx(radius, rel=1e-5)


def test_spectral_radius_of_known_matrices():
    assert spectral_radius(torch.tensor([[0.0, -2.0], [2.0, 0.0]])) == pytest.approx(2)
    assert spectral_radius(torch.diag(torch.tensor([0.5, -0.75]))) == pytest.approx(0.75)
    weight = torch.randn(9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    scaled = scale_to_spectral_radius(weight, 0.9)
    assert spectral_radius(scaled) == pytest.approx(0.9, rel=1e-12)
    torch.testing.assert_close(scaled / scaled[0, 0], weight / weight[0, 0])  # only scaled


def test_bag_of_words_counts_words_and_not_padding():
    bag = BagOfWords(5, 2)
    tokens = torch.tensor([[0, 0, 1, 4, 1], [3, 3, 3, 2, 0]])
    assert bag.counts(tokens).tolist() == [[0, 2, 0, 0, 1], [0, 0, 1, 3, 0]]
    assert torch.equal(bag(tokens).prediction, torch.zeros(2, 2))
    assert bag(tokens).hidden_states == ()
    with torch.no_grad():
        bag.weight.copy_(torch.arange(10.0).view(5, 2))
        bag.bias.copy_(torch.tensor([1.0, -1.0]))
    assert bag(tokens).prediction.tolist() == [[13.0, 14.0], [23.0, 25.0]]


def test_ngrams_count_runs_without_padding():
    model = NGrams(1000, 2, n=2)
    tokens = torch.tensor([[0, 7, 8, 7, 8], [0, 0, 0, 8, 7]])
    seven_eight, eight_seven = model.buckets(torch.tensor([[7, 8, 7]]))[0].tolist()
    counts = model.counts(tokens)
    assert seven_eight != eight_seven
    assert counts.sum(1).tolist() == [3, 1]
    assert counts[:, seven_eight].tolist() == [2, 0]
    assert counts[:, eight_seven].tolist() == [1, 1]
    assert model.counts(tokens[:, :1]).sum() == 0  # too short for a pair
    assert torch.equal(model(tokens).prediction, torch.zeros(2, 2))


def test_ngram_hash_spreads_over_the_buckets():
    first, second = torch.meshgrid(torch.arange(1, 101), torch.arange(1, 101), indexing="ij")
    pairs = torch.stack([first.flatten(), second.flatten()], 1)
    buckets = NGrams(101, 2, n=2, buckets=2**14).buckets(pairs)
    filled = len(buckets.unique()) / 2**14
    assert filled >= 0.9 * (1 - math.exp(-(100**2) / 2**14))  # what random buckets would fill


RNN_2 = RNN(2, 4, 1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: RNN(2, 0, 1), ValueError, "hidden_size must be a whole number of at least 1, got"),
        (lambda: RNN(2, 4, 1, nonlinearity="gelu"), ValueError, "must be one of tanh, sigmoid, re"),
        (lambda: RNN(2, 4, 1, start="zero"), ValueError, "start must be one of default, gaussian,"),
        (lambda: RNN(2, 4, 1, spectral_radius=-1), ValueError, "spectral_radius must be a finite "),
        (lambda: RNN(2, 4, 1, spectral_radius=math.nan), ValueError, "must be a finite number"),
        (lambda: RNN_2([1]), TypeError, "inputs must be a torch.Tensor, got list"),
        (
            lambda: RNN_2(torch.ones(1, 3, 3)),
            ValueError,
            r"the shape \(batch, time, 2\) .* \(1, 3,",
        ),
        (lambda: RNN_2(torch.ones(1, 0, 2)), ValueError, "at least one time step"),
        (lambda: RNN_2(torch.ones(1, 3, 2).double()), TypeError, "inputs must be torch.float32"),
        (lambda: RNN_2(torch.tensor([[2]])), ValueError, "tokens must lie between 0 and 1, got"),
        (lambda: RNN_2(torch.tensor([[-1]])), ValueError, "tokens must lie between 0 and 1, got"),
        (lambda: RNN_2(torch.tensor([1])), ValueError, r"tokens must have the shape \(batch, time"),
        (
            lambda: RNN_2(torch.ones(3, 1, 2), torch.zeros(1, 4)),
            ValueError,
            r"state must have the shape \(3, 4\), got \(1, 4\)",
        ),
        (lambda: BagOfWords(3, 0), ValueError, "output_size must be a whole number of at least 1"),
        (lambda: NGrams(3, 1, n=0), ValueError, "n must be a whole number of at least 1, got 0"),
        (lambda: BagOfWords(3, 1)(torch.tensor([[3]])), ValueError, "tokens must lie between 0 an"),
        (lambda: NGrams(3, 1)(torch.tensor([[3]])), ValueError, "tokens must lie between 0 and 2"),
        (lambda: BagOfWords(3, 1)(torch.ones(1, 2)), TypeError, "a torch.Tensor of int64, got tor"),
        (lambda: spectral_radius(torch.ones(2, 3)), ValueError, "weight must be a square matrix"),
        (lambda: spectral_radius(torch.full((2, 2), math.inf)), ValueError, "non-finite numbers"),
        (lambda: scale_to_spectral_radius(torch.zeros(2, 2), 1), ValueError, "radius of 0 cannot"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert str(caught.value).count("\n") == 0 and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "call, error, sentence",
    [
        (lambda: RNN(2, 3, 1)(INPUTS, [0, 0]), TypeError, "state must be a torch.Tensor, got list"),
        (lambda: GRU(2, 3, 1)(INPUTS, torch.zeros(4, 3).double()), TypeError, "state must be"),
        (lambda: LSTM(2, 3, 1)(INPUTS, torch.zeros(4, 3)), ValueError, "each of h, c"),
        (lambda: LSTM(2, 3, 1)(INPUTS, (0, 0)), TypeError, "h must be a torch.Tensor, got int"),
        (lambda: FeedForward(2, 3, 1, layers=2)([1]), TypeError, "inputs must be a torch.Tensor"),
        (lambda: CausalConv(2, 3, kernel_size=2)(INPUTS[0]), ValueError, "(batch, time, 2)"),
        (lambda: CausalConv(1, 3, kernel_size=2)(INPUTS), ValueError, "(batch, time, 1)"),
        (
            lambda: Attention(3, 4, 5, torch.Generator())(
                torch.zeros(2, 3), torch.zeros(2, 6, 4), torch.ones(2, 5, dtype=torch.bool)
            ),
            ValueError,
            "real must have the shape (2, 6)",
        ),
    ],
)
def test_a_tensor_that_does_not_fit_is_answered_in_one_sentence(call, error, sentence):
    with pytest.raises(error) as caught:
        call()
    assert sentence in str(caught.value) and str(caught.value).endswith(".")
