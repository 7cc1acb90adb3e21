"""`train_live`: what it refuses, what it packs for a page, and how it answers in a notebook."""

import base64
import json
import zlib

import numpy as np
import pytest
import torch
from small_steps import DATES, FewPixels, FlatAdding

from seqviz.explore import Choice, GridError, Slider, Text, Toggle
from seqviz.explore.explorable import BOOK_VARIABLE
from seqviz.live import live as live_module
from seqviz.live import page, train_live
from seqviz.live.live import LIVE_MIME
from seqviz.live.widget import LiveWidget
from seqviz.models import LSTM, RNN, TCN, BagOfWords, FeedForward, Transformer
from seqviz.models.output import Output
from seqviz.step import TrainingStep
from seqviz.tasks import Adding, CopyMemory, Dates, FirstToken, Order
from seqviz.training import steps

LABELS = {"name": "race", "caption": "Two models on one task."}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def start(forget_bias=1.0, length=6, seed=0):
    models = {"RNN": RNN(2, 4, 1, seed=seed), "LSTM": LSTM(2, 4, 1, forget_bias=forget_bias)}
    return Adding(length), models


def begin(models, task=None):
    return lambda: (task or Adding(6), models)


def make(function=start, steps=4, batch_size=3, **settings):
    return train_live(function, **{**LABELS, "steps": steps, "batch_size": batch_size} | settings)


@pytest.fixture
def book(monkeypatch):
    """A book is being built; a step stands for its file, since exporting takes seconds."""
    monkeypatch.setenv(BOOK_VARIABLE, "1")
    made = []

    def exported(step, race):
        made.append(step)
        return f"graph {len(made)}".encode()

    monkeypatch.setattr(page, "exported", exported)
    return made


def opened(array):
    raw = zlib.decompress(base64.b64decode(array["deflated"]), -15)
    return np.frombuffer(raw, array["dtype"]).reshape(array["shape"])


# What it refuses


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"function": 3}, TypeError, "start must be a function, not 3."),
        ({"views": ("metric", "loss")}, ValueError, "A view is one of metric, gradient, gradient"),
        ({"steps": 0}, ValueError, "steps must be a whole number of at least 1, not 0."),
        ({"steps": True}, ValueError, "steps must be a whole number of at least 1, not True."),
        ({"batch_size": 1.5}, ValueError, "batch_size must be a whole number of at least 1, not"),
        ({"length": 5}, TypeError, "length must be a Slider, Choice or Toggle, not int."),
        ({"length": Text("a")}, TypeError, "length must be a Slider, Choice or Toggle, not Text."),
        ({"depth": Toggle(True)}, TypeError, "depth"),
        ({"name": "two words"}, ValueError, "name"),
        ({"optimizer": "lion"}, ValueError, "optimizer must be one of adam, sgd, got 'lion'."),
        ({"clip": -1.0}, ValueError, "clip must be a positive, finite number or None, got -1.0."),
        ({"function": lambda: None}, TypeError, "must return a task and a dictionary from label"),
        ({"function": lambda: (1, 2)}, TypeError, "must return a task and a dictionary from label"),
        ({"function": begin({})}, TypeError, "must return a task and a dictionary from label"),
        (
            {"function": begin({"TCN": TCN(2, 3, 1, kernel_size=2, depth=1, dropout=0.5)})},
            ValueError,
            "A model with dropout has no training step",
        ),
    ],
)
def test_bad_input_is_answered_in_one_sentence(settings, error, message):
    with pytest.raises(error) as caught:
        make(**settings)
    text = str(caught.value)
    assert message in text and "\n" not in text and text.endswith(".")


def test_a_start_that_raises_says_so_in_its_cell():
    def fails():
        raise RuntimeError("no such data")

    with pytest.raises(RuntimeError, match="no such data"):
        make(fails)


def test_a_translator_trains_in_a_kernel():
    case = DATES

    def begin():
        return case.task, {"Seq2Seq": case.model()}

    race = make(begin, views=("metric", "gradient", "attention"), batch_size=4).race()
    first = race.take()[0]
    assert first["attention"].dim() == 3 and "tokens" not in first
    step = TrainingStep(case.model(), case.task, record=("input_grad_norm",))
    batch = case.task.batch(4, seed=0)
    taken = step(step.start(), batch.inputs, batch.targets, torch.tensor(0.01))
    assert "input_grad_norm" not in taken  # words have no gradient


@pytest.mark.parametrize("task", [Dates(), FlatAdding(10)], ids=repr)
def test_a_page_says_which_batches_it_can_draw(book, task):
    sentence = rf"A page draws the batches of Adding, .* not of {type(task).__name__}\."
    with pytest.raises(GridError, match=sentence):
        page.feed(task)
    if isinstance(task, FlatAdding):
        with pytest.raises(GridError, match=sentence):
            make(begin({"deep": FeedForward(20, 4, 1, layers=2)}, task))


# What a page gets


def graphs(packed):
    return {name for name in packed["files"] if name.startswith("step-")}


def data(packed):
    return packed["files"][packed["data"]]


def test_starts_and_graphs_are_stored_once(book):
    live = make(
        forget_bias=Slider([0, 1, 3], 1), length=Choice({"6": 6, "8": 8}, "6"),
        learning_rate=Slider([0.001, 0.01], 0.01),
    )  # fmt: skip
    packed = live._repr_mimebundle_()[LIVE_MIME]["packed"]
    assert packed["axes"] == ["forget_bias", "length"] and packed["sizes"] == [3, 2]
    assert len(packed["starts"]) == 6  # the learning rate is no axis
    # An RNN and an LSTM for each length; a forget bias is another start of the same graph.
    assert len(book) == len(graphs(packed)) == 4
    assert [s["task"] for s in packed["starts"]] == [0, 1] * 3
    assert [feed["length"] for feed in data(packed)["feeds"]] == [6, 8]
    assert data(packed)["feeds"][0] == {"kind": "adding", "length": 6}
    rnn = [start["runs"][0] for start in packed["starts"]]
    assert len({tuple(run["start"]) for run in rnn}) == 1
    assert rnn[0]["graph"] != rnn[1]["graph"] and rnn[0]["graph"] == rnn[2]["graph"]
    lstm = [start["runs"][1] for start in packed["starts"]]
    different = [set(a) ^ set(b) for a, b in zip(lstm[0]["start"], lstm[2]["start"])]
    assert lstm[0]["start"] != lstm[2]["start"] and different
    assert len({digest for run in lstm for digest in run["start"]}) == 6 + 2  # a bias of each start
    for run, model in zip(packed["starts"][2]["runs"], start(1.0)[1].values()):
        raw = b"".join(base64.b64decode(data(packed)["blobs"][digest]) for digest in run["start"])
        wanted = torch.cat([p.detach().flatten() for p in model.parameters()]).numpy()
        np.testing.assert_array_equal(np.frombuffer(raw, np.float32), wanted)
        assert run["size"] == 3 * len(wanted) + 1  # room for Adam
    assert packed["figures"] == [view["figure"] for view in packed["facts"][0]["views"]]
    json.dumps(packed, allow_nan=False)


def test_a_seed_chooses_starts_and_batches_but_not_graphs(book):
    live = make(seed=Choice({"0": 0, "1": 1}, "0"))
    packed = live._repr_mimebundle_()[LIVE_MIME]["packed"]
    assert [start["seed"] for start in packed["starts"]] == [0, 1]
    assert len(graphs(packed)) == 2 and len(data(packed)["feeds"]) == 1


def test_models_that_differ_in_more_than_numbers_have_graphs_of_their_own(book):
    def begin(kind):
        given = {"tanh": {}, "relu": {"nonlinearity": "relu"}}
        return Adding(6), {"RNN": RNN(2, 4, 1, **given[kind])}

    live = make(begin, kind=Choice(["tanh", "relu"], "tanh"))
    assert len(graphs(live._repr_mimebundle_()[LIVE_MIME]["packed"])) == 2

    def masked(causal):
        return FirstToken(6), {"Transformer": Transformer(8, 4, 4, heads=2, causal=causal)}

    live = make(masked, causal=Toggle(False))
    assert len(graphs(live._repr_mimebundle_()[LIVE_MIME]["packed"])) == 2


class Bent(RNN):
    """A model with attributes that the library does not know."""

    def __init__(self, bend, factors=(1.0,)):
        super().__init__(8, 4, 4)
        self.bend, self.factors = bend, factors

    def forward(self, x):
        return Output(self.bend(super().forward(x).prediction) * self.factors[0])


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({"a": (torch.tanh,), "b": (torch.relu,)}, 2),
        ({"a": (torch.tanh, [1.0]), "b": (torch.tanh, [5.0])}, 2),
        ({"a": (torch.tanh, {0: 1.0}), "b": (torch.tanh, {0: 1.0})}, 2),  # not known to be equal
        ({"a": (torch.tanh, [1.0]), "b": (torch.tanh, [1.0])}, 1),
    ],
)
def test_what_a_model_computes_with_decides_its_graph(book, given, count):
    def begin(kind):
        return FirstToken(6), {"Bent": Bent(*given[kind])}

    live = make(begin, views=("metric",), kind=Choice(list(given), "a"))
    assert len(graphs(live._repr_mimebundle_()[LIVE_MIME]["packed"])) == count


def test_each_start_has_the_pictures_of_its_models(book):
    kinds = {
        "small": lambda: LSTM(8, 4, 4), "large": lambda: LSTM(8, 7, 4),
        "Transformer": lambda: Transformer(8, 4, 4, heads=2),
    }  # fmt: skip

    def begin(kind, seed):
        return FirstToken(6), {"Model": kinds[kind]()}

    live = make(
        begin, views=("gradient", "gates", "attention"), kind=Choice(list(kinds), "small"),
        seed=Choice({"0": 0, "1": 1}, "0"),
    )  # fmt: skip
    packed = live._repr_mimebundle_()[LIVE_MIME]["packed"]
    assert [start["facts"] for start in packed["starts"]] == [0, 0, 1, 1, 2, 2]
    assert {start["task"] for start in packed["starts"]} == {0}
    for kind, facts in enumerate(packed["facts"]):
        assert facts == live.race(kind=kind, seed=0).facts()
    assert packed["facts"][0] != packed["facts"][1]


@pytest.mark.parametrize(
    ("task", "kind"),
    [(FirstToken(6), "first token"), (CopyMemory(6, 3, 2), "copy memory")],
)
def test_a_generator_of_batches_is_named(task, kind):
    assert page.feed(task) == {"kind": kind, **vars(task)}


@pytest.mark.parametrize("task", [FewPixels(), Order(length=8, vocabulary_size=60)])
def test_rows_are_those_that_batches_are_drawn_from(task):
    packed, part = page.feed(task), task.training_part()
    assert packed["kind"] == "rows"
    for name in ("inputs", "targets"):
        rows = getattr(part, name)
        np.testing.assert_array_equal(opened(packed[name]), rows.numpy())
        assert packed[name]["wide"] == (rows.dtype == torch.int64)


def test_the_recorded_run_is_that_of_pytorch(book):
    live = make(steps=300, views=("gradient map", "gates"), learning_rate=0.01)
    recorded = live._repr_mimebundle_()[LIVE_MIME]["packed"]["recorded"]
    assert recorded["steps"] == 300 and recorded["every"] == 3
    task, models = start()
    for run, model in zip(recorded["runs"], models.values()):
        taken = list(steps(model, task, steps=300, learning_rate=0.01, batch_size=3))
        np.testing.assert_allclose(opened(run["value"]), [t.loss for t in taken], rtol=1e-3)
        wanted = np.stack([t.state_grad_norm for t in taken[::3]])
        np.testing.assert_allclose(opened(run["rows"]), wanted, rtol=2e-2)
        assert opened(run["rows"]).shape == (100, 6)
    first, second = recorded["runs"]
    assert set(first["last"]) == {"state_grad_norm"}
    assert set(second["last"]) == {"state_grad_norm", "gates.forget_gate"}
    assert opened(second["last"]["gates.forget_gate"]).shape == (6, 4)


def test_a_recorded_run_without_gradients_has_no_rows(book):
    def begin():
        task = Order(length=8, vocabulary_size=60)
        return task, {"bag": BagOfWords(60, 2)}

    recorded = make(begin)._repr_mimebundle_()[LIVE_MIME]["packed"]["recorded"]
    assert recorded["runs"][0]["rows"] is None
    assert recorded["runs"][0]["last"] == {}
    assert opened(recorded["runs"][0]["value"]).shape == (4,)  # accuracies


def test_pictures_are_those_that_the_models_can_fill():
    every = ("metric", "gradient", "gradient map", "gates", "attention")
    task, models = start()
    models["Transformer"] = Transformer(2, 4, 1, heads=2)
    facts = make(lambda: (task, models), views=every).race().facts()
    kinds = [(view["kind"], view["run"], view["quantity"]) for view in facts["views"]]
    assert kinds == [
        ("metric", None, None),
        ("gradient", None, "input_grad_norm"),  # not all have states
        *[("gradient map", run, "input_grad_norm") for run in range(3)],
        ("gates", 1, "gates.forget_gate"),
        ("attention", 2, "attention"),
    ]
    assert facts["labels"] == ["RNN", "LSTM", "Transformer"] and facts["metric"] == "mse"
    assert facts["chance"] == task.chance and facts["target"] == task.target


# In a notebook


class Talk:
    """A widget, and what it answers to messages as the front end sends them."""

    def __init__(self, live, monkeypatch):
        self.widget, self.number, self.sent = LiveWidget(live), 0, []
        monkeypatch.setattr(self.widget, "send", lambda *message: self.sent.append(message))

    def ask(self, kind, view="a", **message):
        self.number += 1
        given = {"kind": kind, "number": f"{view}-{self.number}", "view": view, **message}
        self.widget._handle_custom_msg(given, [])
        (answer,) = self.sent.pop(0)
        assert answer["kind"] == "answer" and answer["number"] == given["number"]
        json.dumps(answer, allow_nan=False)  # as a message to a browser
        return answer


def run(talk, until, view="a", rate=0.01, every=1):
    return talk.ask("run", view=view, until=until, rate=rate, every=every)


@pytest.fixture
def talk(monkeypatch):
    monkeypatch.delenv(BOOK_VARIABLE, raising=False)
    live = make(forget_bias=Slider([0, 1, 3], 1), length=Choice({"6": 6, "8": 8}, "6"))
    return Talk(live, monkeypatch)


def all_steps(talk, until, **settings):
    """Ask until so many steps are taken, as the front end does."""
    values, rows = [[], []], [[], []]
    while True:
        answer = run(talk, until, **settings)
        for i in range(2):
            values[i] += answer["values"][i]
            rows[i] += answer["rows"][i]
        if answer["taken"] == until:
            return values, rows, answer


def test_a_notebook_takes_the_steps_that_pytorch_takes(talk):
    assert talk.ask("start", positions={"forget_bias": 1, "length": 0}).keys() == {"kind", "number"}
    values, rows, answer = all_steps(talk, 12, every=5)
    task, models = start()
    for i, model in enumerate(models.values()):
        taken = list(steps(model, task, steps=12, learning_rate=0.01, batch_size=3))
        np.testing.assert_allclose(values[i], [t.loss for t in taken], rtol=1e-4)
        assert [step for step, _ in rows[i]] == [0, 5, 10]
        np.testing.assert_allclose(rows[i][2][1], taken[10].state_grad_norm, rtol=1e-3)
        last = answer["last"][i]["state_grad_norm"]
        assert last["dims"] == [6]
        np.testing.assert_allclose(last["data"], taken[-1].state_grad_norm, rtol=1e-3)
    nothing = {"taken": 12, "values": [[], []], "rows": [[], []], "last": []}
    assert run(talk, 12).items() >= nothing.items()


def test_one_message_takes_no_more_than_its_time(talk, monkeypatch):
    talk.ask("start", positions={"forget_bias": 1, "length": 0})
    monkeypatch.setattr("seqviz.live.widget.SLICE", 0)
    assert run(talk, 1000)["taken"] == 1  # at least one
    assert run(talk, 1000)["taken"] == 2


def test_a_learning_rate_acts_on_what_goes_on(talk, monkeypatch):
    monkeypatch.setattr("seqviz.live.widget.SLICE", 0)
    talk.ask("start", positions={"forget_bias": 1, "length": 0})
    race = talk.widget._races["a"]
    before = race.states["RNN"].clone()
    run(talk, 2, rate=1e-30)
    torch.testing.assert_close(race.states["RNN"][:32], before[:32], rtol=0, atol=0)
    run(talk, 2, rate=0.5)
    assert (race.states["RNN"][:32] - before[:32]).abs().max() > 0.1


def test_every_view_trains_models_of_its_own(talk):
    talk.ask("start", view="a", positions={"forget_bias": 1, "length": 0})
    talk.ask("start", view="b", positions={"forget_bias": 2, "length": 1})
    assert all_steps(talk, 3, view="a")[2]["taken"] == 3
    assert len(all_steps(talk, 1, view="b")[2]["last"][0]["state_grad_norm"]["data"]) == 8
    assert talk.widget._races["a"].taken == 3


def test_facts_follow_the_controls(talk):
    assert talk.widget.facts == talk.ask("facts", positions={})["facts"]
    before = talk.widget.facts["views"]
    assert [view["kind"] for view in before] == ["metric", "gradient"]
    assert talk.ask("facts", positions={"forget_bias": 0.5, "length": 1})["facts"]["labels"] == [
        "RNN", "LSTM",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({"kind": "facts", "positions": {"forget_bias": 99, "length": 0}}, "between 0 and 2"),
        ({"kind": "start", "positions": {"depth": 1}}, "KeyError: 'depth'"),
        ({"kind": "run", "until": 3, "rate": 0.1, "every": 1, "view": "nobody"}, "KeyError"),
        ({"kind": "explode"}, "KeyError: 'explode'"),
    ],
)
def test_a_message_that_cannot_be_answered_has_an_error(talk, message, sentence):
    answer = talk.ask(**message)
    assert sentence in answer["error"] and "\n" not in answer["error"]
    talk.ask("start", positions={"forget_bias": 1, "length": 0})
    assert run(talk, 1)["taken"] == 1  # the kernel lives on


def test_a_start_that_raises_is_answered(monkeypatch):
    def begin(length):
        if length == 8:
            raise OSError("no such\ndata")
        return start(length=length)

    talk = Talk(make(begin, length=Choice({"6": 6, "8": 8}, "6")), monkeypatch)
    for kind in ("facts", "start"):
        assert talk.ask(kind, positions={"length": 1})["error"] == "OSError: no such"
    assert "error" not in talk.ask("start", positions={"length": 0})


def test_an_interrupt_is_answered(talk, monkeypatch):
    talk.ask("start", positions={"forget_bias": 1, "length": 0})

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(talk.widget._races["a"], "take", interrupted)
    answer = run(talk, 5)
    assert answer["error"] == "The training was interrupted: press Train to begin again."
    talk.ask("start", positions={"forget_bias": 1, "length": 0})
    assert run(talk, 1)["taken"] == 1


def test_gradients_that_are_no_numbers_can_be_sent(monkeypatch):
    def begin():
        return Adding(40), {"RNN": RNN(2, 8, 1, nonlinearity="relu", spectral_radius=30.0)}

    talk = Talk(make(begin, optimizer="sgd", clip=None), monkeypatch)
    talk.ask("start", positions={})
    values = []
    while len(values) < 10:
        values += run(talk, 10, rate=1e30)["values"][0]
    assert None in values


def test_plotly_is_sent_when_asked_for(talk):
    talk.widget._handle_custom_msg("plotly", [])
    ((message, buffers),) = talk.sent
    assert message == {"kind": "plotly"} and len(buffers[0]) > 1_000_000


def test_out_of_a_book_it_is_a_widget_and_in_it_a_record(book, monkeypatch):
    live = make()
    data = live._repr_mimebundle_()
    assert data["text/plain"] == "race: Two models on one task."
    spec = data[LIVE_MIME]
    assert spec["steps"] == 4 and spec["rate"] == 0.003 and spec["controls"] == []
    monkeypatch.delenv(BOOK_VARIABLE)
    data, _ = make()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data and LIVE_MIME not in data
    assert live_module.VIEWS[0] == "metric"
