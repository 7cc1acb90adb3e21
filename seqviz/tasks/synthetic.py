"""Synthetic tasks that ask how long a network can remember."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from seqviz.tasks.task import Batch, Task, check_whole, generator


@dataclass(frozen=True)
class FirstToken(Task):
    """Recall the first symbol of a sequence after `length - 1` steps of noise.

    The first input is one of `symbols` one-hot symbols; each later one is drawn from `distractors`
    other symbols (1 makes them all the same blank). After the latching problem of Bengio, Simard
    and Frasconi (1994).

    inputs (batch, time, symbols + distractors), targets: the class of the first symbol (batch,).
    Raises ValueError if `length` or `distractors` is below 1, or `symbols` below 2.
    """

    length: int
    symbols: int = 4
    distractors: int = 4

    name: ClassVar[str] = "first token"
    metric: ClassVar[str] = "accuracy"
    target: ClassVar[float] = 0.95

    def __post_init__(self) -> None:
        check_whole("length", self.length, at_least=1)
        check_whole("symbols", self.symbols, at_least=2)
        check_whole("distractors", self.distractors, at_least=1)

    @property
    def input_size(self) -> int:
        """Symbols and distractors together."""
        return self.symbols + self.distractors

    @property
    def output_size(self) -> int:
        """One class a symbol."""
        return self.symbols

    @property
    def chance(self) -> float:
        """The accuracy of always naming the same symbol."""
        return 1 / self.symbols

    def batch(self, batch_size: int, seed: int) -> Batch:
        """Draw inputs (batch, time, input) and the first symbols (batch,)."""
        source = generator(batch_size, seed)
        first = torch.randint(self.symbols, (batch_size, 1), generator=source)
        noise = torch.randint(
            self.symbols, self.input_size, (batch_size, self.length - 1), generator=source
        )
        tokens = torch.cat([first, noise], dim=1)  # (batch, time)
        return Batch(functional.one_hot(tokens, self.input_size).float(), first.squeeze(1))


@dataclass(frozen=True)
class Adding(Task):
    """Add the two marked numbers of a sequence: the adding problem.

    Each input holds a number from [0, 1) and a marker that is 1 at two steps, one in each half, and
    0 elsewhere. Always answering 1 gives a mean squared error of 1/6, the variance of the sum; from
    0.05, 70 % of that variance explained, the task counts as learned. Hochreiter and Schmidhuber
    (1997), section 5.4, in the form of Le, Jaitly and Hinton (2015), section 4.1.

    inputs (batch, time, 2), targets: the sum (batch, 1).
    Raises ValueError if `length` is below 2.
    """

    length: int

    name: ClassVar[str] = "adding"
    metric: ClassVar[str] = "mse"
    chance: ClassVar[float] = 1 / 6
    target: ClassVar[float] = 0.05
    input_size: ClassVar[int] = 2
    output_size: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_whole("length", self.length, at_least=2)

    def batch(self, batch_size: int, seed: int) -> Batch:
        """Draw inputs (batch, time, 2) and the sums (batch, 1)."""
        source = generator(batch_size, seed)
        numbers = torch.rand(batch_size, self.length, generator=source)
        half = self.length // 2
        in_first_half = torch.randint(0, half, (batch_size, 1), generator=source)
        in_second_half = torch.randint(half, self.length, (batch_size, 1), generator=source)
        marked = torch.cat([in_first_half, in_second_half], dim=1)  # (batch, 2)
        markers = torch.zeros_like(numbers).scatter(1, marked, 1.0)
        sums = numbers.gather(1, marked).sum(1, keepdim=True)
        return Batch(torch.stack([numbers, markers], dim=-1), sums)


@dataclass(frozen=True)
class CopyMemory(Task):
    """Recall a whole series of symbols after a long pause: the copy memory task.

    The first `items` inputs are symbols, all later ones are the same blank. The answer, after the
    last step, is the series: one class for each item. Hochreiter and Schmidhuber (1997) in the form
    of Bai, Kolter and Koltun (2018), section 5, where the series is said step by step; here it is
    said at once, for models that predict from the last step. The loss and the accuracy are means
    over the items.

    inputs (batch, time, symbols + 1), the blank last; targets: classes (batch, items); predictions
    (batch, items · symbols), an item after the other.
    Raises ValueError if `items` is below 1, `symbols` below 2 or `length` below `items`.
    """

    length: int
    symbols: int = 5
    items: int = 5

    name: ClassVar[str] = "copy memory"
    metric: ClassVar[str] = "accuracy"
    target: ClassVar[float] = 0.95

    def __post_init__(self) -> None:
        check_whole("items", self.items, at_least=1)
        check_whole("symbols", self.symbols, at_least=2)
        check_whole("length", self.length, at_least=self.items)

    @property
    def input_size(self) -> int:
        """The symbols and the blank."""
        return self.symbols + 1

    @property
    def output_size(self) -> int:
        """One class a symbol, for each item."""
        return self.items * self.symbols

    @property
    def chance(self) -> float:
        """The accuracy of guessing."""
        return 1 / self.symbols

    def batch(self, batch_size: int, seed: int) -> Batch:
        """Draw inputs (batch, time, input) and the series (batch, items)."""
        source = generator(batch_size, seed)
        items = torch.randint(self.symbols, (batch_size, self.items), generator=source)
        tokens = torch.full((batch_size, self.length), self.symbols)
        tokens[:, : self.items] = items
        return Batch(functional.one_hot(tokens, self.input_size).float(), items)

    def loss(self, prediction: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of an item (in nats), a scalar.

        prediction is (batch, items · symbols); raises ValueError for another shape.
        """
        expected = (len(targets), self.output_size)
        if prediction.shape != expected:
            raise ValueError(
                f"prediction must have the shape {expected}, got {tuple(prediction.shape)}."
            )
        return functional.cross_entropy(self._by_item(prediction), targets.flatten())

    def measure(self, prediction: Tensor, targets: Tensor) -> Tensor:
        """Return the share of right items (0 to 1), a scalar; raises ValueError as `loss` does."""
        self.loss(prediction, targets)
        return (self._by_item(prediction).argmax(-1) == targets.flatten()).double().mean()

    def _by_item(self, prediction: Tensor) -> Tensor:
        return prediction.reshape(-1, self.symbols)  # (batch · items, symbols)
