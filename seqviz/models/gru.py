"""The gated recurrent unit: one state, which a single gate both keeps and overwrites."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqviz.models.output import Output, check_sequences, check_sizes, check_states
from seqviz.models.start import linear_head, uniform


class GRU(nn.Module):
    """A gated recurrent unit whose last hidden state is read by a linear head.

        r_t = σ(W_r x_t + b_r + U_r h_{t-1} + d_r)              reset gate: what is consulted
        z_t = σ(W_z x_t + b_z + U_z h_{t-1} + d_z)              update gate: what is kept
        n_t = tanh(W_n x_t + b_n + r_t ⊙ (U_n h_{t-1} + d_n))   candidate
        h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ n_t                   h_0 = 0

    (Cho et al. 2014, equations 5 to 8.) As in `torch.nn.GRU`, the reset gate acts after the matrix
    product, where the paper has U_n (r_t ⊙ h_{t-1}). W and U are stacked in the order r, z, n, so
    that torch's weights can be copied over. All begin as in torch, uniform in ±1/√hidden, and from
    `seed` alone.

    weight_ih (3 hidden, input), weight_hh (3 hidden, hidden), bias_ih (b) and bias_hh (d)
    (3 hidden,), head: nn.Linear(hidden, output).
    Raises ValueError for a size below 1.
    """

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, *, seed: int = 0
    ) -> None:
        check_sizes(input_size=input_size, hidden_size=hidden_size, output_size=output_size)
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size

        generator = torch.Generator().manual_seed(seed)
        drawn = partial(uniform, width=hidden_size, generator=generator)
        self.weight_ih = drawn(3 * hidden_size, input_size)
        self.weight_hh = drawn(3 * hidden_size, hidden_size)
        self.bias_ih = drawn(3 * hidden_size)
        self.bias_hh = drawn(3 * hidden_size)
        self.head = linear_head(hidden_size, output_size, generator)

    def cell(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Take one time step by the four equations above.

        x_t is (batch, input), or tokens (batch,); state h_{t-1} is (batch, hidden). Returns h_t and
        the gates (r_t, z_t, n_t), each (batch, hidden).
        """
        if x_t.dtype == torch.int64:  # W times a one-hot vector is a column of W
            from_input = self.weight_ih.T[x_t] + self.bias_ih
        else:
            from_input = functional.linear(x_t, self.weight_ih, self.bias_ih)
        from_state = functional.linear(state, self.weight_hh, self.bias_hh)
        input_r, input_z, input_n = from_input.chunk(3, dim=1)
        state_r, state_z, state_n = from_state.chunk(3, dim=1)
        r = torch.sigmoid(input_r + state_r)
        z = torch.sigmoid(input_z + state_z)
        n = torch.tanh(input_n + r * state_n)
        return z * state + (1 - z) * n, (r, z, n)

    def forward(self, inputs: Tensor, state: Tensor | None = None) -> Output:
        """Read a sequence one step at a time and predict from the last hidden state.

        inputs   (batch, time, input) of the weights' type, or int64 tokens (batch, time)
        state    (batch, hidden), zeros if None
        returns  prediction (batch, output); one hidden state (batch, hidden) a time step; gates
                 reset_gate, update_gate and candidate, each (batch, time, hidden)
        Raises TypeError or ValueError for inputs or a state of another type or shape.
        """
        check_sequences(inputs, self.input_size, self.weight_ih.dtype)
        expected = (len(inputs), self.hidden_size)
        if state is None:
            state = self.weight_hh.new_zeros(expected)
        check_states((state,), ("state",), expected, self.weight_hh.dtype)

        hidden_states, gates = [], []
        for x_t in inputs.unbind(1):
            state, gates_t = self.cell(x_t, state)
            hidden_states.append(state)
            gates.append(gates_t)
        names = ("reset_gate", "update_gate", "candidate")
        by_name = {name: torch.stack(steps, 1) for name, steps in zip(names, zip(*gates))}
        return Output(self.head(state), tuple(hidden_states), gates=by_name)
