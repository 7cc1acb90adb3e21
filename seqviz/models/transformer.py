"""The Transformer: every position looks at every other one, in one step."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqviz.models.output import (
    Output,
    check_choice,
    check_sequences,
    check_sizes,
    check_tensor,
    values_known,
)

Positions = Literal["sinusoidal", "learned", "none"]
Activation = Literal["relu", "gelu", "tanh", "sigmoid"]
ACTIVATIONS = {
    "relu": torch.relu, "gelu": functional.gelu, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
}  # fmt: skip


def _fits(shape: torch.Size, wanted: torch.Size) -> bool:
    """Whether a tensor of `shape` broadcasts to `wanted`."""
    return len(shape) <= len(wanted) and all(
        a in (1, b) for a, b in zip(reversed(shape), reversed(wanted))
    )


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Let every query average the values by how well their keys fit: scaled dot-product attention.

        weights = softmax(Q Kᵀ / √d),   output = weights V

    (Vaswani et al. 2017, equation 1.) `mask` is True where a query must not look; it broadcasts to
    the weights.

    query (…, query, d), key (…, key, d), value (…, key, value)
    returns output (…, query, value) and weights (…, query, key), whose rows sum to 1
    Raises ValueError if query and key differ in width, key and value in number, or the mask does
    not fit.
    """
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"query and key must have one width, got {query.shape[-1]} and {key.shape[-1]}."
        )
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"There must be one value for each key, got {value.shape[-2]} for {key.shape[-2]}."
        )
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None and not _fits(mask.shape, scores.shape):
        raise ValueError(
            f"mask must fit to the weights {tuple(scores.shape)}, got {tuple(mask.shape)}."
        )
    if mask is not None:
        scores = scores.masked_fill(mask, -math.inf)
    weights = torch.softmax(scores, dim=-1)
    return weights @ value, weights


def causal_mask(length: int) -> Tensor:
    """Return the mask (query, key) that hides the future: True where the key comes after."""
    return torch.ones(length, length, dtype=torch.bool).triu(1)


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """Return a code (length, width) in which each pair of columns is a clock of its own speed.

        P[t, 2i] = sin(t ω_i),   P[t, 2i + 1] = cos(t ω_i),   ω_i = 10000^(-2i / width)

    (Vaswani et al. 2017, section 3.5.) The dot product of two positions, Σ cos((s - t) ω_i),
    depends on their distance alone. Raises ValueError for an odd width.
    """
    check_sizes(length=length, width=width)
    if width % 2:
        raise ValueError(f"width must be even, for pairs of sine and cosine, got {width}.")
    time = torch.arange(length, dtype=torch.float64)[:, None]
    speed = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    return torch.stack([torch.sin(time * speed), torch.cos(time * speed)], dim=-1).flatten(1)


class MultiHeadAttention(nn.Module):
    """Several attentions side by side, each on its own part of the width.

        head_i = attend(x W_q,i, y W_k,i, y W_v,i),   output = [head_1 … head_n] W_o

    (Vaswani et al. 2017, section 3.2.2.) Parameters are named as in `torch.nn.MultiheadAttention`,
    so that its `state_dict` fits: in_proj_weight (3 width, width) holds W_q, W_k and W_v of all
    heads. Weights begin uniform in ±√(6 / (in + out)), biases at 0, from `generator` alone.

    Raises ValueError if the heads do not divide the width.
    """

    def __init__(self, width: int, heads: int, *, generator: torch.Generator) -> None:
        check_sizes(width=width, heads=heads)
        if width % heads:
            raise ValueError(f"heads must divide the width, but {heads} does not divide {width}.")
        super().__init__()
        self.width, self.heads = width, heads
        bound = math.sqrt(6 / (4 * width))
        weight = torch.empty(3 * width, width).uniform_(-bound, bound, generator=generator)
        self.in_proj_weight = nn.Parameter(weight)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = _linear(width, width, generator)

    def split(self, x: Tensor, part: int) -> Tensor:
        """Project x (batch, time, width) to query (0), key (1) or value (2) of each head.

        Returns (batch, head, time, width / heads).
        """
        rows = slice(part * self.width, (part + 1) * self.width)
        projected = functional.linear(x, self.in_proj_weight[rows], self.in_proj_bias[rows])
        return projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(
        self, x: Tensor, y: Tensor, mask: Tensor | None = None, keep: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Let x ask and y answer; with y = x it is self-attention.

        x (batch, query, width), y (batch, key, width); `mask` is True where a query must not look
        and broadcasts to (batch, head, query, key); `keep` (head,) multiplies what each head says.
        Returns the output (batch, query, width) and the weights (batch, head, query, key).
        Raises TypeError or ValueError for another type, width or mask, or a `keep` that has not one
        number a head.
        """
        dtype = self.in_proj_weight.dtype
        for name, z in (("x", x), ("y", y)):
            check_tensor(name, z, ("batch", "time", self.width), dtype)
        said, weights = attend(self.split(x, 0), self.split(y, 1), self.split(y, 2), mask)
        if keep is not None:
            check_tensor("keep", keep, (self.heads,), dtype)
            said = said * keep[:, None, None]
        return self.out_proj(said.transpose(1, 2).flatten(2)), weights


class EncoderLayer(nn.Module):
    """Self-attention, then a small network at each position, each with a shortcut around it.

        a = norm_1(x + attention(x, x)),   y = norm_2(a + W_2 φ(W_1 a + b_1) + b_2)

    (Vaswani et al. 2017, section 3.1, without dropout.) Parameters are named as in
    `torch.nn.TransformerEncoderLayer`. With `residual` off the shortcuts are missing.

    Raises ValueError for an unknown activation, a size below 1 or heads that do not divide width.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        feedforward: int,
        *,
        activation: Activation = "relu",
        residual: bool = True,
        generator: torch.Generator,
    ) -> None:
        check_sizes(feedforward=feedforward)
        check_choice("activation", activation, get_args(Activation))
        super().__init__()
        self.self_attn = MultiHeadAttention(width, heads, generator=generator)
        self.linear1 = _linear(width, feedforward, generator)
        self.linear2 = _linear(feedforward, width, generator)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.activation, self.residual = activation, residual

    def forward(
        self, x: Tensor, mask: Tensor | None = None, keep: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Map x (batch, time, width) to the same shape; also returns the attention weights.

        `mask` and `keep` are those of `MultiHeadAttention`, which also says what is raised.
        """
        shortcut = x if self.residual else 0
        said, weights = self.self_attn(x, x, mask, keep)
        x = self.norm1(shortcut + said)
        shortcut = x if self.residual else 0
        inner = ACTIVATIONS[self.activation](self.linear1(x))
        return self.norm2(shortcut + self.linear2(inner)), weights


class DecoderLayer(nn.Module):
    """An encoder layer that may not see the future, and asks a second sequence in between.

        a = norm_1(x + attention(x, x)),   b = norm_2(a + attention(a, memory))
        y = norm_3(b + W_2 φ(W_1 b + b_1) + b_2)

    (Vaswani et al. 2017, section 3.1, without dropout.) Parameters are named as in
    `torch.nn.TransformerDecoderLayer`. Raises ValueError as `EncoderLayer` does.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        feedforward: int,
        *,
        activation: Activation = "relu",
        generator: torch.Generator,
    ) -> None:
        check_sizes(feedforward=feedforward)
        check_choice("activation", activation, get_args(Activation))
        super().__init__()
        self.self_attn = MultiHeadAttention(width, heads, generator=generator)
        self.multihead_attn = MultiHeadAttention(width, heads, generator=generator)
        self.linear1 = _linear(width, feedforward, generator)
        self.linear2 = _linear(feedforward, width, generator)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.activation = activation

    def forward(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map x (batch, time, width), which asks memory (batch, key, width), to the same shape.

        Also returns the weights of the self-attention, in which no position sees a later one, and
        of the attention to memory. Raises TypeError or ValueError for another type or width.
        """
        width = self.self_attn.width
        check_tensor("x", x, ("batch", "time", width), self.linear1.weight.dtype)
        said, own = self.self_attn(x, x, causal_mask(x.shape[1]).to(x.device))
        x = self.norm1(x + said)
        said, cross = self.multihead_attn(x, memory)
        x = self.norm2(x + said)
        inner = ACTIVATIONS[self.activation](self.linear1(x))
        return self.norm3(x + self.linear2(inner)), own, cross


class Transformer(nn.Module):
    """A stack of encoder layers whose mean over time is read by a linear head.

        h⁰_t = W_in x_t + P_t,   hˡ = layer_l(hˡ⁻¹),   prediction = W_head mean_t h_t + b_head

    (Vaswani et al. 2017, figure 1, left; the mean in place of a decoder.) P is the sinusoidal code,
    a learned one, or nothing: then the model is one of bags, since neither attention nor the mean
    knows an order. `causal` hides the future from every position. In tokens 0 is padding, which
    nobody attends to and which is left out of the mean. Everything begins from `seed` alone, W_in
    from N(0, 1) and the learned positions from N(0, 1) / 2.

    embed: (width, input), layers: EncoderLayer each, head: nn.Linear(width, output).
    Raises ValueError for an unknown choice, a size below 1, heads that do not divide the width or
    an odd width with sinusoidal positions.
    """

    def __init__(
        self,
        input_size: int,
        width: int,
        output_size: int,
        *,
        heads: int = 4,
        layers: int = 1,
        feedforward: int | None = None,
        positions: Positions = "sinusoidal",
        max_length: int = 512,
        causal: bool = False,
        activation: Activation = "relu",
        residual: bool = True,
        seed: int = 0,
    ) -> None:
        feedforward = 2 * width if feedforward is None else feedforward
        check_sizes(
            input_size=input_size, width=width, output_size=output_size, layers=layers,
            max_length=max_length,
        )  # fmt: skip
        check_choice("positions", positions, get_args(Positions))
        super().__init__()
        self.input_size, self.max_length, self.causal = input_size, max_length, causal
        generator = torch.Generator().manual_seed(seed)
        self.embed = nn.Parameter(torch.empty(width, input_size).normal_(generator=generator))
        if positions == "sinusoidal":
            code = sinusoidal_positions(max_length, width).to(self.embed.dtype)
            self.register_buffer("positions", code, persistent=False)
        elif positions == "learned":
            code = torch.empty(max_length, width).normal_(std=0.5, generator=generator)
            self.positions = nn.Parameter(code)
        else:
            self.positions = None
        self.layers = nn.ModuleList(
            EncoderLayer(
                width, heads, feedforward, activation=activation, residual=residual,
                generator=generator,
            )
            for _ in range(layers)
        )  # fmt: skip
        self.head = _linear(width, output_size, generator)

    def embedded(self, inputs: Tensor) -> Tensor:
        """Map inputs or tokens to h⁰ (batch, time, width), positions included.

        Raises TypeError or ValueError for inputs of another type, shape or length.
        """
        check_sequences(inputs, self.input_size, self.embed.dtype)
        time = inputs.shape[1]
        if inputs.dtype == torch.int64:  # W times a one-hot vector is a column of W
            h = self.embed.T[inputs]
        else:
            h = functional.linear(inputs, self.embed)
        if self.positions is None:
            return h
        if time > self.max_length:
            raise ValueError(f"inputs must have at most {self.max_length} time steps, got {time}.")
        return h + self.positions[:time]

    def forward(self, inputs: Tensor, keep: Tensor | None = None) -> Output:
        """Read a sequence, all positions at once, and predict from their mean.

        inputs   (batch, time, input) of the weights' type, or int64 tokens (batch, time)
        keep     (layer, head) numbers that multiply what each head says; None leaves all as it is
        returns  prediction (batch, output); as layers the output of each layer (batch, time,
                 width); attention (batch, layer, head, query, key). Nothing is carried from step to
                 step, so there are no hidden states.
        Raises TypeError or ValueError for inputs or a `keep` of another type or shape.
        """
        h = self.embedded(inputs)
        if keep is not None:
            heads = self.layers[0].self_attn.heads
            check_tensor("keep", keep, (len(self.layers), heads), self.embed.dtype)
        present = inputs != 0 if inputs.dtype == torch.int64 else None
        mask = None
        if present is not None:
            if values_known() and not present.any(1).all():
                raise ValueError("Every sequence must hold at least one token that is not padding.")
            mask = ~present[:, None, None, :]  # (batch, head, query, key)
        if self.causal:
            future = causal_mask(h.shape[1]).to(h.device)
            # A padded query that sees only padding would have no key left: it keeps itself.
            own = torch.eye(h.shape[1], dtype=torch.bool, device=h.device)
            mask = future if mask is None else (mask | future) & ~own
        outputs, attention = [], []
        for level, layer in enumerate(self.layers):
            h, weights = layer(h, mask, None if keep is None else keep[level])
            outputs.append(h)
            attention.append(weights)
        if present is None:
            mean = h.mean(1)
        else:
            mean = (h * present[..., None]).sum(1) / present.sum(1, keepdim=True)
        return Output(
            self.head(mean), attention=torch.stack(attention, dim=1), layers=tuple(outputs)
        )


def _linear(input_size: int, output_size: int, generator: torch.Generator) -> nn.Linear:
    """Return a linear layer, weights uniform in ±√(6 / (in + out)), biases 0."""
    # skip_init: nn.Linear would otherwise draw from the global random numbers of the reader.
    layer = nn.utils.skip_init(nn.Linear, input_size, output_size)
    bound = math.sqrt(6 / (input_size + output_size))
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
