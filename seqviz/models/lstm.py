"""The long short-term memory: a cell state that gates write, keep and read."""

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqviz.models.output import Output, check_sequences, check_sizes, check_states
from seqviz.models.start import linear_head, uniform

State = tuple[Tensor, Tensor]  # the hidden state h and the cell state c


class LSTM(nn.Module):
    """A long short-term memory whose last hidden state is read by a linear head.

        i_t = σ(W_i x_t + U_i h_{t-1} + b_i)            input gate: what is written
        f_t = σ(W_f x_t + U_f h_{t-1} + b_f)            forget gate: what is kept
        g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)         cell candidate: what could be written
        o_t = σ(W_o x_t + U_o h_{t-1} + b_o)            output gate: what is read
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t
        h_t = o_t ⊙ tanh(c_t)                           h_0 = c_0 = 0

    (Hochreiter and Schmidhuber 1997; the forget gate is of Gers, Schmidhuber and Cummins 2000.)
    W and U are stacked in the order i, f, g, o, and each b is the sum of two biases, so that the
    weights of `torch.nn.LSTM` can be copied over.

    All weights begin as in torch, uniform in ±1/√hidden and from `seed` alone. Then `forget_bias`
    sets the bias of the forget gate, b_ih + b_hh together, unless it is None.

    weight_ih (4 hidden, input), weight_hh (4 hidden, hidden), bias_ih and bias_hh (4 hidden,),
    head: nn.Linear(hidden, output).
    Raises ValueError for a size below 1 or a forget bias that is not finite.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        *,
        forget_bias: float | None = 1.0,
        seed: int = 0,
    ) -> None:
        check_sizes(input_size=input_size, hidden_size=hidden_size, output_size=output_size)
        if forget_bias is not None and not math.isfinite(forget_bias):
            raise ValueError(f"forget_bias must be a finite number or None, got {forget_bias}.")
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size

        generator = torch.Generator().manual_seed(seed)
        drawn = partial(uniform, width=hidden_size, generator=generator)
        self.weight_ih = drawn(4 * hidden_size, input_size)
        self.weight_hh = drawn(4 * hidden_size, hidden_size)
        self.bias_ih = drawn(4 * hidden_size)
        self.bias_hh = drawn(4 * hidden_size)
        self.head = linear_head(hidden_size, output_size, generator)
        if forget_bias is not None:
            with torch.no_grad():
                self.bias_ih[hidden_size : 2 * hidden_size] = forget_bias
                self.bias_hh[hidden_size : 2 * hidden_size] = 0

    def cell(self, x_t: Tensor, state: State) -> tuple[State, tuple[Tensor, ...]]:
        """Take one time step by the six equations above.

        x_t is (batch, input), or tokens (batch,). Returns the state (h_t, c_t) and the gates
        (i_t, f_t, g_t, o_t), each (batch, hidden).
        """
        h, c = state
        if x_t.dtype == torch.int64:  # W times a one-hot vector is a column of W
            from_input = self.weight_ih.T[x_t] + self.bias_ih
        else:
            from_input = functional.linear(x_t, self.weight_ih, self.bias_ih)
        both = from_input + functional.linear(h, self.weight_hh, self.bias_hh)
        i, f, g, o = both.chunk(4, dim=1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c + i * g
        h = o * c.tanh()
        return (h, c), (i, f, g, o)

    def forward(self, inputs: Tensor, state: State | None = None) -> Output:
        """Read a sequence one step at a time and predict from the last hidden state.

        inputs   (batch, time, input) of the weights' type, or int64 tokens (batch, time)
        state    h and c, each (batch, hidden), zeros if None
        returns  prediction (batch, output); hidden_states and cell_states, one (batch, hidden) a
                 time step; gates input_gate, forget_gate, cell_candidate, output_gate and the
                 cell state `cell`, each (batch, time, hidden)
        Raises TypeError or ValueError for inputs or a state of another type or shape.
        """
        check_sequences(inputs, self.input_size, self.weight_ih.dtype)
        expected = (len(inputs), self.hidden_size)
        if state is None:
            state = (self.weight_hh.new_zeros(expected), self.weight_hh.new_zeros(expected))
        check_states(state, ("h", "c"), expected, self.weight_hh.dtype)

        hidden_states, cell_states, gates = [], [], []
        for x_t in inputs.unbind(1):
            state, gates_t = self.cell(x_t, state)
            hidden_states.append(state[0])
            cell_states.append(state[1])
            gates.append(gates_t)
        names = ("input_gate", "forget_gate", "cell_candidate", "output_gate")
        by_name = {name: torch.stack(steps, 1) for name, steps in zip(names, zip(*gates))}
        return Output(
            self.head(state[0]),
            tuple(hidden_states),
            gates=by_name | {"cell": torch.stack(cell_states, 1)},
            cell_states=tuple(cell_states),
        )


def spread_forget_bias(model: LSTM, longest: int, seed: int = 0) -> None:
    """Set a start at which the units keep what they hold for different times, up to `longest`.

        b_f = log u,   b_i = -b_f,   u uniform in 1 … longest - 1, drawn for each unit

    A unit with a forget bias of log u keeps its cell state for about u steps, and its input gate
    begins as far shut as its forget gate is open. (Tallec and Ollivier 2018, equation 16: "chrono
    initialization".) Changes the model in place: biases of the input and forget gate only.
    Raises ValueError for a `longest` below 2.
    """
    check_sizes(longest=longest)
    if longest < 2:
        raise ValueError(f"longest must be a whole number of at least 2, got {longest}.")
    # A stream of its own: the same seed would otherwise repeat the draws of the model's weights.
    own = torch.randint(2**31, (1,), generator=torch.Generator().manual_seed(seed)).item()
    size, generator = model.hidden_size, torch.Generator().manual_seed(own)
    with torch.no_grad():
        forget = torch.empty(size).uniform_(1, max(longest - 1, 1), generator=generator).log()
        model.bias_ih[:size], model.bias_ih[size : 2 * size] = -forget, forget
        model.bias_hh[: 2 * size] = 0
