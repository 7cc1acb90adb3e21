"""What every task offers: seeded batches, a loss, and a score with its two landmarks."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Batch:
    """A batch of sequences and what is to be said about each.

    inputs    (batch, time, input) float32, or tokens (batch, time) int64, or a pair of these for a
              task of translation
    targets   classes (batch,) int64, or numbers (batch, output) float32, or tokens (batch, time)
    """

    inputs: Tensor
    targets: Tensor


class Task:
    """Seeded batches with a loss and a score, and the scores of knowing nothing and of success.

    name          what the task is called in a figure
    metric        "accuracy" (higher is better) or "mse", the mean squared error (lower is better)
    chance        the score of knowing nothing
    target        the score from which the task counts as learned
    input_size    numbers in an input vector, or size of the vocabulary
    output_size   classes, or predicted numbers
    length        time steps
    """

    name: ClassVar[str]
    metric: ClassVar[str]
    chance: float
    target: float
    input_size: int
    output_size: int
    length: int

    def batch(self, batch_size: int, seed: int) -> Batch:
        """Draw a batch; the same task, batch size and seed always give the same one."""
        raise NotImplementedError

    def loss(self, prediction: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy (in nats) or the mean squared error, a scalar.

        prediction is (batch, output); raises ValueError for another shape.
        """
        expected = (len(targets), self.output_size)
        if prediction.shape != expected:  # (batch, 1) and (batch,) would broadcast to a wrong loss
            raise ValueError(
                f"prediction must have the shape {expected}, got {tuple(prediction.shape)}."
            )
        if self.metric == "accuracy":
            return functional.cross_entropy(prediction, targets)
        return functional.mse_loss(prediction, targets)

    def measure(self, prediction: Tensor, targets: Tensor) -> Tensor:
        """Return the share of right answers (0 to 1), or the mean squared error, a scalar.

        prediction is that of `loss`, which also says what is raised.
        """
        loss = self.loss(prediction, targets)
        if self.metric == "accuracy":
            return (prediction.argmax(-1) == targets).double().mean()
        return loss

    def score(self, prediction: Tensor, targets: Tensor) -> float:
        """Return what `measure` does, as a float."""
        return self.measure(prediction, targets).item()

    def learned(self, score: float) -> bool:
        """Say whether a score reaches the target."""
        return score >= self.target if self.metric == "accuracy" else score <= self.target


class DataTask(Task):
    """A task whose batches are drawn from one part of a data set; the rest is held out."""

    _parts: tuple[Batch, Batch]  # for training, and held out

    def batch(self, batch_size: int, seed: int) -> Batch:
        """Draw a batch from the training part; the same batch size and seed give the same one."""
        training, _ = self._parts
        chosen = torch.randint(
            len(training.targets), (batch_size,), generator=generator(batch_size, seed)
        )
        return Batch(training.inputs[chosen], training.targets[chosen])

    def training_part(self) -> Batch:
        """Return everything that `batch` draws from, in the order of its random numbers."""
        return self._parts[0]

    def held_out(self) -> Batch:
        """Return everything that `batch` never draws."""
        return self._parts[1]


def generator(batch_size: int, seed: int) -> torch.Generator:
    """Return a source of random numbers that depends on `seed` alone.

    Raises ValueError if `batch_size` is not a whole number of at least 1, or `seed` not one of at
    least 0.
    """
    check_whole("batch_size", batch_size, at_least=1)
    check_whole("seed", seed, at_least=0)
    return torch.Generator().manual_seed(seed)


def check_whole(name: str, value: int, at_least: int) -> None:
    """Check that a value is a whole number of at least `at_least`; raises ValueError if not."""
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise ValueError(f"{name} must be a whole number of at least {at_least}, got {value!r}.")
