"""An encoder, a decoder, and four ways for the second to read the first."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqviz.models.gru import GRU
from seqviz.models.output import (
    Output,
    check_choice,
    check_sizes,
    check_tensor,
    check_tokens,
    values_known,
)
from seqviz.models.start import uniform

Reading = Literal["fixed", "mean", "query", "bahdanau"]


class Attention(nn.Module):
    """Additive attention: a weighted mean of vectors, the weights from a query.

        e_j = v · tanh(W s + U h_j)            score of h_j for the query s
        α_j = exp(e_j / τ) / Σ_k exp(e_k / τ)  weights, which sum to 1; temperature τ
        c   = Σ_j α_j h_j                      context vector

    (Bahdanau, Cho and Bengio 2015, equations 5 and 6 and section A.1.2, where τ = 1.)

    weight_query W (attention, query), weight_key U (attention, key), score_vector v (attention,),
    uniform in ±1/√(their input), from `generator` alone. Raises ValueError for a size below 1.
    """

    def __init__(
        self, query_size: int, key_size: int, attention_size: int, generator: torch.Generator
    ) -> None:
        check_sizes(query_size=query_size, key_size=key_size, attention_size=attention_size)
        super().__init__()
        self.weight_query = uniform(
            attention_size, query_size, width=query_size, generator=generator
        )
        self.weight_key = uniform(attention_size, key_size, width=key_size, generator=generator)
        self.score_vector = uniform(attention_size, width=attention_size, generator=generator)

    def forward(
        self, query: Tensor, keys: Tensor, real: Tensor, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Look at keys (batch, key, size) with a query (batch, size).

        real (batch, key) is False for padding, which gets a weight of 0. Returns the context vector
        (batch, size) and the weights (batch, key). Raises TypeError or ValueError for tensors of
        another type or shape.
        """
        dtype = self.weight_query.dtype
        check_tensor("query", query, ("batch", self.weight_query.shape[1]), dtype)
        check_tensor("keys", keys, (len(query), "key", self.weight_key.shape[1]), dtype)
        check_tensor("real", real, tuple(keys.shape[:2]), torch.bool)
        from_query = query @ self.weight_query.T  # W s: (batch, attention)
        from_keys = keys @ self.weight_key.T  # U h_j: (batch, key, attention)
        scores = torch.tanh(from_query[:, None] + from_keys) @ self.score_vector
        scores = scores.masked_fill(~real, -math.inf)
        highest = scores.max(1, keepdim=True).values  # a tiny temperature would overflow without
        weights = torch.softmax((scores - highest) / temperature, dim=1)
        return (weights[:, None] @ keys)[:, 0], weights


class Seq2Seq(nn.Module):
    """An encoder reads a sentence in both directions, a decoder writes another word by word.

        →h_j = GRU(E x_j, →h_{j-1}),  ←h_j = GRU(E x_j, ←h_{j+1}),  h_j = [→h_j; ←h_j]
        s_0  = tanh(W_0 E y_0)                     y_0 names the language to write
        s_i  = GRU([E y_{i-1}; c_i], s_{i-1})
        p(y_i) = softmax(W_o s_i + b_o)

    All that the decoder learns of the source comes through the context vector c_i. `reading` says
    what that is:

        fixed      c_i = [→h_T; ←h_1]             one vector (Cho et al. 2014)
        mean       c_i = Σ_j h_j / T              a uniform average
        query      c_i = Σ_j α_j h_j              α from a learned query q, the same at every step
        bahdanau   c_i = Σ_j α_ij h_j             α from the decoder's state s_{i-1}: `Attention`

    (Bahdanau, Cho and Bengio 2015, section 3, with the output read from s_i alone and a start that
    knows nothing of the source.) Token 0 is padding. All values come from `seed` alone, and the
    attention's are drawn last: the four share all other weights.
    Raises ValueError for an unknown `reading` or a size below 1.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_size: int,
        *,
        reading: Reading = "bahdanau",
        embedding_size: int = 32,
        seed: int = 0,
    ) -> None:
        check_sizes(
            vocabulary_size=vocabulary_size, hidden_size=hidden_size, embedding_size=embedding_size
        )
        check_choice("reading", reading, get_args(Reading))
        super().__init__()
        self.vocabulary_size, self.hidden_size, self.reading = vocabulary_size, hidden_size, reading
        generator = torch.Generator().manual_seed(seed)
        # One embedding for the words of both sides, drawn as torch does.
        shape = (vocabulary_size, embedding_size)
        self.embedding = nn.Parameter(torch.randn(shape, generator=generator))
        seeds = torch.randint(2**31, (3,), generator=generator).tolist()
        self.forward_gru = GRU(embedding_size, hidden_size, 1, seed=seeds[0])
        self.backward_gru = GRU(embedding_size, hidden_size, 1, seed=seeds[1])
        self.forward_gru.head = self.backward_gru.head = nn.Identity()  # only their states are read
        key_size = 2 * hidden_size
        self.decoder = GRU(embedding_size + key_size, hidden_size, vocabulary_size, seed=seeds[2])
        start = torch.randn((hidden_size, embedding_size), generator=generator)
        self.weight_start = nn.Parameter(start / math.sqrt(embedding_size))
        if reading in ("query", "bahdanau"):
            self.attention = Attention(hidden_size, key_size, hidden_size, generator)
        if reading == "query":
            self.query = nn.Parameter(torch.randn(hidden_size, generator=generator))

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read source tokens (batch, time).

        Returns h (batch, time, 2 hidden), the last states of both directions (batch, 2 hidden), and
        which tokens are no padding (batch, time).
        Raises TypeError or ValueError for tokens of another type, shape or range, or a sentence of
        nothing but padding.
        """
        check_tokens(source, self.vocabulary_size)
        real = source != 0
        if values_known() and not real.any(1).all():
            raise ValueError("Every source sentence needs at least one token that is not padding.")
        embedded = functional.embedding(source, self.embedding).unbind(1)
        directions, last = [], []
        for gru, order in ((self.forward_gru, 1), (self.backward_gru, -1)):
            state = embedded[0].new_zeros(len(source), self.hidden_size)
            states = []
            for x_j, is_real in list(zip(embedded, real.unbind(1)))[::order]:
                new, _ = gru.cell(x_j, state)
                state = torch.where(is_real[:, None], new, state)  # padding leaves no trace
                states.append(state)
            directions.append(torch.stack(states[::order], 1))
            last.append(state)
        return torch.cat(directions, 2), torch.cat(last, 1), real

    def context(
        self, state: Tensor, encoded: tuple[Tensor, Tensor, Tensor], temperature: float = 1.0
    ) -> tuple[Tensor, Tensor | None]:
        """Return c_i (batch, 2 hidden) and its weights (batch, time), None for "fixed"."""
        keys, last, real = encoded
        if self.reading == "fixed":
            return last, None
        if self.reading == "mean":
            weights = real.to(keys.dtype) / real.sum(1, keepdim=True)
            return (weights[:, None] @ keys)[:, 0], weights
        query = self.query.expand_as(state) if self.reading == "query" else state
        return self.attention(query, keys, real, temperature)

    def forward(self, inputs: tuple[Tensor, Tensor], temperature: float = 1.0) -> Output:
        """Predict each word of a translation from the source and the words before it.

        inputs   the source (batch, time) and the words given (batch, output time): y_0, which names
                 the language, then the translation so far
        returns  prediction (batch, output time, vocabulary), the decoder's states s_i, and
                 attention (batch, 1, 1, output time, time), None for "fixed"
        Raises TypeError or ValueError for tokens of another type, shape or range, or a temperature
        that is not above 0.
        """
        source, given = check_pair(inputs)
        check_tokens(given, self.vocabulary_size)
        check_temperature(temperature)
        encoded = self.encode(source)
        embedded = functional.embedding(given, self.embedding).unbind(1)
        state = torch.tanh(embedded[0] @ self.weight_start.T)  # s_0
        states, weights = [], []
        for y in embedded:
            context, weights_i = self.context(state, encoded, temperature)
            state, _ = self.decoder.cell(torch.cat([y, context], 1), state)
            states.append(state)
            weights.append(weights_i)
        prediction = self.decoder.head(torch.stack(states, 1))
        return Output(prediction, tuple(states), attention=_by_query(weights))

    @torch.no_grad()
    def translate(
        self, source: Tensor, start: Tensor, length: int, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor | None]:
        """Write the likeliest word at each of `length` steps, given the words it wrote itself.

        source (batch, time) and y_0 (batch,) -> words (batch, length) and attention as `forward`
        returns it. Raises as `forward` does.
        """
        source, given = check_pair((source, start[:, None]))
        check_tokens(given, self.vocabulary_size)
        check_sizes(length=length)
        check_temperature(temperature)
        encoded = self.encode(source)
        y = start
        state = torch.tanh(self.embedding[y] @ self.weight_start.T)
        words, weights = [], []
        for _ in range(length):
            context, weights_i = self.context(state, encoded, temperature)
            state, _ = self.decoder.cell(torch.cat([self.embedding[y], context], 1), state)
            y = self.decoder.head(state).argmax(1)
            words.append(y)
            weights.append(weights_i)
        return torch.stack(words, 1), _by_query(weights)


def _by_query(weights: list[Tensor | None]) -> Tensor | None:
    """The weights of every step as (batch, layer, head, query, key)."""
    return None if weights[0] is None else torch.stack(weights, 1)[:, None, None]


def check_temperature(temperature: float) -> None:
    """Check that a temperature is finite and above 0; raises ValueError if it is not."""
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be above 0 and finite, got {temperature}.")


def check_pair(inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Check that inputs are two tensors of as many rows; raises TypeError or ValueError if not."""
    if not isinstance(inputs, (tuple, list)) or len(inputs) != 2:
        raise TypeError(
            f"inputs must be a pair of tokens (source, given), got {type(inputs).__name__}."
        )
    source, given = inputs
    if len(source) != len(given):
        raise ValueError(
            f"source and given must have as many rows, got {len(source)} and {len(given)}."
        )
    return source, given
