"""Small models and tasks, one of each kind, whose training steps several tests compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

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


class FlatAdding(Adding):
    """The adding problem for a network that reads all steps at once."""

    input_size = 20

    def batch(self, batch_size: int, seed: int) -> Batch:
        drawn = super().batch(batch_size, seed)
        return Batch(drawn.inputs.flatten(1), drawn.targets)


class FewPixels(Digits):
    """Rows 3 and 4 of each digit."""

    length = 16

    def training_part(self) -> Batch:
        part = super().training_part()
        return Batch(part.inputs[:, 16:32].contiguous(), part.targets)

    def batch(self, batch_size: int, seed: int) -> Batch:
        drawn = super().batch(batch_size, seed)
        return Batch(drawn.inputs[:, 16:32].contiguous(), drawn.targets)


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
    return Order(length=12, vocabulary_size=60)


INPUTS = ("input_grad_norm",)
CASES = {
    "RNN": Case(Adding(12), lambda: RNN(2, 8, 1, seed=1), ("state_grad_norm", *INPUTS)),
    "RNN, ReLU, identity, no clip": Case(
        Adding(12), lambda: RNN(2, 8, 1, nonlinearity="relu", start="identity"), clip=None, sgd=0.01
    ),
    "LSTM": Case(
        Adding(12), lambda: LSTM(2, 8, 1, forget_bias=3.0), ("state_grad_norm", "gates.forget_gate")
    ),
    "GRU": Case(
        FirstToken(8), lambda: GRU(8, 8, 4), ("state_grad_norm", "gates.update_gate", *INPUTS)
    ),
    "LSTM, copy": Case(CopyMemory(12, 3, 2), lambda: LSTM(4, 8, 6)),
    "GRU, tokens": Case(order(), lambda: GRU(60, 8, 2)),
    "LSTM, pixels": Case(FewPixels(), lambda: LSTM(1, 8, 10)),
    "TCN": Case(Adding(12), lambda: TCN(2, 8, 1, kernel_size=3, depth=3), INPUTS),
    "TCN, no shortcuts": Case(
        FewPixels(), lambda: TCN(1, 6, 10, kernel_size=4, depth=2, residual=False), INPUTS
    ),
    "WaveNet": Case(Adding(12), lambda: WaveNet(2, 8, 1, depth=3), ("gates.gate_3", *INPUTS)),
    "Transformer": Case(
        Adding(12), lambda: Transformer(2, 8, 1, heads=2, layers=2), ("attention", *INPUTS)
    ),
    "Transformer, learned positions, causal": Case(
        FirstToken(8),
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
DATES = Case(Dates(), lambda: Seq2Seq(Dates().input_size, 8, embedding_size=8), ("state_grad_norm", "attention"))  # fmt: skip


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
