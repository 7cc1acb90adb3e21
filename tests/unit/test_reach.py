"""Convolutions at the steps that are read: the same numbers, and no step too many."""

import pytest
import torch
from torch.nn.functional import conv1d, pad

from seqviz.export import operations, trace
from seqviz.models import TCN
from seqviz.reach import CONVOLUTION, Reached
from seqviz.step import TrainingStep
from seqviz.tasks import Adding

BATCH, LENGTH, CHANNELS = 2, 12, 3
POSITIONS = torch.arange(LENGTH * CHANNELS).double().view(LENGTH, CHANNELS).cos()
CHANCE = torch.arange(BATCH * CHANNELS).view(BATCH, 1, CHANNELS) % 2


def causal(h, weight, dilation=1, bias=None):
    """A causal convolution of h (batch, time, channels)."""
    padded = pad(h.transpose(1, 2), ((weight.shape[2] - 1) * dilation, 0))
    return conv1d(padded, weight, bias, dilation=dilation).transpose(1, 2)


def two_layers(x, w, v):
    return torch.relu(causal(torch.relu(causal(x, w)), v, 2))


def gated(x, w, v):
    gate = torch.sigmoid(causal(x, w, 2))
    return x + causal(torch.tanh(causal(x, v, 2)) * gate, w)


def both_ways(x, w, v):
    ahead = pad(x.transpose(1, 2), (0, 4))
    return conv1d(ahead, w, dilation=2).transpose(1, 2) + causal(x, v)


def residual(x, w, v):
    h = torch.relu(x + causal(x, w))
    return torch.relu(h + causal(h, v, 3))


def lone(x):
    """A sequence that is 0 but at its last step."""
    return pad(x[:, -1:], (0, 0, LENGTH - 1, 0))


# What is made of a sequence, and what is read of it.
LAYERS = {
    "two layers": two_layers,
    "a shortcut": residual,
    "gates": gated,
    "from behind and ahead": both_ways,
    "a layer twice": lambda x, w, v: (h := causal(x, w)) + causal(h, v) + h,
    "far back": lambda x, w, v: causal(causal(x, w, 20), v, 3),
    "positions": lambda x, w, v: causal(causal(x, w) + POSITIONS, v, 2),
    "positions first": lambda x, w, v: causal(POSITIONS + causal(x, w), v, 2),
    "a mask": lambda x, w, v: causal(causal(x, w).masked_fill(POSITIONS[:, :1] > 0.3, 0.0), v, 2),
    "four dimensions": lambda x, w, v: (causal(x, w) + x.new_ones(4, 1, LENGTH, 1))[1],
    "a group norm": lambda x, w, v: causal(
        torch.nn.functional.group_norm(causal(x, w).transpose(1, 2).contiguous(), 1).mT, v, 2
    ),
    "a kernel that is padded": lambda x, w, v: causal(causal(x, pad(w[..., 1:], (1, 0))), v),
    "a kernel from a convolution": lambda x, w, v: causal(x, torch.tanh(causal(w, v))),
    "a bias that is padded": lambda x, w, v: causal(x, w, bias=pad(v[0, :2, 0], (1, 0))),
    "pads of others": lambda x, w, v: causal(x, w) * pad(w[None], (2, -2))[..., 2].sum(),
    "axes from the end": lambda x, w, v: causal(causal(x, w).permute(0, -1, 1).mT, v, 2),
    "dropout": lambda x, w, v: causal(causal(x, w) * CHANCE, v, 2),
    "a softmax over time": lambda x, w, v: causal(torch.softmax(causal(x, w), 1), v, 2),
    "time reversed": lambda x, w, v: causal(causal(x, w).flip(1), v, 2),
    "a bias": lambda x, w, v: causal(causal(x, w) - 0.5, v, 2, bias=w[0, :, 0]) + 0.1,
    "a maximum": lambda x, w, v: causal(torch.maximum(causal(x, w), torch.tensor(0.1)), v),
    "a lone step": lambda x, w, v: causal(causal(lone(x), w), v),
    "a lone step, raised": lambda x, w, v: causal(lone(x) + 0.5, w) + causal(lone(x) + x, v),
    "a lone step, squashed": lambda x, w, v: causal(torch.sigmoid(lone(x)), w) + causal(x, v),
    "a lone step, chosen": lambda x, w, v: causal(
        torch.where(causal(lone(x), v) <= 0, 0.5, lone(x)), w
    ),
    "a lone step, or one": lambda x, w, v: causal(
        torch.where(lone(x) > 0, 0.0, causal(x, w)[:, :1]), v
    ),
    "a lone step, weighed": lambda x, w, v: causal(causal(lone(x), w) * lone(x) * POSITIONS, v),
    "a channel of zeros": lambda x, w, v: conv1d(
        pad(x[..., :2], (0, 1)).transpose(1, 2), w, dilation=2
    ).transpose(1, 2),
    "channels around": lambda x, w, v: causal(pad(causal(x, w), (2, 1))[..., 1:4], v, 2),
    "zeros around": lambda x, w, v: causal(pad(causal(x, w), (1, 1, 2, 0))[..., 1:4], v, 2),
    "ones before": lambda x, w, v: causal(pad(x[:, 3:], (0, 0, 3, 0), value=1.0), v, 2),
    "no longer there": lambda x, w, v: causal(causal(x, w), v)[:, 3:],
}
READ = {
    "last": lambda h: h[:, -1],
    "first": lambda h: h[:, 0],
    "two": lambda h: h[:, 2] * h[:, -2],
    "some": lambda h: h[:, 4:7].sum(1),
    "all": lambda h: h.mean(1),
    "a channel": lambda h: h[:, :, 1],
    "a sequence": lambda h: h[1],
}


def gradients(layers, read):
    """The loss of what is read, with its gradients for the inputs and both weights."""

    def function(*given):
        with torch.enable_grad():
            given = [t.detach().requires_grad_() for t in given]
            loss = torch.sin(read(layers(*given))).sum()
            return loss.detach(), *torch.autograd.grad(loss, given, materialize_grads=True)

    return function


def values(seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = (BATCH, LENGTH, CHANNELS), (CHANNELS, CHANNELS, 3), (CHANNELS, CHANNELS, 3)
    return tuple(torch.randn(*s, generator=generator, dtype=torch.float64) for s in shapes)


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("layers", LAYERS)
def test_the_numbers_are_those_of_all_steps(layers, read):
    function = gradients(LAYERS[layers], READ[read])
    traced = trace(function, values(0))
    assert not any("convolution" in str(node.target) for node in traced.graph.nodes)
    for seed in (0, 1):  # others than those that were traced, too
        torch.testing.assert_close(traced(*values(seed)), function(*values(seed)))


def tree(kernel, depth, length):
    """What each convolution of a TCN computes for its last step, the last convolution first."""
    steps, layers = {length - 1}, []
    for level in reversed(range(depth)):
        for _ in range(2):
            layers.append(sorted(steps))
            seen = {t - j * 2**level for t in steps for j in range(kernel)}
            steps = {t for t in seen if t >= 0}
    return layers


@pytest.mark.parametrize(("kernel", "depth"), [(2, 3), (3, 2)])
def test_only_the_steps_that_the_last_one_sees_are_computed(kernel, depth):
    task = Adding(20)
    model = TCN(2, 4, 1, kernel_size=kernel, depth=depth)
    step, batch = TrainingStep(model, task, record=("input_grad_norm",)), task.batch(3, 0)
    given = (step.start(), batch.inputs, batch.targets, torch.tensor(0.01))
    graph = operations(lambda *values: tuple(step(*values).values()), given)
    reached = Reached(graph, given)
    found = [
        (node.args[1], kept) for node, kept in reached.kept.items() if node.target is CONVOLUTION
    ]
    kernels = [kept for weight, kept in found if weight.meta["val"].shape[2] == kernel]
    assert kernels == tree(kernel, depth, 20)
