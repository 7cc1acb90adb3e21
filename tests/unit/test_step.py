"""A training step as a function of tensors, against the steps that torch's optimizers take."""

import math

import pytest
import torch
from small_steps import BATCH, BOUND, CASES, DATES, apart, eager, key_biases, take

from seqviz.models import GRU, LSTM, RNN, TCN, BagOfWords, Transformer
from seqviz.step import TrainingStep
from seqviz.tasks import Adding, FirstToken, Order

ALL = {**CASES, "Seq2Seq": DATES}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("name", ALL)
def test_steps_are_those_of_torch(name, optimizer):
    case, bound = ALL[name], BOUND[optimizer]
    step = case.step(optimizer)
    ours = take(case, step, 20)
    noise = key_biases(step)
    for count in (1, 20):
        theirs, parameters = eager(case, optimizer, count)
        for result, taken in zip(ours, theirs):
            assert result["loss"].item() == pytest.approx(taken.loss, rel=bound)
            assert result["grad_norm"].item() == pytest.approx(taken.grad_norm, rel=bound)
            if "accuracy" in result:
                assert result["accuracy"].item() == pytest.approx(taken.score)
            assert ("state_grad_norm" in result) == (taken.state_grad_norm is not None)
            if taken.state_grad_norm is not None:
                wanted = torch.from_numpy(taken.state_grad_norm)
                assert apart(result["state_grad_norm"], wanted) < bound
                there = wanted > 0  # far back, where it is small, too
                ratio = result["state_grad_norm"][there] / wanted[there]
                torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=bound, atol=0)
        found = ours[count - 1]["new_state"][: sum(step.sizes)]
        assert apart(found[~noise], parameters[~noise]) < bound
        if optimizer == "sgd":
            assert apart(found, parameters) < bound
        # Adam makes steps of rounding errors where the gradient is one: `compare` says where.
        assert (found - parameters).abs().max() < count * case.rate(optimizer)
    assert apart(parameters, step.start()[: sum(step.sizes)]) > 1e-3  # training went somewhere


@pytest.mark.parametrize("clip", [None, 1e-3, 1e3])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_gradients_are_clipped_as_in_torch(optimizer, clip):
    case = CASES["LSTM"]
    limited = type(case)(case.task, case.model, clip=clip)
    theirs, parameters = eager(limited, optimizer, 3)
    step = limited.step(optimizer)
    ours = take(limited, step, 3)
    assert apart(ours[-1]["new_state"][: len(parameters)], parameters) < 1e-5
    assert ours[0]["grad_norm"].item() == pytest.approx(theirs[0].grad_norm)  # before clipping
    if optimizer == "sgd":
        moved = (ours[0]["new_state"] - step.start()).norm().item()
        norm = theirs[0].grad_norm
        wanted = case.sgd * (norm if clip is None else min(norm, clip))
        assert moved == pytest.approx(wanted, rel=1e-3)


def test_long_and_vanished_gradients_keep_their_digits():
    task, model = Adding(50), RNN(2, 32, 1, spectral_radius=0.2)
    step = TrainingStep(model, task, record=("state_grad_norm", "input_grad_norm"))
    batch = task.batch(32, 0)
    result = step(step.start(), batch.inputs, batch.targets, torch.tensor(0.01))
    wide = RNN(2, 32, 1, spectral_radius=0.2).double()
    inputs = batch.inputs.double().requires_grad_()
    output = wide(inputs)
    loss = task.loss(output.prediction, batch.targets.double())
    *states, of_inputs = torch.autograd.grad(loss, [*output.hidden_states, inputs])
    by_state = torch.stack([g.norm() for g in states])
    seen = by_state > 1e-36  # below, float32 has denormal numbers with fewer digits
    assert by_state[seen].min() < 1e-24  # whose square is no float32 number
    found = result["state_grad_norm"].double()
    torch.testing.assert_close(found[seen], by_state[seen], rtol=1e-3, atol=0)
    wanted = of_inputs.norm(dim=(0, 2))[seen]
    assert wanted.min() < 1e-24
    found = result["input_grad_norm"].double()[seen]
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=0)


def test_a_step_has_no_memory_and_leaves_the_model_alone():
    case = CASES["TCN"]
    step = case.step("adam")
    before = [p.clone() for p in step.model.parameters()]
    batch, state = case.batch(0), step.start()
    kept = state.clone()
    first, again = (
        step(state, batch.inputs, batch.targets, torch.tensor(0.01))["new_state"] for _ in range(2)
    )
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    torch.testing.assert_close(state, kept, rtol=0, atol=0)
    for p, was in zip(step.model.parameters(), before):
        torch.testing.assert_close(p, was, rtol=0, atol=0)
    with torch.no_grad():  # as a caller may have it
        torch.testing.assert_close(
            step(state, batch.inputs, batch.targets, torch.tensor(0.01))["new_state"], first
        )


def test_what_is_recorded_is_what_the_model_says():
    case = CASES["LSTM"]
    step = case.step("sgd", record=("gates.forget_gate", "gates.cell", "attention"))
    batch = case.batch(0)
    result = step(step.start(), batch.inputs, batch.targets, torch.tensor(0.1))
    gates = step.model(batch.inputs).gates
    assert set(result) == {"new_state", "loss", "grad_norm", "gates.forget_gate", "gates.cell"}
    torch.testing.assert_close(result["gates.forget_gate"], gates["forget_gate"][0])
    torch.testing.assert_close(result["gates.cell"], gates["cell"][0])

    case = CASES["Transformer"]
    step = case.step("sgd")
    batch = case.batch(0)
    result = step(step.start(), batch.inputs, batch.targets, torch.tensor(0.1))
    torch.testing.assert_close(result["attention"], step.model(batch.inputs).attention[0, -1])
    assert result["attention"].shape == (2, 8, 8)  # head, query, key


def test_tokens_have_no_gradient_at_the_inputs():
    case = CASES["GRU, tokens"]
    step = case.step("sgd", record=("input_grad_norm",))
    batch = case.batch(0)
    result = step(step.start(), batch.inputs, batch.targets, torch.tensor(0.1))
    assert "input_grad_norm" not in result


def test_a_start_may_come_from_another_model_of_the_same_shape():
    task = Adding(8)
    step = TrainingStep(LSTM(2, 8, 1, forget_bias=0.0), task)
    other = LSTM(2, 8, 1, forget_bias=3.0)
    state = step.start(other)
    for name, p in other.named_parameters():
        torch.testing.assert_close(step.parameters(state)[name], p.detach())
    assert len(state) == 3 * sum(step.sizes) + 1 and not state[sum(step.sizes) :].any()
    assert len(TrainingStep(other, task, optimizer="sgd").start()) == sum(step.sizes)
    for wrong in (LSTM(2, 9, 1), GRU(2, 8, 1)):
        with pytest.raises(ValueError, match="The model must have the same parameters as that of"):
            step.start(wrong)


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (RNN(2, 3, 1), {"optimizer": "lion"}, "optimizer must be one of adam, sgd, got 'lion'."),
        (RNN(2, 3, 1), {"record": ("weights",)}, "record must be one of state_grad_norm, "),
        (RNN(2, 3, 1), {"clip": 0.0}, "clip must be a positive, finite number or None, got 0.0."),
        (RNN(2, 3, 1), {"clip": math.nan}, "clip must be a positive, finite number or None"),
        (TCN(2, 3, 1, kernel_size=2, depth=1, dropout=0.1), {}, "A model with dropout has no"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(model, settings, message):
    with pytest.raises(ValueError, match=message):
        TrainingStep(model, Adding(4), **settings)


def test_every_kind_of_model_and_task_is_among_the_cases():
    models = {type(case.model()).__name__ for case in ALL.values()}
    import seqviz.models as all_models

    whole = {"RNN", "LSTM", "GRU", "TCN", "WaveNet", "Transformer", "FeedForward", "Seq2Seq"}
    assert models == whole | {"BagOfWords", "NGrams"} and whole <= set(all_models.__all__)
    for model, size in ((BagOfWords, 60), (Transformer, 60)):
        assert any(
            isinstance(c.model(), model) and c.task.input_size == size for c in CASES.values()
        )
    for task in (Adding, FirstToken, Order):
        assert any(isinstance(case.task, task) for case in CASES.values())
    assert len(CASES["RNN"].batch(0).inputs) == BATCH
