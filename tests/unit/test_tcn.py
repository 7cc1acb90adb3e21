import copy
import math

import pytest
import torch
from torch.nn import functional

from seqviz.models import TCN, CausalConv, WaveNet
from seqviz.models.tcn import drop_channels
from seqviz.probes import inputs_seen


def numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


MODELS = {
    "tcn": lambda: TCN(2, 5, 3, kernel_size=3, depth=3, seed=1),
    "tcn, dropout": lambda: TCN(2, 5, 3, kernel_size=3, depth=3, dropout=0.4, seed=1),
    # Wide enough that not every ReLU of a layer is off at once, as with 5 channels: then no input,
    # past or future, would move anything.
    "tcn, plain": lambda: TCN(2, 16, 3, kernel_size=2, depth=4, residual=False, seed=1),
    "wavenet": lambda: WaveNet(2, 5, 3, kernel_size=2, depth=4, seed=1),
}
any_model = pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)


@pytest.mark.parametrize("dilation", [1, 2, 5])
@pytest.mark.parametrize("kernel_size", [1, 2, 4])
def test_convolution_equals_torch_and_its_equation(kernel_size, dilation):
    conv = CausalConv(3, 4, kernel_size=kernel_size, dilation=dilation).double()
    x = numbers(2, 9, 3)
    weight = (
        conv.gain[:, None, None] * conv.direction / conv.direction.norm(dim=(1, 2), keepdim=True)
    )
    padded = torch.cat([torch.zeros(2, 3, (kernel_size - 1) * dilation), x.transpose(1, 2)], 2)
    expected = functional.conv1d(padded.double(), weight, conv.bias, dilation=dilation)
    torch.testing.assert_close(conv(x), expected.transpose(1, 2))

    for t in range(9):
        y = conv.bias.clone()
        for j in range(kernel_size):
            if t - j * dilation >= 0:
                y = y + conv.weight[:, :, kernel_size - 1 - j] @ x[0, t - j * dilation]
        torch.testing.assert_close(conv(x)[0, t], y)


def test_weight_norm_equals_torch_in_values_and_gradients():
    conv = CausalConv(3, 4, kernel_size=2).double()
    with torch.no_grad():  # at the start g = ‖v‖: move it away
        conv.gain.mul_(torch.tensor([0.5, 2, 1, 3]))
    twin = torch.nn.Conv1d(3, 4, 2).double()
    twin.weight.data.copy_(conv.direction.data)
    twin.bias.data.copy_(conv.bias.data)
    twin = torch.nn.utils.parametrizations.weight_norm(twin)
    original = twin.parametrizations.weight
    original.original0.data.copy_(conv.gain.data[:, None, None])
    x = numbers(2, 6, 3)
    expected = twin(functional.pad(x.transpose(1, 2), (1, 0))).transpose(1, 2)
    torch.testing.assert_close(conv(x), expected)
    ours = torch.autograd.grad(conv(x).square().sum(), [conv.gain, conv.direction])
    theirs = torch.autograd.grad(expected.square().sum(), [original.original0, original.original1])
    torch.testing.assert_close(ours[0], theirs[0].flatten())
    torch.testing.assert_close(ours[1], theirs[1])


def test_the_normalised_weight_begins_as_torch_begins_a_convolution():
    conv = CausalConv(20, 30, kernel_size=5)
    torch.testing.assert_close(conv.weight, conv.direction)
    bound = 1 / math.sqrt(20 * 5)
    for value in (conv.weight, conv.bias):
        assert 0.9 * bound < value.abs().max() <= bound * 1.0001


@any_model
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_the_future_does_not_move_the_past(build, training):
    model = build().double().train(training)
    x = numbers(3, 12, 2)
    changed = x.clone()
    changed[:, 7:] += 1
    # Dropout draws from the model's own numbers: a copy of the model draws the same ones.
    before, after = copy.deepcopy(model)(x), copy.deepcopy(model)(changed)
    for one, other in zip(before.layers, after.layers, strict=True):
        assert torch.equal(one[:, :7], other[:, :7])
        assert not torch.equal(one[:, 7:], other[:, 7:])


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5])
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("base", [1, 2])
def test_receptive_field_by_formula_is_that_by_gradient(kernel_size, depth, base):
    model = TCN(1, 8, 2, kernel_size=kernel_size, depth=depth, dilation_base=base, seed=0)
    if base == 2:
        assert model.receptive_field == 1 + 2 * (kernel_size - 1) * (2**depth - 1)
    seen = inputs_seen(model, torch.randn(8, 150, 1, generator=torch.Generator().manual_seed(0)))
    assert seen.nonzero()[0].tolist() == list(range(150 - model.receptive_field, 150))


@pytest.mark.parametrize(("kernel_size", "depth"), [(2, 1), (2, 6), (3, 4), (1, 3)])
def test_receptive_field_of_wavenet(kernel_size, depth):
    model = WaveNet(1, 6, 2, kernel_size=kernel_size, depth=depth)
    seen = inputs_seen(model, torch.randn(2, 100, 1, generator=torch.Generator().manual_seed(0)))
    assert model.receptive_field == kernel_size**depth
    assert seen.nonzero()[0].tolist() == list(range(100 - kernel_size**depth, 100))


def test_a_block_follows_its_equations():
    model = TCN(2, 4, 1, kernel_size=2, depth=2, seed=3).double()
    x = numbers(1, 6, 2)
    first, second = model.blocks
    assert first.shortcut is not None and second.shortcut is None
    h = torch.relu(torch.relu(first.conv_2(torch.relu(first.conv_1(x)))) + first.shortcut(x))
    h2 = torch.relu(torch.relu(second.conv_2(torch.relu(second.conv_1(h)))) + h)
    output = model(x)
    torch.testing.assert_close(output.layers[0], h)
    torch.testing.assert_close(output.layers[1], h2)
    torch.testing.assert_close(output.prediction, model.head(h2[:, -1]))
    assert [b.conv_1.dilation for b in model.blocks] == [1, 2] == list(model.dilations)


def test_a_gated_layer_follows_its_equations():
    model = WaveNet(2, 4, 3, depth=2, seed=3).double()
    x = numbers(2, 6, 2)
    h, skips = model.embed(x), 0
    for level, layer in enumerate(model.layers, 1):
        gate = torch.sigmoid(layer.gate(h))
        z = torch.tanh(layer.filter(h)) * gate
        skips = skips + layer.skip(z)
        torch.testing.assert_close(model(x).gates[f"gate_{level}"], gate)
        h = h + layer.residual(z)
        torch.testing.assert_close(model(x).layers[level - 1], h)
    torch.testing.assert_close(model(x).prediction, model.head(torch.relu(skips[:, -1])))


@any_model
def test_gradients_against_finite_differences(build):
    model = build().double().eval()
    x = numbers(2, 8, 2).requires_grad_()
    names, values = zip(*model.named_parameters(), strict=True)

    def prediction(x, *parameters):
        return torch.func.functional_call(model, dict(zip(names, parameters)), (x,)).prediction

    assert torch.autograd.gradcheck(prediction, (x, *values))


@any_model
def test_tokens_are_one_hot_vectors(build):
    model = build().double().eval()
    tokens = torch.tensor([[0, 1, 1], [1, 0, 1]])
    one_hot = functional.one_hot(tokens, 2).double()
    torch.testing.assert_close(model(tokens).prediction, model(one_hot).prediction)


@any_model
def test_the_start_depends_on_the_seed_alone_and_leaves_global_random_numbers_alone(build):
    before = torch.get_rng_state()
    one, again = build(), build()
    one.train()(torch.ones(1, 4, 2))
    assert torch.equal(before, torch.get_rng_state())
    for name, value in one.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    for other in (TCN, WaveNet):
        heads = [other(2, 5, 3, kernel_size=3, depth=3, seed=seed).head.weight for seed in (0, 2)]
        assert not torch.equal(*heads)


def test_dropout_sets_whole_channels_to_zero_and_only_in_training():
    model = TCN(2, 200, 1, kernel_size=2, depth=1, residual=False, dropout=0.4, seed=0)
    x = torch.rand(3, 10, 2)
    assert torch.equal(model.eval()(x).layers[0], model(x).layers[0])
    alive = (model(x).layers[0] != 0).any(1)  # (batch, channels)
    dropped = (model.train()(x).layers[0] != 0).any(1)
    assert dropped.sum() / alive.sum() == pytest.approx(0.6, abs=0.1)
    ones = drop_channels(torch.ones(2, 3, 1000), 0.4, torch.Generator().manual_seed(0))
    torch.testing.assert_close(ones.unique(), torch.tensor([0, 1 / 0.6]))  # the mean stays
    assert ones.mean().item() == pytest.approx(1, abs=0.05)
    assert not torch.equal(model(x).layers[0], model(x).layers[0])


TCN_2 = TCN(2, 4, 1, kernel_size=2, depth=2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: TCN(2, 4, 1, kernel_size=0, depth=2), ValueError, "kernel_size must be a whole"),
        (lambda: TCN(2, 4, 1, kernel_size=2, depth=0), ValueError, "depth must be a whole number"),
        (lambda: TCN(2, 4, 1, kernel_size=2, depth=2, dropout=1), ValueError, "dropout must be at"),
        (
            lambda: TCN(2, 4, 1, kernel_size=2, depth=2, dropout="0"),
            ValueError,
            "dropout must be at least 0 and below 1, got '0'",
        ),
        (
            lambda: TCN(2, 4, 1, kernel_size=2, depth=2, dilation_base=0),
            ValueError,
            "dilation_base must be a whole number",
        ),
        (lambda: CausalConv(2, 4, kernel_size=2, dilation=0), ValueError, "dilation must be a wh"),
        (lambda: WaveNet(2, 4, 1, depth=1.5), ValueError, "depth must be a whole number of at"),
        (lambda: TCN_2(torch.ones(1, 3, 3)), ValueError, r"the shape \(batch, time, 2\)"),
        (lambda: TCN_2(torch.ones(1, 3, 2).double()), TypeError, "inputs must be torch.float32"),
        (lambda: TCN_2(torch.tensor([[2]])), ValueError, "tokens must lie between 0 and 1"),
        (lambda: TCN_2([1]), TypeError, "inputs must be a torch.Tensor, got list"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(call, error, message):
    with pytest.raises(error, match=message) as caught:
        call()
    assert str(caught.value).count("\n") == 0 and str(caught.value).endswith(".")
