import copy
import math

import numpy as np
import pytest
import torch

from seqviz.models import RNN, BagOfWords
from seqviz.probes import state_gradients
from seqviz.tasks import Adding, FirstToken, Order
from seqviz.trace import Trace
from seqviz.training import evaluate, steps, train


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("clip", [None, 1e-3, 1e3])
def test_a_step_equals_one_by_hand(optimizer, clip):
    task, model = Adding(5), RNN(2, 4, 1, seed=1)
    twin = copy.deepcopy(model)
    by_hand = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimizer](
        twin.parameters(), lr=0.01
    )
    taken = steps(
        model,
        task,
        steps=3,
        batch_size=8,
        learning_rate=0.01,
        optimizer=optimizer,
        clip=clip,
        seed=2,
    )
    for k, step in enumerate(taken):
        batch = task.batch(8, 3_000_000 + k)
        probe = state_gradients(twin, batch.inputs, batch.targets, task.loss)
        loss = task.loss(twin(batch.inputs).prediction, batch.targets)
        by_hand.zero_grad()
        loss.backward()
        norm = math.sqrt(sum(p.grad.double().square().sum().item() for p in twin.parameters()))
        if clip is not None and norm > clip:
            for p in twin.parameters():
                p.grad *= clip / (norm + 1e-6)
        by_hand.step()
        assert step.step == k
        assert step.loss == pytest.approx(loss.item(), rel=1e-5)
        assert step.score == pytest.approx(
            loss.item(), rel=1e-5
        )  # the metric of Adding is its loss
        assert step.grad_norm == pytest.approx(norm, rel=1e-4)
        np.testing.assert_allclose(step.state_grad_norm, probe.state_grad_norm, rtol=1e-4)
        for ours, theirs in zip(model.parameters(), twin.parameters()):
            torch.testing.assert_close(ours, theirs)


def test_clipping_bounds_the_update():
    task, model = Adding(5), RNN(2, 4, 1)
    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    (step,) = steps(model, task, steps=1, learning_rate=1.0, optimizer="sgd", clip=0.01)
    after = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert step.grad_norm > 0.1  # measured before clipping
    assert (after - before).norm().item() == pytest.approx(0.01, rel=1e-3)


def test_train_returns_the_trace_of_its_steps():
    task = FirstToken(4)
    settings = dict(steps=7, batch_size=4, learning_rate=0.01, seed=3, record_every=3)
    trace = train(RNN(8, 5, 4, seed=0), task, progress=False, **settings)
    streamed = list(steps(RNN(8, 5, 4, seed=0), task, **settings))
    assert trace["loss"].tolist() == [step.loss for step in streamed]
    assert trace["score"].tolist() == [step.score for step in streamed]
    assert trace["grad_norm"].tolist() == [step.grad_norm for step in streamed]
    assert trace["recorded_step"].tolist() == [0, 3, 6]
    assert trace["state_grad_norm"].shape == (3, 4)
    np.testing.assert_array_equal(trace["state_grad_norm"][1], streamed[3].state_grad_norm)
    assert streamed[1].state_grad_norm is None
    assert trace.axes["state_grad_norm"] == ("recorded", "time")
    assert trace.seed == 3 and trace.versions["torch"] == torch.__version__
    assert trace.about["task"] == "FirstToken(length=4, symbols=4, distractors=4)"
    assert trace.about["learning_rate"] == 0.01 and trace.about["stopped"] is None


def test_a_trace_of_training_survives_saving(tmp_path):
    trace = train(RNN(2, 3, 1), Adding(4), steps=2, learning_rate=0.01, progress=False)
    trace.save(tmp_path / "run.npz")
    loaded = Trace.load(tmp_path / "run.npz")
    assert loaded.about == trace.about
    np.testing.assert_array_equal(loaded["state_grad_norm"], trace["state_grad_norm"])


def test_a_model_without_hidden_states_records_none():
    trace = train(BagOfWords(1000, 2), Order(), steps=2, learning_rate=0.01, progress=False)
    assert set(trace.arrays) == {"loss", "score", "grad_norm"}
    without = train(RNN(2, 3, 1), Adding(4), steps=2, learning_rate=0.01, record=(), progress=False)
    assert set(without.arrays) == {"loss", "score", "grad_norm"}


def test_an_interrupt_returns_the_trace_so_far_and_a_usable_model():
    model, task = RNN(2, 3, 1), Adding(4)

    def stop_at_two(step):
        if step.step == 2:
            raise KeyboardInterrupt

    trace = train(model, task, steps=9, learning_rate=0.01, progress=False, every=stop_at_two)
    assert len(trace["loss"]) == 3
    assert trace.about["stopped"] == "interrupted after 3 of 9 steps"
    assert math.isfinite(evaluate(model, task.batch(4, 0), task))


def test_an_interrupt_before_the_first_step_gives_an_empty_trace():
    class Interrupted(Adding):
        def batch(self, batch_size, seed):
            raise KeyboardInterrupt

    trace = train(RNN(2, 3, 1), Interrupted(4), steps=5, learning_rate=0.01, progress=False)
    assert trace["loss"].shape == (0,) and "state_grad_norm" not in trace.arrays


def test_a_diverging_run_stops_and_says_so():
    model = RNN(2, 8, 1, nonlinearity="relu", spectral_radius=30.0)
    trace = train(
        model, Adding(40), steps=50, learning_rate=1e30, clip=None, optimizer="sgd", progress=False
    )
    last = len(trace["loss"]) - 1
    assert last < 49
    assert not math.isfinite(trace["loss"][last]) and np.isfinite(trace["loss"][:last]).all()
    assert trace.about["stopped"] == f"the loss was not finite at step {last}"
    assert all(p.isfinite().all() for p in model.parameters())  # that step changes nothing


def test_evaluate_scores_without_training_or_graph():
    model, task = RNN(2, 3, 1).train(), Adding(4)
    batch = task.batch(16, 0)
    score = evaluate(model, batch, task)
    error = model(batch.inputs).prediction - batch.targets
    assert score == pytest.approx(error.square().mean().item())
    assert model.training and model.weight_hh.grad is None


def test_the_progress_bar_is_hidden_in_the_book_and_on_request(monkeypatch, capfd):
    def shown(**kwargs):
        train(RNN(2, 3, 1), Adding(4), steps=2, learning_rate=0.01, **kwargs)
        return "2/2" in capfd.readouterr().err

    monkeypatch.delenv("SEQVIZ_BOOK", raising=False)
    assert shown() and not shown(progress=False)
    monkeypatch.setenv("SEQVIZ_BOOK", "1")
    assert not shown()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0."),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1"),
        ({"record_every": 0}, "record_every must be a whole number of at least 1"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"learning_rate": 0.0}, "learning_rate must be a positive, finite number, got 0.0."),
        ({"learning_rate": math.nan}, "learning_rate must be a positive, finite number"),
        ({"clip": -1.0}, "clip must be a positive, finite number, got -1.0."),
        ({"optimizer": "lion"}, "optimizer must be one of adam, sgd, got 'lion'."),
        ({"record": ("gates",)}, "record must be one of state_grad_norm, got 'gates'."),
    ],
)
def test_bad_input_is_answered_in_one_sentence(settings, message):
    settings = {"steps": 1, "learning_rate": 0.1, "progress": False} | settings
    with pytest.raises(ValueError, match=message):
        train(RNN(2, 3, 1), Adding(4), **settings)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rnn_learns_to_add_over_10_steps(seed):
    task, model = Adding(10), RNN(2, 64, 1, seed=seed)
    train(model, task, steps=1000, learning_rate=3e-3, seed=seed, record=(), progress=False)
    assert task.learned(evaluate(model, task.batch(1000, 7), task))


@pytest.mark.slow
def test_rnn_does_not_learn_to_add_over_50_steps():
    task, model = Adding(50), RNN(2, 64, 1)
    train(model, task, steps=800, learning_rate=1e-3, record=(), progress=False)
    assert evaluate(model, task.batch(1000, 7), task) > 0.8 * task.chance


@pytest.mark.slow
def test_irnn_learns_to_add_over_50_steps():
    task, model = Adding(50), RNN(2, 64, 1, nonlinearity="relu", start="identity")
    train(model, task, steps=800, learning_rate=1e-3, record=(), progress=False)
    assert task.learned(evaluate(model, task.batch(1000, 7), task))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rnn_reads_order_where_a_bag_cannot(seed):
    task = Order()
    rnn, bag = RNN(task.input_size, 32, 2, seed=seed), BagOfWords(task.input_size, 2)
    settings = dict(steps=400, batch_size=64, seed=seed, record=(), progress=False)
    train(rnn, task, learning_rate=3e-3, **settings)
    train(bag, task, learning_rate=1e-2, **settings)
    assert task.learned(evaluate(rnn, task.held_out(), task))
    assert evaluate(bag, task.held_out(), task) == 0.5
