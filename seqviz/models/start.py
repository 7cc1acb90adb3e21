"""How weights begin: as torch draws them, but from a generator that is passed in."""

import math

import torch
from torch import nn


def uniform(*shape: int, width: int, generator: torch.Generator) -> nn.Parameter:
    """Return a parameter of this shape, uniform in ±1/√width, as torch's layers begin."""
    bound = 1 / math.sqrt(width)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))


def linear_head(input_size: int, output_size: int, generator: torch.Generator) -> nn.Linear:
    """Return a linear layer that begins as torch's, from `generator` alone."""
    # skip_init: nn.Linear would otherwise draw from the global random numbers of the reader.
    head = nn.utils.skip_init(nn.Linear, input_size, output_size)
    head.weight = uniform(output_size, input_size, width=input_size, generator=generator)
    head.bias = uniform(output_size, width=input_size, generator=generator)
    return head
