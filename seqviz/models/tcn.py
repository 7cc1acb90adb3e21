"""Temporal convolutions: each output looks back over its inputs at fixed, growing distances."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqviz.models.output import Output, check_sequences, check_sizes, check_tensor
from seqviz.models.start import linear_head, uniform


class CausalConv(nn.Module):
    """A causal dilated convolution with weight normalisation.

        y_t = b + Σ_j W_j x_{t - j·dilation},   j = 0 … kernel_size - 1,   x before the start is 0
        W = g · v / ‖v‖, a norm of its own for each output channel

    (Bai, Kolter and Koltun 2018, equation 2; Salimans and Kingma 2016, equation 2.) All zeros are
    padded on the left, so no output sees a later input. As in `torch.nn.Conv1d`, weight[:, :, -1]
    is W_0, and v begins uniform in ±1/√(input · kernel_size). g begins as ‖v‖, so that the
    normalised weight begins as v.

    direction (output, input, kernel_size): v, gain (output,): g, bias (output,).
    Raises ValueError for a size below 1.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        kernel_size: int,
        dilation: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        check_sizes(
            input_size=input_size, output_size=output_size,
            kernel_size=kernel_size, dilation=dilation,
        )  # fmt: skip
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        generator = generator or torch.Generator().manual_seed(0)
        drawn = partial(uniform, width=input_size * kernel_size, generator=generator)
        self.direction = drawn(output_size, input_size, kernel_size)
        self.gain = nn.Parameter(self.direction.detach().norm(dim=(1, 2)))
        self.bias = drawn(output_size)

    @property
    def weight(self) -> Tensor:
        """The normalised weight W (output, input, kernel_size)."""
        length = self.direction.norm(dim=(1, 2), keepdim=True)
        return self.gain[:, None, None] * self.direction / length

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (batch, time, input) -> (batch, time, output).

        Raises TypeError or ValueError for x of another type or shape.
        """
        check_tensor("x", x, ("batch", "time", self.direction.shape[1]), self.bias.dtype)
        past = (self.kernel_size - 1) * self.dilation
        # torch's convolution has time last. Zeros before the start, none after the end:
        padded = functional.pad(x.transpose(1, 2), (past, 0))
        y = functional.conv1d(padded, self.weight, self.bias, dilation=self.dilation)
        return y.transpose(1, 2)


def drop_channels(x: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """Set a share of the channels of x (batch, time, channels) to zero, at all time steps alike.

    The others are scaled up by 1 / (1 - rate), so that their mean stays (Srivastava et al. 2014).
    """
    kept = torch.rand(x.shape[0], 1, x.shape[2], generator=generator) >= rate
    return x * kept.to(x) / (1 - rate)


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut around them (Bai, Kolter and Koltun 2018, figure 1b).

        a = dropout(relu(conv_1(x)))
        b = dropout(relu(conv_2(a)))
        y = relu(b + shortcut(x)),   or y = b if `residual` is off

    The shortcut is the identity, or a 1 x 1 convolution where the widths differ. Dropout sets whole
    channels to zero at all time steps, in training only.
    """

    def __init__(
        self,
        input_size: int,
        channels: int,
        *,
        kernel_size: int,
        dilation: int,
        residual: bool,
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        settings = {"kernel_size": kernel_size, "dilation": dilation, "generator": generator}
        self.conv_1 = CausalConv(input_size, channels, **settings)
        self.conv_2 = CausalConv(channels, channels, **settings)
        self.shortcut = None
        if residual and input_size != channels:
            self.shortcut = CausalConv(input_size, channels, kernel_size=1, generator=generator)
        self.residual, self.dropout, self.generator = residual, dropout, generator

    def forward(self, x: Tensor) -> Tensor:
        """Map x (batch, time, input) to (batch, time, channels)."""
        branch = x
        for conv in (self.conv_1, self.conv_2):
            branch = torch.relu(conv(branch))
            if self.training and self.dropout:
                branch = drop_channels(branch, self.dropout, self.generator)
        if not self.residual:
            return branch
        return torch.relu(branch + (x if self.shortcut is None else self.shortcut(x)))


class TCN(nn.Module):
    """A temporal convolutional network whose last time step is read by a linear head.

        h⁰ = x,   hˡ = block_l(hˡ⁻¹) with the dilation dilation_base^(l-1),   l = 1 … depth
        prediction = W_head h_T^depth + b_head

    (Bai, Kolter and Koltun 2018, where the base is 2; 1 leaves the convolutions undilated.)
    Everything begins from `seed` alone, and so does dropout.

    blocks: `depth` residual blocks of `channels` channels, head: nn.Linear(channels, output).
    Raises ValueError for a size below 1 or a dropout outside 0 … 1 (1 excluded).
    """

    def __init__(
        self,
        input_size: int,
        channels: int,
        output_size: int,
        *,
        kernel_size: int,
        depth: int,
        dilation_base: int = 2,
        residual: bool = True,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        check_sizes(
            input_size=input_size, channels=channels, output_size=output_size,
            kernel_size=kernel_size, depth=depth, dilation_base=dilation_base,
        )  # fmt: skip
        if not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout!r}.")
        super().__init__()
        self.input_size, self.kernel_size = input_size, kernel_size
        self.dilations = tuple(dilation_base**level for level in range(depth))
        generator = torch.Generator().manual_seed(seed)
        self.blocks = nn.ModuleList(
            ResidualBlock(
                channels if level else input_size, channels, kernel_size=kernel_size,
                dilation=dilation, residual=residual, dropout=dropout, generator=generator,
            )
            for level, dilation in enumerate(self.dilations)
        )  # fmt: skip
        self.head = linear_head(channels, output_size, generator)

    @property
    def receptive_field(self) -> int:
        """How many time steps the prediction sees: 1 + 2 (kernel_size - 1) Σ dilations.

        With dilations 1, 2, 4, … the sum is 2^depth - 1.
        """
        return 1 + 2 * (self.kernel_size - 1) * sum(self.dilations)

    def forward(self, inputs: Tensor) -> Output:
        """Read a sequence, all time steps at once, and predict from the last.

        inputs   (batch, time, input) of the weights' type, or int64 tokens (batch, time)
        returns  prediction (batch, output), and as layers the output of each block, (batch, time,
                 channels); there are no hidden states, since nothing is carried from step to step
        Raises TypeError or ValueError for inputs of another type or shape.
        """
        h = as_vectors(inputs, self.input_size, self.head.weight.dtype)
        layers = []
        for block in self.blocks:
            h = block(h)
            layers.append(h)
        return Output(self.head(h[:, -1]), layers=tuple(layers))


class GatedLayer(nn.Module):
    """One layer of WaveNet: a gate on what a dilated convolution found.

    z = tanh(filter(x)) ⊙ σ(gate(x))               (van den Oord et al. 2016, equation 2)
    y = x + W_residual z,   skip = W_skip z
    """

    def __init__(
        self, channels: int, *, kernel_size: int, dilation: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        settings = {"kernel_size": kernel_size, "dilation": dilation, "generator": generator}
        self.filter = CausalConv(channels, channels, **settings)
        self.gate = CausalConv(channels, channels, **settings)
        self.residual = CausalConv(channels, channels, kernel_size=1, generator=generator)
        self.skip = CausalConv(channels, channels, kernel_size=1, generator=generator)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map x (batch, time, channels) to the next layer's input, the skip and the gate."""
        gate = torch.sigmoid(self.gate(x))
        z = torch.tanh(self.filter(x)) * gate
        return x + self.residual(z), self.skip(z), gate


class WaveNet(nn.Module):
    """A stack of gated dilated convolutions, read through the sum of their skips.

        h⁰ = W_in x,   (hˡ, sˡ) = layer_l(hˡ⁻¹) with the dilation kernel_size^(l-1)
        prediction = W_head relu(Σ_l s_T^l) + b_head

    (van den Oord et al. 2016, figure 4, with one repetition of the dilations and one linear layer
    behind the skips.) One convolution a layer, so dilations grow by the factor kernel_size without
    gaps: 1, 2, 4, … for the paper's kernel of 2. Everything begins from `seed` alone.

    embed: 1 x 1, layers: `depth` gated layers, head: nn.Linear(channels, output).
    Raises ValueError for a size below 1.
    """

    def __init__(
        self,
        input_size: int,
        channels: int,
        output_size: int,
        *,
        kernel_size: int = 2,
        depth: int,
        seed: int = 0,
    ) -> None:
        check_sizes(
            input_size=input_size, channels=channels, output_size=output_size,
            kernel_size=kernel_size, depth=depth,
        )  # fmt: skip
        super().__init__()
        self.input_size, self.kernel_size, self.depth = input_size, kernel_size, depth
        generator = torch.Generator().manual_seed(seed)
        self.embed = CausalConv(input_size, channels, kernel_size=1, generator=generator)
        self.layers = nn.ModuleList(
            GatedLayer(
                channels, kernel_size=kernel_size, dilation=kernel_size**level, generator=generator
            )
            for level in range(depth)
        )
        self.head = linear_head(channels, output_size, generator)

    @property
    def receptive_field(self) -> int:
        """How many time steps the prediction sees: kernel_size^depth."""
        return self.kernel_size**self.depth

    def forward(self, inputs: Tensor) -> Output:
        """Read a sequence, all time steps at once, and predict from the last.

        inputs   (batch, time, input) of the weights' type, or int64 tokens (batch, time)
        returns  prediction (batch, output); as layers the output y of each layer, and as gates
                 gate_1 … gate_depth, each (batch, time, channels)
        Raises TypeError or ValueError for inputs of another type or shape.
        """
        h = self.embed(as_vectors(inputs, self.input_size, self.head.weight.dtype))
        layers, gates, total = [], {}, 0
        for level, layer in enumerate(self.layers, start=1):
            h, skip, gate = layer(h)
            total = total + skip
            layers.append(h)
            gates[f"gate_{level}"] = gate
        prediction = self.head(torch.relu(total[:, -1]))
        return Output(prediction, gates=gates, layers=tuple(layers))


def as_vectors(inputs: Tensor, input_size: int, dtype: torch.dtype) -> Tensor:
    """Check the inputs and turn tokens (batch, time) into one-hot vectors (batch, time, input).

    Raises TypeError or ValueError for inputs of another type or shape.
    """
    check_sequences(inputs, input_size, dtype)
    if inputs.dtype == torch.int64:
        return functional.one_hot(inputs, input_size).to(dtype)
    return inputs
