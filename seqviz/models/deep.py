"""A deep feed-forward network, plain or residual: a recurrent network's relative in depth."""

from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqviz.models.output import Output, check_choice, check_sizes, check_tensor
from seqviz.models.start import linear_head, uniform

Kind = Literal["plain", "residual"]


class FeedForward(nn.Module):
    """A stack of `layers` layers of one width, each with weights of its own.

        plain      h_l = tanh(W_l h_{l-1} + b_l)
        residual   h_l = h_{l-1} + tanh(W_l h_{l-1} + b_l)        (He et al. 2016)

    h_0 is the first layer's input: a linear map of x. The last h is read by a linear head. Weights
    begin as torch's nn.Linear, uniform in ±1/√hidden, and from `seed` alone.

    embed: (hidden, input), weight (layers, hidden, hidden), bias (layers, hidden),
    head: nn.Linear(hidden, output).
    Raises ValueError for an unknown `kind` or a size below 1.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        *,
        layers: int,
        kind: Kind = "plain",
        seed: int = 0,
    ) -> None:
        check_sizes(
            input_size=input_size, hidden_size=hidden_size, output_size=output_size, layers=layers
        )
        check_choice("kind", kind, get_args(Kind))
        super().__init__()
        self.input_size, self.kind = input_size, kind

        generator = torch.Generator().manual_seed(seed)

        drawn = partial(uniform, width=hidden_size, generator=generator)
        self.embed = drawn(hidden_size, input_size, width=input_size)
        self.weight = drawn(layers, hidden_size, hidden_size)
        self.bias = drawn(layers, hidden_size)
        self.head = linear_head(hidden_size, output_size, generator)

    def forward(self, inputs: Tensor) -> Output:
        """Predict from inputs (batch, input), of the weights' type.

        Returns prediction (batch, output), and as hidden_states one (batch, hidden) a layer.
        Raises TypeError or ValueError for inputs of another type or shape.
        """
        check_tensor("inputs", inputs, ("batch", self.input_size), self.weight.dtype)
        state = functional.linear(inputs, self.embed)
        hidden_states = []
        for weight, bias in zip(self.weight, self.bias):
            branch = torch.tanh(functional.linear(state, weight, bias))
            state = state + branch if self.kind == "residual" else branch
            hidden_states.append(state)
        return Output(self.head(state), tuple(hidden_states))
