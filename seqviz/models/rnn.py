"""The simple recurrent network: one equation, repeated at every time step (Elman 1990)."""

import math
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqviz.models.output import Output, check_choice, check_sequences, check_sizes, check_states
from seqviz.models.start import linear_head, uniform

Nonlinearity = Literal["tanh", "sigmoid", "relu"]
Start = Literal["default", "gaussian", "orthogonal", "identity"]


class RNN(nn.Module):
    """A recurrent network whose last hidden state is read by a linear head.

        h_t = φ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)        (Elman 1990; h_0 = 0)
        prediction = W_head h_T + b_head

    `start` says how the recurrent matrix weight_hh begins, everything else beginning as in torch:
        "default"      uniform in ±1/√hidden, as `torch.nn.RNN`
        "gaussian"     normal with variance 1/hidden: the eigenvalues fill the unit disc, so the
                       spectral radius is close to 1 (circular law; Ginibre 1965)
        "orthogonal"   a random rotation: every singular value is 1 (Saxe et al. 2013)
        "identity"     the identity, with both biases zero: the IRNN, if nonlinearity="relu" (Le,
                       Jaitly and Hinton 2015). The paper also draws weight_ih from a
                       normal of standard deviation 0.001. It keeps torch's larger values here:
                       with those it learns the adding problem of 50 steps several times sooner
    If `spectral_radius` is given, weight_hh is then rescaled to it. All values come from `seed`
    alone, and weight_hh is drawn last: two starts of one seed share all other weights.

    weight_ih (hidden, input), weight_hh (hidden, hidden), bias_ih and bias_hh (hidden,),
    head: nn.Linear(hidden, output).
    Raises ValueError for an unknown `nonlinearity` or `start`, a size below 1, or a spectral radius
    that is negative or not finite.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        *,
        nonlinearity: Nonlinearity = "tanh",
        start: Start = "default",
        spectral_radius: float | None = None,
        seed: int = 0,
    ) -> None:
        check_sizes(input_size=input_size, hidden_size=hidden_size, output_size=output_size)
        check_choice("nonlinearity", nonlinearity, get_args(Nonlinearity))
        check_choice("start", start, get_args(Start))
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.nonlinearity = nonlinearity
        self.phi = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "relu": torch.relu}[nonlinearity]

        generator = torch.Generator().manual_seed(seed)
        drawn = partial(uniform, width=hidden_size, generator=generator)
        self.weight_ih = drawn(hidden_size, input_size)
        self.bias_ih = drawn(hidden_size)
        self.bias_hh = drawn(hidden_size)
        self.head = linear_head(hidden_size, output_size, generator)
        self.weight_hh = drawn(hidden_size, hidden_size)

        with torch.no_grad():
            if start == "gaussian":
                self.weight_hh.normal_(0, 1 / math.sqrt(hidden_size), generator=generator)
            elif start == "orthogonal":
                nn.init.orthogonal_(self.weight_hh, generator=generator)
            elif start == "identity":
                nn.init.eye_(self.weight_hh)
                self.bias_ih.zero_()
                self.bias_hh.zero_()
            if spectral_radius is not None:
                self.weight_hh.copy_(scale_to_spectral_radius(self.weight_hh, spectral_radius))

    def cell(self, x_t: Tensor, state: Tensor) -> Tensor:
        """Take one time step: h_t = φ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).

        x_t is (batch, input), or tokens (batch,); state h_{t-1} and the result are (batch, hidden).
        """
        if x_t.dtype == torch.int64:  # W_ih times a one-hot vector is a column of W_ih
            from_input = self.weight_ih.T[x_t] + self.bias_ih
        else:
            from_input = functional.linear(x_t, self.weight_ih, self.bias_ih)
        return self.phi(from_input + functional.linear(state, self.weight_hh, self.bias_hh))

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> Output:
        """Read a sequence one step at a time and predict from the last hidden state.

        inputs   (batch, time, input) of the weights' type, or int64 tokens (batch, time)
        state    (batch, hidden), zeros if None
        returns  prediction (batch, output), and one hidden state (batch, hidden) a time step
        Raises TypeError or ValueError for inputs or a state of another type or shape.
        """
        check_sequences(inputs, self.input_size, self.weight_ih.dtype)
        expected = (len(inputs), self.hidden_size)
        if state is None:
            state = self.weight_hh.new_zeros(expected)
        check_states((state,), ("state",), expected, self.weight_hh.dtype)

        hidden_states = []
        for x_t in inputs.unbind(1):
            state = self.cell(x_t, state)
            hidden_states.append(state)
        return Output(self.head(state), tuple(hidden_states))


def spectral_radius(weight: Tensor) -> float:
    """Return the largest absolute eigenvalue of a (hidden, hidden) matrix, found in float64.

    Raises ValueError if `weight` is not a square matrix of finite numbers.
    """
    check_square(weight)
    return torch.linalg.eigvals(weight.detach().double()).abs().max().item()


def scale_to_spectral_radius(weight: Tensor, radius: float) -> Tensor:
    """Return `weight` (hidden, hidden) times the number that gives it this spectral radius.

    Raises ValueError if `radius` is negative or not finite, or if the radius of `weight` is zero.
    """
    if not (math.isfinite(radius) and radius >= 0):
        raise ValueError(f"spectral_radius must be a finite number of at least 0, got {radius}.")
    current = spectral_radius(weight)
    if current == 0:
        raise ValueError("A matrix with a spectral radius of 0 cannot be scaled to another one.")
    return (weight.detach().double() * (radius / current)).to(weight.dtype)


def check_square(weight: Tensor) -> None:
    """Check that a matrix is (hidden, hidden) and finite; raises ValueError if it is not."""
    square = weight.dim() == 2 and weight.shape[0] == weight.shape[1] and len(weight) > 0
    if not square or not torch.isfinite(weight).all():
        raise ValueError(
            "weight must be a square matrix (hidden, hidden) of finite numbers, "
            f"got the shape {tuple(weight.shape)}{' with non-finite numbers' if square else ''}."
        )
