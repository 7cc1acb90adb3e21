"""Training: one visible loop that streams its steps, and a record of them."""

import math
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from seqviz.models.output import check_choice
from seqviz.probes import norm_per_step
from seqviz.tasks.task import Batch, Task, check_whole
from seqviz.trace import Trace

Optimizer = Literal["adam", "sgd"]
RECORDABLE = ("state_grad_norm",)


@dataclass(frozen=True)
class Step:
    """One training step; everything is measured before its update of the weights.

    step              its number, from 0
    loss, score       on the batch of this step
    grad_norm         the L2 norm over all parameters, before clipping
    state_grad_norm   (time,) float64, ‖∂L/∂h_t‖, or None if this step was not recorded
    """

    step: int
    loss: float
    score: float
    grad_norm: float
    state_grad_norm: np.ndarray | None = None


def steps(
    model: nn.Module,
    task: Task,
    *,
    steps: int,
    learning_rate: float,
    batch_size: int = 32,
    optimizer: Optimizer = "adam",
    clip: float | None = 1.0,
    seed: int = 0,
    record_every: int = 1,
    record: tuple[str, ...] = RECORDABLE,
) -> Iterator[Step]:
    """Train a model in place and yield every step as it is taken.

    Gradients are scaled down to the norm `clip` where they exceed it (Pascanu, Mikolov and Bengio
    2013, algorithm 1), unless it is None. Every `record_every`-th step, the first included, records
    what `record` names; a model without hidden states records nothing. The batch of step k has the
    seed 1 000 000 (seed + 1) + k, so that seeds below a million are free for evaluation. Training
    ends early at a loss that is not finite: that step is yielded, but does not change the model.

    Raises ValueError for an unknown `optimizer` or name in `record`, or a number out of range.
    """
    check_whole("steps", steps, at_least=1)
    check_whole("batch_size", batch_size, at_least=1)
    check_whole("record_every", record_every, at_least=1)
    check_whole("seed", seed, at_least=0)
    check_choice("optimizer", optimizer, ("adam", "sgd"))
    for name in record:
        check_choice("record", name, RECORDABLE)
    for name, value in (("learning_rate", learning_rate), ("clip", clip)):
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} must be a positive, finite number, got {value}.")

    # Vanished gradients are denormal numbers, which are slow. torch.set_flush_denormal(True) would
    # make long backward passes several times faster, but it holds for the reader's whole process
    # and replaces the very gradients that are to be seen by 0: so it is not used here.
    parameters = [p for p in model.parameters() if p.requires_grad]
    update = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimizer](
        parameters, lr=learning_rate
    )
    model.train()
    for step in range(steps):
        batch = task.batch(batch_size, seed=1_000_000 * (seed + 1) + step)
        output = model(batch.inputs)
        loss = task.loss(output.prediction, batch.targets)

        recorded = "state_grad_norm" in record and step % record_every == 0
        states = list(output.hidden_states) if recorded else []
        # One backward pass for both; a parameter without influence has a gradient of zeros.
        gradients = torch.autograd.grad(loss, parameters + states, materialize_grads=True)
        for parameter, gradient in zip(parameters, gradients, strict=False):
            parameter.grad = gradient
        grad_norm = nn.utils.clip_grad_norm_(parameters, math.inf if clip is None else clip)

        finite = math.isfinite(loss.item())
        if finite:
            update.step()
        yield Step(
            step=step,
            loss=loss.item(),
            score=task.score(output.prediction.detach(), batch.targets),
            grad_norm=grad_norm.item(),
            state_grad_norm=norm_per_step(gradients[len(parameters) :]).numpy() if states else None,
        )
        if not finite:
            return


_stream = steps  # train has an argument of the name


def train(
    model: nn.Module,
    task: Task,
    *,
    steps: int,
    learning_rate: float,
    batch_size: int = 32,
    optimizer: Optimizer = "adam",
    clip: float | None = 1.0,
    seed: int = 0,
    record_every: int = 1,
    record: tuple[str, ...] = RECORDABLE,
    progress: bool | None = None,
    every: Callable[[Step], None] | None = None,
) -> Trace:
    """Train a model in place, as `steps` does, and return the record of the run.

    The trace holds loss, score and grad_norm (step,), and for models with hidden states
    state_grad_norm (recorded, time) with the numbers of its steps, recorded_step (recorded,).
    `every` is called with each step, for live plots. `progress` shows a bar; None shows it unless
    the environment variable SEQVIZ_BOOK is set. An interrupt, or a loss that is not finite, ends
    the run early: the trace so far is returned, and `about["stopped"]` says why.

    Raises ValueError as `steps` does.
    """
    settings = {
        "steps": steps,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "optimizer": optimizer,
        "clip": clip,
        "record_every": record_every,
    }
    if progress is None:
        progress = "SEQVIZ_BOOK" not in os.environ
    taken: list[Step] = []
    stopped = None
    with tqdm(total=steps, disable=not progress, unit="step") as bar:
        try:
            for step in _stream(model, task, **settings, seed=seed, record=record):
                taken.append(step)
                bar.update()
                bar.set_postfix({task.metric: f"{step.score:.3g}"}, refresh=False)
                if every is not None:
                    every(step)
        except KeyboardInterrupt:
            stopped = f"interrupted after {len(taken)} of {steps} steps"
    if taken and not math.isfinite(taken[-1].loss):
        stopped = f"the loss was not finite at step {taken[-1].step}"
    about = {
        "task": repr(task),
        "metric": task.metric,
        "model": type(model).__name__,
        "parameters": sum(p.numel() for p in model.parameters()),
        **settings,
        "stopped": stopped,
    }
    return _trace(taken, seed, about)


def evaluate(model: nn.Module, batch: Batch, task: Task) -> float:
    """Return the model's score on a batch, in the task's metric, without training on it."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        prediction = torch.cat([model(part).prediction for part in _parts(batch.inputs)])
    model.train(was_training)
    return task.score(prediction, batch.targets)


def _parts(inputs: Tensor | tuple[Tensor, ...]) -> Iterable[Tensor | tuple[Tensor, ...]]:
    """Inputs in parts of 64 sequences: a model returns every state and gate of what it reads."""
    if isinstance(inputs, tuple):
        return zip(*(part.split(64) for part in inputs), strict=True)
    return inputs.split(64)


def _trace(taken: list[Step], seed: int, about: dict) -> Trace:
    arrays = {
        "loss": np.array([step.loss for step in taken]),
        "score": np.array([step.score for step in taken]),
        "grad_norm": np.array([step.grad_norm for step in taken]),
    }
    axes = {name: ("step",) for name in arrays}
    recorded = [step for step in taken if step.state_grad_norm is not None]
    if recorded:
        arrays["recorded_step"] = np.array([step.step for step in recorded])
        arrays["state_grad_norm"] = np.stack([step.state_grad_norm for step in recorded])
        axes |= {"recorded_step": ("recorded",), "state_grad_norm": ("recorded", "time")}
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    return Trace(arrays, axes, seed=seed, versions=versions, about=about)
