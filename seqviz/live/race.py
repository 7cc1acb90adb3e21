"""A training of one or more models side by side, on the same batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seqviz.explore.controls import shown
from seqviz.explore.grid import figure_json, plain
from seqviz.plots import live as pictures
from seqviz.step import TrainingStep
from seqviz.tasks import Batch, Task

LOOKS = {
    "RNN": "rnn", "LSTM": "lstm", "GRU": "gru", "TCN": "tcn", "WaveNet": "wavenet",
    "Transformer": "transformer", "BagOfWords": "bag", "NGrams": "ngrams",
}  # fmt: skip
NO_INTERNALS = ("new_state", "loss", "accuracy", "grad_norm")


class Race:
    """Models that take their steps together, each one a `TrainingStep` with a state of its own.

    `views` name the pictures that follow, and so decide what the steps record. `rate` is the
    learning rate; `seed` chooses the batches, as in `seqviz.steps`.
    Raises TypeError if there is no task, or no model with a label.
    """

    def __init__(
        self, task: Task, models: Mapping[str, nn.Module], *, rate: float, seed: int,
        views: Sequence[str], batch_size: int, optimizer: str, clip: float | None,
    ) -> None:  # fmt: skip
        if not isinstance(task, Task) or not isinstance(models, Mapping) or not models:
            raise TypeError(
                "The start function must return a task and a dictionary from label to model, "
                f"not {shown((task, models))}."
            )
        self.task, self.models, self.rate, self.seed = task, dict(models), rate, seed
        self.views, self.batch_size, self.taken = tuple(views), batch_size, 0
        with torch.no_grad():
            one = task.batch(1, seed=0).inputs
            outputs = {label: model(one) for label, model in self.models.items()}
        recurrent = all(output.hidden_states for output in outputs.values())
        # Of different insides only the gradient at the inputs can be compared.
        self.quantity = "state_grad_norm" if recurrent else "input_grad_norm"
        self.gates = {label: _gate(output.gates) for label, output in outputs.items()}
        self.units = {label: next((g.shape[2] for g in output.gates.values()), 0)
                      for label, output in outputs.items()}  # fmt: skip
        self.length = (one[0] if isinstance(one, tuple) else one).shape[1]
        self.steps = {}
        for label, model in self.models.items():
            record = {
                "gradient": self.quantity, "gradient map": self.quantity,
                "gates": self.gates[label],
                "attention": None if outputs[label].attention is None else "attention",
            }  # fmt: skip
            names = dict.fromkeys(record.get(view) for view in self.views)
            self.steps[label] = TrainingStep(
                model, task, optimizer=optimizer, clip=clip, record=tuple(filter(None, names))
            )
        self.looks = {label: LOOKS.get(type(m).__name__, "") for label, m in self.models.items()}
        self.states = {label: step.start() for label, step in self.steps.items()}

    def batch(self) -> Batch:
        """Draw the batch of the next step: the one that `seqviz.steps` would take."""
        return self.task.batch(self.batch_size, seed=1_000_000 * (self.seed + 1) + self.taken)

    def take(self) -> list[dict[str, Tensor]]:
        """Take one step with every model and return what each measured before its update."""
        batch, rate = self.batch(), torch.tensor(self.rate)
        pair = isinstance(batch.inputs, tuple)
        words = "attention" in self.views and not pair and batch.inputs.dtype == torch.int64
        results = [
            step(self.states[label], batch.inputs, batch.targets, rate)
            for label, step in self.steps.items()
        ]
        self.states = {label: r["new_state"] for label, r in zip(self.steps, results)}
        self.taken += 1
        if words:  # the first sequence, for a picture that shows its words
            results = [{**result, "tokens": batch.inputs[0]} for result in results]
        return results

    def facts(self) -> dict:
        """What the front end needs to know of the race: labels, landmarks and empty pictures."""
        words = getattr(self.task, "vocabulary", None)
        return {
            "labels": list(self.models), "metric": self.task.metric, "chance": self.task.chance,
            "target": self.task.target, "quantity": self.quantity, "views": self.pictures(),
            "words": list(words) if words and "attention" in self.views else None,
        }  # fmt: skip

    def pictures(self) -> list[dict]:
        """The empty pictures, each with its kind, its run if it shows one alone, and quantity."""
        looks = pictures.looks(self.looks)
        of_inputs = self.quantity == "input_grad_norm"
        found: list[tuple[str, int | None, str | None, Any]] = []
        for view in self.views:
            if view == "metric":
                task = self.task
                figure = pictures.live_metric(looks, task.metric, task.chance, task.target)
                found.append((view, None, None, figure))
            elif view == "gradient":
                figure = pictures.live_gradient(looks, of_inputs, self.length)
                found.append((view, None, self.quantity, figure))
            for run, (look, (label, step)) in enumerate(zip(looks, self.steps.items())):
                if view == "gradient map":
                    figure = pictures.live_gradient_map(look, of_inputs, self.length)
                    found.append((view, run, self.quantity, figure))
                elif view == "gates" and self.gates[label]:
                    name = self.gates[label].removeprefix("gates.").replace("_", " ")
                    figure = pictures.live_gate(look, name, self.length, self.units[label])
                    found.append((view, run, self.gates[label], figure))
                elif view == "attention" and "attention" in step.record:
                    figure = pictures.live_attention(look, self.length)
                    found.append((view, run, view, figure))
        return [
            {"kind": kind, "run": run, "quantity": quantity, "figure": plain(figure_json(figure))}
            for kind, run, quantity, figure in found
        ]


def value(measured: Mapping[str, Tensor]) -> Tensor:
    """The task's metric of a step."""
    return measured.get("accuracy", measured["loss"])


def internals(measured: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a step recorded beside its loss."""
    return {name: tensor for name, tensor in measured.items() if name not in NO_INTERNALS}


def _gate(gates: Mapping[str, Tensor]) -> str | None:
    """The gate that is worth watching: what keeps a memory, or the last of a stack."""
    for name in ("forget_gate", "update_gate", *reversed(gates)):
        if name in gates:
            return f"gates.{name}"
    return None
