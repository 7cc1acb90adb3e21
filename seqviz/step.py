"""One training step as a function of tensors: PyTorch runs it, and so does a browser."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seqviz.models.output import check_choice
from seqviz.probes import norm_per_step
from seqviz.tasks.task import Task
from seqviz.training import Optimizer

RECORDABLE = ("state_grad_norm", "input_grad_norm", "attention")  # and gates by name
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # Adam's, as in torch


class TrainingStep:
    """A model, its task's loss and its optimizer as one function without memory of its own.

        new state, loss, … = step(state, inputs, targets, learning_rate)

    The state is one float32 vector: the parameters one after the other, then, for Adam, the mean
    and the mean square of their gradients and the number of steps taken (Kingma and Ba 2015,
    algorithm 1). Gradients are clipped as in `seqviz.steps`, and the batches may be the same; then
    the step does what a step of `seqviz.steps` does, to rounding.

    `record` names what the step returns besides: "state_grad_norm", "input_grad_norm",
    "attention", or a gate as "gates.forget_gate"; what the model does not have is left out.
    Raises ValueError for an unknown optimizer or record, or a model with dropout, whose masks are
    random numbers that no function of tensors holds.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        *,
        optimizer: Optimizer = "adam",
        clip: float | None = 1.0,
        record: Sequence[str] = ("state_grad_norm",),
    ) -> None:
        check_choice("optimizer", optimizer, ("adam", "sgd"))
        for name in record:
            if not name.startswith("gates."):
                check_choice("record", name, RECORDABLE)
        if clip is not None and not 0 < clip < math.inf:
            raise ValueError(f"clip must be a positive, finite number or None, got {clip}.")
        if any(getattr(part, "dropout", 0) for part in model.modules()):
            raise ValueError("A model with dropout has no training step as a function of tensors.")
        self.model, self.task, self.optimizer, self.clip = model, task, optimizer, clip
        self.record = tuple(record)
        self.shapes = {name: p.shape for name, p in model.named_parameters()}
        self.sizes = [shape.numel() for shape in self.shapes.values()]

    def start(self, model: nn.Module | None = None) -> Tensor:
        """Return the state (size,) with which training begins, from this model's parameters.

        Raises ValueError if the model has other parameters than the one the step was made of.
        """
        model = self.model if model is None else model
        if {name: p.shape for name, p in model.named_parameters()} != self.shapes:
            raise ValueError("The model must have the same parameters as that of the step.")
        flat = torch.cat([p.detach().float().flatten() for p in model.parameters()])
        moments = 2 * flat.numel() + 1 if self.optimizer == "adam" else 0
        return torch.cat([flat, flat.new_zeros(moments)])

    def parameters(self, state: Tensor) -> dict[str, Tensor]:
        """Cut the parameters out of a state, by name and in their shapes."""
        pieces = state[: sum(self.sizes)].split(self.sizes)
        return {
            name: piece.view(shape) for (name, shape), piece in zip(self.shapes.items(), pieces)
        }

    def __call__(
        self,
        state: Tensor,
        inputs: Tensor | tuple[Tensor, ...],
        targets: Tensor,
        learning_rate: Tensor,
    ) -> dict[str, Tensor]:
        """Take one step; everything but the new state is measured before the update.

        state (size,), inputs and targets as in the task's `Batch`, learning_rate a scalar tensor.
        Returns state (size,); loss, score and grad_norm, the norm before clipping, scalars; and of
        what is recorded
            state_grad_norm   (time,) ‖∂L/∂h_t‖ over batch and hidden
            input_grad_norm   (time,) ‖∂L/∂x_t‖ over batch and input
            gates.name        (time, hidden), of the first sequence
            attention         (head, query, key), of the first sequence in the last layer
        """
        with torch.enable_grad():
            return self._step(state, inputs, targets, learning_rate)

    def _step(self, state, inputs, targets, learning_rate):
        total = sum(self.sizes)
        parameters = {n: p.detach().requires_grad_() for n, p in self.parameters(state).items()}
        vectors = isinstance(inputs, Tensor) and inputs.is_floating_point()
        wants_inputs = "input_grad_norm" in self.record and vectors
        if wants_inputs:
            inputs = inputs.detach().requires_grad_()
        output = torch.func.functional_call(self.model, parameters, (inputs,))
        loss = self.task.loss(output.prediction, targets)
        states = list(output.hidden_states) if "state_grad_norm" in self.record else []
        asked = [*parameters.values(), *states, *([inputs] if wants_inputs else [])]
        gradients = torch.autograd.grad(loss, asked, materialize_grads=True)

        gradient = torch.cat([g.flatten() for g in gradients[: len(parameters)]])
        norm = torch.sqrt((gradient * gradient).sum())
        if self.clip is not None:
            gradient = gradient * torch.clamp(self.clip / (norm + 1e-6), max=1.0)
        result = {
            "new_state": self._update(state.detach(), gradient, learning_rate, total),
            "loss": loss.detach(),
            "grad_norm": norm,
        }
        if self.task.metric == "accuracy":
            result["accuracy"] = self.task.measure(output.prediction.detach(), targets).float()
        if states:
            by_state = gradients[len(parameters) : len(parameters) + len(states)]
            result["state_grad_norm"] = norm_per_step(by_state).float()
        if wants_inputs:
            squares = gradients[-1].double().square()
            result["input_grad_norm"] = squares.sum((0, 2)).sqrt().float()
        for name, gate in output.gates.items():
            if f"gates.{name}" in self.record:
                result[f"gates.{name}"] = gate[0].detach()
        if "attention" in self.record and output.attention is not None:
            result["attention"] = output.attention[0, -1].detach()
        return result

    def _update(self, state: Tensor, gradient: Tensor, rate: Tensor, total: int) -> Tensor:
        if self.optimizer == "sgd":
            return state - rate * gradient
        flat, mean, square, taken = state.split([total, total, total, 1])
        taken = taken + 1
        mean = mean + (gradient - mean) * (1 - BETA_1)
        square = BETA_2 * square + (1 - BETA_2) * gradient * gradient
        # In float64: 1 - 0.999 would keep four digits of float32. And as a tensor: the exporter
        # turns a number of Python into a float32.
        betas = torch.tensor([BETA_1, BETA_2], dtype=torch.float64)
        first, second = (1 - betas ** taken.double()).float().split(1)
        step = mean / first / (torch.sqrt(square) / torch.sqrt(second) + EPSILON)
        return torch.cat([flat - rate * step, mean, square, taken])
