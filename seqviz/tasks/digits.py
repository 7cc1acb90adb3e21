"""Handwritten digits read pixel by pixel: real data for models that read one step at a time."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from seqviz.tasks.task import Batch, DataTask

TEST = 360  # a fifth of the 1,797 images


@dataclass(frozen=True)
class Digits(DataTask):
    """Name a handwritten digit after reading its 64 pixels, row by row, one a time step.

    The 1,797 images of 8 x 8 pixels that scikit-learn carries (Alpaydin and Kaynak 1998): a small
    relative of sequential MNIST (Le, Jaitly and Hinton 2015, section 4.2), which has 784 pixels.
    The split into 1,437 images for training and 360 held out is always the same.

    inputs (batch, 64, 1) from 0 to 1, targets: the digit (batch,).
    Raises ImportError if scikit-learn is not installed.
    """

    name: ClassVar[str] = "digits"
    metric: ClassVar[str] = "accuracy"
    chance: ClassVar[float] = 0.1
    target: ClassVar[float] = 0.9
    input_size: ClassVar[int] = 1
    output_size: ClassVar[int] = 10
    length: ClassVar[int] = 64

    @cached_property
    def _parts(self) -> tuple[Batch, Batch]:
        inputs, targets = _images()
        order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))
        parts = order[TEST:], order[:TEST]
        training, held_out = (Batch(inputs[part], targets[part]) for part in parts)
        return training, held_out


def _images() -> tuple[Tensor, Tensor]:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ImportError("The digits come with scikit-learn: pip install scikit-learn.") from None
    data = load_digits()
    inputs = torch.tensor(data.data / 16, dtype=torch.float32).unsqueeze(-1)  # (image, 64, 1)
    return inputs, torch.tensor(data.target, dtype=torch.int64)
