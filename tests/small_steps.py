"""Small models and tasks, one of each kind, whose training steps several tests compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import onnxruntime
import torch
from torch import Tensor, nn

from seqviz.export import to_onnx
from seqviz.models import (
    GRU,
    LSTM,
    RNN,
    TCN,
    BagOfWords,
    FeedForward,
    NGrams,
    Seq2Seq,
    Transformer,
    WaveNet,
)
from seqviz.step import TrainingStep
from seqviz.tasks import Adding, Batch, CopyMemory, Dates, Digits, FirstToken, Order, Task
from seqviz.training import steps

BATCH, SEED = 8, 3
BOUND = {"sgd": 1e-5, "adam": 5e-5}  # relative, in float32, over 20 steps


class FlatAdding(Adding):
    """The adding problem for a network that reads all steps at once."""

    input_size = 20  # 2 numbers at each of 10 steps

    def batch(self, batch_size: int, seed: int) -> Batch:
        drawn = super().batch(batch_size, seed)
        return Batch(drawn.inputs.flatten(1), drawn.targets)


class FewPixels(Digits):
    """The third row of each digit."""

    length = 8

    def training_part(self) -> Batch:
        part = super().training_part()
        return Batch(part.inputs[:, 16:24].contiguous(), part.targets)

    def batch(self, batch_size: int, seed: int) -> Batch:
        drawn = super().batch(batch_size, seed)
        return Batch(drawn.inputs[:, 16:24].contiguous(), drawn.targets)


@dataclass(frozen=True)
class Case:
    """One model on one task, what its step records, and a learning rate for each optimizer."""

    task: Task
    model: Callable[[], nn.Module]
    record: tuple[str, ...] = ("state_grad_norm",)
    sgd: float = 0.1
    adam: float = 0.01
    clip: float | None = 1.0

    def step(self, optimizer: str, **settings) -> TrainingStep:
        given = {"clip": self.clip, "record": self.record} | settings
        return TrainingStep(self.model(), self.task, optimizer=optimizer, **given)

    def rate(self, optimizer: str) -> float:
        return {"sgd": self.sgd, "adam": self.adam}[optimizer]

    def batch(self, number: int) -> Batch:
        return self.task.batch(BATCH, seed=1_000_000 * (SEED + 1) + number)


def order() -> Order:
    return Order(length=8, vocabulary_size=60)


INPUTS = ("input_grad_norm",)
CASES = {
    "RNN": Case(Adding(8), lambda: RNN(2, 8, 1, seed=1), ("state_grad_norm", *INPUTS)),
    "RNN, ReLU, identity, no clip": Case(
        Adding(8), lambda: RNN(2, 8, 1, nonlinearity="relu", start="identity"), clip=None, sgd=0.01
    ),
    "LSTM": Case(
        Adding(8), lambda: LSTM(2, 8, 1, forget_bias=3.0), ("state_grad_norm", "gates.forget_gate")
    ),
    "GRU": Case(
        FirstToken(6), lambda: GRU(8, 8, 4), ("state_grad_norm", "gates.update_gate", *INPUTS)
    ),
    "LSTM, copy": Case(CopyMemory(8, 3, 2), lambda: LSTM(4, 8, 6)),
    "GRU, tokens": Case(order(), lambda: GRU(60, 8, 2)),
    "LSTM, pixels": Case(FewPixels(), lambda: LSTM(1, 8, 10)),
    "TCN": Case(Adding(8), lambda: TCN(2, 8, 1, kernel_size=3, depth=3), INPUTS),
    "TCN, no shortcuts": Case(
        FewPixels(), lambda: TCN(1, 6, 10, kernel_size=4, depth=2, residual=False), INPUTS
    ),
    "WaveNet": Case(Adding(8), lambda: WaveNet(2, 8, 1, depth=3), ("gates.gate_3", *INPUTS)),
    "Transformer": Case(
        Adding(8), lambda: Transformer(2, 8, 1, heads=2, layers=2), ("attention", *INPUTS),
        sgd=0.02,
    ),
    "Transformer, learned positions, causal": Case(
        FirstToken(6),
        lambda: Transformer(8, 8, 4, heads=2, positions="learned", max_length=20, causal=True),
        ("attention", *INPUTS),
    ),
    "Transformer, tokens": Case(
        order(), lambda: Transformer(60, 8, 2, heads=2), ("attention",)
    ),
    "Transformer, tokens, causal": Case(
        order(), lambda: Transformer(60, 8, 2, heads=2, causal=True), ("attention",)
    ),
    "FeedForward": Case(
        FlatAdding(10), lambda: FeedForward(20, 8, 1, layers=4, kind="residual"), sgd=0.02
    ),
    "BagOfWords": Case(order(), lambda: BagOfWords(60, 2), ()),
    "NGrams": Case(order(), lambda: NGrams(60, 2, buckets=128), ()),
}  # fmt: skip
# Dates pads each batch to the longest of its sentences: a graph of fixed shapes holds one batch.
FRENCH = Dates(targets=("French",))
DATES = Case(
    FRENCH,
    lambda: Seq2Seq(FRENCH.input_size, 8, embedding_size=8),
    ("state_grad_norm", "attention"),
)


def eager(case: Case, optimizer: str, count: int) -> tuple[list, Tensor]:
    """The steps that `seqviz.steps` takes with torch's optimizer, and the parameters after them."""
    model = case.model()
    taken = list(
        steps(
            model, case.task, steps=count, learning_rate=case.rate(optimizer), batch_size=BATCH,
            optimizer=optimizer, clip=case.clip, seed=SEED,
        )
    )  # fmt: skip
    return taken, torch.cat([p.detach().flatten() for p in model.parameters()])


def take(case: Case, step: TrainingStep, count: int, run: Callable | None = None) -> list[dict]:
    """What `count` steps return, in PyTorch or in what `run` does with the same four tensors."""
    state, rate, results = step.start(), torch.tensor(case.rate(step.optimizer)), []
    for number in range(count):
        batch = case.batch(number)
        results.append((run or step)(state, batch.inputs, batch.targets, rate))
        state = results[-1]["new_state"]
    return results


def apart(ours: Tensor, theirs: Tensor) -> float:
    """How far two tensors are from each other, against the length of the second."""
    difference = (ours.double() - theirs.double()).norm()
    return (difference / theirs.double().norm()).item() if difference else 0.0


NAMES = ("state", "inputs", "targets", "learning_rate")


@cache
def exported(name: str, optimizer: str) -> bytes:
    """The step of a case as an ONNX file; kept, since several tests run it."""
    case = CASES[name]
    step, batch = case.step(optimizer), case.batch(0)
    rate = torch.tensor(case.rate(optimizer))
    values = (step.start(), batch.inputs, batch.targets, rate)
    return to_onnx(step, dict(zip(NAMES, values)))


def runner(file: bytes) -> Callable[..., dict[str, Tensor]]:
    """A function of tensors, in their order, that onnxruntime computes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    kept = {value.name for value in session.get_inputs()}

    def run(*values: Tensor, names_in: tuple[str, ...] = NAMES) -> dict[str, Tensor]:
        feeds = {n: v.numpy() for n, v in zip(names_in, values) if n in kept}
        return {n: torch.from_numpy(v) for n, v in zip(names, session.run(None, feeds))}

    return run


def key_biases(step: TrainingStep) -> Tensor:
    """Where in the parameters of a state the biases of an attention's keys are."""
    found = []
    for (name, shape), size in zip(step.shapes.items(), step.sizes):
        third = shape.numel() // 3
        mark = torch.zeros(size, dtype=torch.bool)
        if name.endswith("in_proj_bias"):
            mark[third : 2 * third] = True
        found.append(mark)
    return torch.cat(found)


def compare(ours: list[dict], theirs: list[dict], step: TrainingStep, rate: float) -> None:
    """Assert that two runs of one step agree after 1 and 20 steps, in all that they return.

    Adam divides a gradient by its own size: where it is nothing but rounding, so is the step. That
    is the bias of the keys in an attention, whose true gradient is 0 (a softmax does not see what
    is added to all of its scores). It wanders by up to the learning rate a step, and changes
    nothing else.
    """
    total, noise = sum(step.sizes), key_biases(step)
    wanders, bound = noise.any() and step.optimizer == "adam", BOUND[step.optimizer]
    for count in (1, 20):
        for found, wanted in zip(ours[:count], theirs[:count], strict=True):
            assert set(found) == set(wanted)
            for name, value in wanted.items():
                assert found[name].shape == value.shape, name
                if name != "new_state":
                    assert apart(found[name], value) < bound, f"{name} after {count} steps"
        found, wanted = (run[count - 1]["new_state"] for run in (ours, theirs))
        assert apart(found[:total][~noise], wanted[:total][~noise]) < bound
        assert (found[:total] - wanted[:total]).abs().max() < count * rate
        if not wanders:
            assert apart(found, wanted) < bound  # what the optimizer remembers, too
