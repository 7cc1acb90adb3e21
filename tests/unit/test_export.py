"""Exported steps against PyTorch, and each silent fault of the exporter that was met."""

import sys
from functools import partial

import onnx
import pytest
import torch
from small_steps import CASES, DATES, apart, compare, exported, runner, take

from seqviz.export import to_onnx
from seqviz.models import RNN, BagOfWords
from seqviz.step import TrainingStep
from seqviz.tasks import Adding, CopyMemory

# All models with SGD; Adam's update is the same for all, so a few with it.
WITH_ADAM = ("RNN", "LSTM, copy", "TCN, no shortcuts", "Transformer, tokens", "NGrams")
EXPORTED = [(name, "sgd") for name in CASES] + [(name, "adam") for name in WITH_ADAM]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def onnx_of(function, *values):
    """What a function of tensors returns in onnxruntime and in PyTorch."""
    names = [f"input_{i}" for i in range(len(values))]
    run = runner(to_onnx(function, dict(zip(names, values))))
    return run(*values, names_in=names), function(*values)


@pytest.mark.parametrize(("name", "optimizer"), EXPORTED)
def test_an_exported_step_is_that_of_pytorch(name, optimizer):
    case = CASES[name]
    step = case.step(optimizer)
    ours = take(case, step, 20, runner(exported(name, optimizer)))
    compare(ours, take(case, step, 20), step, case.rate(optimizer))


def test_a_translator_is_exported_for_one_shape_of_batch():
    step, batch = DATES.step("adam"), DATES.batch(0)

    def with_pair(state, source, given, targets, rate):
        return step(state, (source, given), targets, rate)

    values = (step.start(), *batch.inputs, batch.targets, torch.tensor(0.01))
    names = ("state", "source", "given", "targets", "learning_rate")
    run = runner(to_onnx(with_pair, dict(zip(names, values))))
    ours, theirs = [], []
    for results, function in ((ours, partial(run, names_in=names)), (theirs, with_pair)):
        state = values[0]
        for _ in range(20):
            results.append(function(state, *values[1:]))
            state = results[-1]["new_state"]
    compare(ours, theirs, step, 0.01)
    assert ours[-1]["loss"] < ours[0]["loss"]


@pytest.mark.parametrize("name", ["LSTM", "TCN", "Transformer, tokens"])
def test_a_file_holds_the_graph_and_nothing_else(name):
    model = onnx.load_from_string(exported(name, "sgd"))
    graph = model.graph
    outer = {value.name for value in (*graph.input, *graph.output)}
    named = {n for node in graph.node for n in (*node.input, *node.output)}
    named |= {constant.name for constant in graph.initializer}
    assert all(len(n) <= 5 for n in named - outer)
    assert {"state", "inputs", "learning_rate", "new_state", "loss", "grad_norm"} <= outer
    assert not model.metadata_props and not graph.value_info and not graph.doc_string
    assert not any(n.name or n.doc_string or n.metadata_props for n in graph.node)
    operations = {node.op_type for node in graph.node}
    assert not operations & {"Loop", "If", "SequenceAt"}, operations
    onnx.checker.check_model(model, full_check=True)


def test_the_exporter_does_not_drop_small_numbers():
    # Its optimizer folds x + 1e-8 to x: Adam would divide 0 by 0.
    found, wanted = onnx_of(lambda x: {"y": x / (x + 1e-8)}, torch.tensor([0.0, 1e-9, 1e-8]))
    torch.testing.assert_close(found["y"], wanted["y"])
    assert found["y"][0] == 0

    case = CASES["BagOfWords"]
    step, batch = case.step("adam"), case.batch(0)
    values = (step.start(), batch.inputs, batch.targets, torch.tensor(0.01))
    found = runner(exported("BagOfWords", "adam"))(*values)["new_state"]
    absent = sorted(set(range(60)) - set(batch.inputs.flatten().tolist()))
    assert absent and not found[: 60 * 2].view(60, 2)[absent].any()  # their gradient is 0
    torch.testing.assert_close(found, step(*values)["new_state"])


def test_adam_divides_by_exact_corrections():
    # A number of Python becomes a float32: 1 - 0.999 was off by 5e-5, and so was every step.
    model = BagOfWords(3, 2)
    step = TrainingStep(model, CASES["BagOfWords"].task, optimizer="adam", record=())
    size = sum(step.sizes)
    names = ("state", "gradient", "rate")
    values = (step.start(), torch.linspace(-1, 1, size), torch.tensor(1.0))

    def update(state, gradient, rate):
        return {"y": step._update(state, gradient, rate, size)}

    run = runner(to_onnx(update, dict(zip(names, values))))
    for taken in (0.0, 1.0, 10.0, 1000.0):
        values[0][-1] = taken
        found, wanted = run(*values, names_in=names), update(*values)
        torch.testing.assert_close(found["y"], wanted["y"], rtol=1e-6, atol=1e-9)


def test_cross_entropy_has_its_gradient():
    # Undecomposed it came out times the size of the batch.
    targets = torch.tensor([0, 2, 1, 1, 2])

    def gradient(scores):
        with torch.enable_grad():
            scores = scores.detach().requires_grad_()
            loss = torch.nn.functional.cross_entropy(scores, targets)
            return {"g": torch.autograd.grad(loss, scores)[0]}

    found, wanted = onnx_of(gradient, torch.arange(15.0).view(5, 3).sin())
    torch.testing.assert_close(found["g"], wanted["g"])


def test_cross_entropy_leaves_padding_out():
    targets = torch.tensor([0, 2, 0, 1, 2])

    def gradient(scores):
        with torch.enable_grad():
            scores = scores.detach().requires_grad_()
            loss = torch.nn.functional.cross_entropy(scores, targets, ignore_index=0)
            return {"g": torch.autograd.grad(loss, scores)[0], "loss": loss.detach()}

    found, wanted = onnx_of(gradient, torch.arange(15.0).view(5, 3).sin())
    torch.testing.assert_close(found, wanted)
    assert not found["g"][[0, 2]].any()


@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (4, 3)])
def test_a_convolution_has_its_gradients(kernel, dilation):
    # ONNX has no operation for them.
    weight, bias = torch.arange(6.0 * kernel).sin().view(2, 3, kernel), torch.tensor([0.3, -0.2])

    def gradients(x, weight, bias):
        with torch.enable_grad():
            given = [t.detach().requires_grad_() for t in (x, weight, bias)]
            y = torch.nn.functional.conv1d(*given, dilation=dilation)
            to = torch.autograd.grad((y * y).sum(), given)
        return {"y": y.detach(), "to_x": to[0], "to_weight": to[1], "to_bias": to[2]}

    x = torch.arange(2.0 * 3 * 14).cos().view(2, 3, 14)
    found, wanted = onnx_of(gradients, x, weight, bias)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_convolution_that_is_not_plain_is_refused():
    for settings in ({"stride": 2}, {"padding": 1}, {"groups": 3}):
        channels = 3 // settings.get("groups", 1)
        weight = torch.ones(3, channels, 2)
        with pytest.raises(ValueError, match="Only plain convolutions over time can be"):
            to_onnx(
                lambda x, s=settings, w=weight: {"y": torch.nn.functional.conv1d(x, w, **s)},
                {"x": torch.ones(2, 3, 8)},
            )


@pytest.mark.parametrize("settings", [{}, {"padding": 1}, {"stride": 2}])
def test_a_convolution_whose_gradient_alone_is_asked(settings):
    weight = torch.arange(12.0).sin().view(2, 3, 2)

    def gradient(x, back):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            y = torch.nn.functional.conv1d(x, weight, **settings)
            return {"g": torch.autograd.grad(y, x, back)[0]}

    x = torch.arange(48.0).cos().view(2, 3, 8)
    back = torch.ones_like(torch.nn.functional.conv1d(x, weight, **settings))
    if settings:
        with pytest.raises(ValueError, match="Only plain convolutions over time can be"):
            to_onnx(gradient, {"x": x, "back": back})
    else:
        found, wanted = onnx_of(gradient, x, back)
        torch.testing.assert_close(found, wanted)


def test_pieces_of_a_tensor_have_their_gradients():
    def gradients(x):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            parts = [
                x[:, -1],
                x[:, 1:5].sum(1),
                x[:, -3:-1].sum(1),
                x[..., -9:2].sum(2),
                x.unbind(1)[2],
            ]
            parts += x.chunk(3, 2)[1].unbind(1)
            total = sum((part.square() / i).sum() for i, part in enumerate(parts, start=1))
            return {"g": torch.autograd.grad(total, x)[0]}

    x = torch.arange(2.0 * 6 * 6).sin().view(2, 6, 6)
    file = to_onnx(gradients, {"x": x})
    torch.testing.assert_close(runner(file)(x, names_in=("x",)), gradients(x))
    operations = {node.op_type for node in onnx.load_from_string(file).graph.node}
    assert not any(name.startswith("Scatter") for name in operations), operations  # slow in wasm


def test_vanished_gradients_are_not_nothing():
    # Their squares are no float32 numbers: the norms must be taken in float64.
    task, model = Adding(16), RNN(2, 4, 1, spectral_radius=1e-3)
    step = TrainingStep(model, task, record=("state_grad_norm", "input_grad_norm"))
    batch = task.batch(4, 0)
    names = ("state", "inputs", "targets", "learning_rate")
    values = (step.start(), batch.inputs, batch.targets, torch.tensor(0.01))
    found, wanted = runner(to_onnx(step, dict(zip(names, values))))(*values), step(*values)
    for name in ("state_grad_norm", "input_grad_norm"):
        seen = wanted[name] > 1e-37  # float32 has fewer digits below
        assert 0 < wanted[name][seen].min() < 1e-24
        torch.testing.assert_close(found[name][seen], wanted[name][seen], rtol=1e-3, atol=0)


def test_attention_with_padding_and_a_mask_is_exported():
    case = CASES["Transformer, tokens, causal"]
    batch = case.batch(0)
    assert (batch.inputs == 0).any()
    file = exported("Transformer, tokens, causal", "sgd")
    step = case.step("sgd")
    found = runner(file)(step.start(), batch.inputs, batch.targets, torch.tensor(0.1))
    attention = found["attention"]
    assert torch.isfinite(attention).all()
    torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1]))
    assert not attention.triu(1).any()
    # A sequence with another amount of padding than the one that was traced.
    other = batch.inputs.roll(1, 0)
    found = runner(file)(step.start(), other, batch.targets, torch.tensor(0.1))
    wanted = step(step.start(), other, batch.targets, torch.tensor(0.1))
    assert apart(found["loss"], wanted["loss"]) < 1e-5
    assert apart(found["attention"], wanted["attention"]) < 1e-5


def test_the_accuracy_is_counted_and_not_traced():
    case = CASES["LSTM, copy"]
    assert isinstance(case.task, CopyMemory)
    run, step = runner(exported("LSTM, copy", "sgd")), case.step("sgd")
    seen = set()
    for number in range(6):
        batch = case.batch(number)
        values = (step.start(), batch.inputs, batch.targets, torch.tensor(0.1))
        seen.add(run(*values)["accuracy"].item())
        assert run(*values)["accuracy"] == step(*values)["accuracy"]
    assert len(seen) > 1


def test_without_onnxscript_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r"needs onnxscript: pip install onnxscript\."):
        to_onnx(lambda x: {"y": x + 1}, {"x": torch.ones(2)})
