"""Linear classifiers on word counts and n-gram counts: what can be read without order."""

import torch
from torch import Tensor, nn

from seqviz.models.output import Output, check_sizes, check_tokens

PRIME = 2**31 - 1  # a Mersenne prime: products with MULTIPLIER stay far below 2**63
MULTIPLIER = 1_000_003


class BagOfWords(nn.Module):
    """A linear classifier on how often each word occurs: prediction = counts · weight + bias.

    It starts from zero, so that an untrained bag has no opinion. Token 0 is padding and is never
    counted. Two sentences with the same words in another order are the same to it (Harris 1954,
    "Distributional structure").

    weight (vocabulary, output), bias (output,).
    Raises ValueError if a size is not a whole number of at least 1.
    """

    def __init__(self, vocabulary_size: int, output_size: int) -> None:
        check_sizes(vocabulary_size=vocabulary_size, output_size=output_size)
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.weight = nn.Parameter(torch.zeros(vocabulary_size, output_size))
        self.bias = nn.Parameter(torch.zeros(output_size))

    def counts(self, tokens: Tensor) -> Tensor:
        """Count each word: tokens (batch, time) -> counts (batch, vocabulary)."""
        counts = self.weight.new_zeros(len(tokens), len(self.weight))
        counts.scatter_add_(1, tokens, (tokens != 0).to(counts.dtype))
        return counts

    def forward(self, tokens: Tensor) -> Output:
        """Predict from tokens (batch, time), int64, 0 for padding; there are no hidden states.

        Raises TypeError or ValueError for tokens of another type, shape or range.
        """
        check_tokens(tokens, self.vocabulary_size)
        return Output(self.counts(tokens) @ self.weight + self.bias)


class NGrams(BagOfWords):
    """A linear classifier on how often each run of `n` consecutive words occurs.

    A vocabulary of V words has V^n such runs: a weight for each would not fit. Each run is hashed
    into one of `buckets` columns instead, and runs that fall into the same bucket share a weight
    (Weinberger et al. 2009, "Feature hashing for large scale multitask learning",
    here without the sign). A run with padding in it is not counted.

    weight (buckets, output), bias (output,).
    Raises ValueError if a size is not a whole number of at least 1.
    """

    def __init__(
        self, vocabulary_size: int, output_size: int, n: int = 2, buckets: int = 2**14
    ) -> None:
        check_sizes(vocabulary_size=vocabulary_size, n=n, buckets=buckets)
        super().__init__(buckets, output_size)
        self.vocabulary_size = vocabulary_size
        self.n = n

    def buckets(self, tokens: Tensor) -> Tensor:
        """Hash each run of n words: tokens (batch, time) -> bucket numbers (batch, time - n + 1).

        The hash is that of Karp and Rabin (1987): the words are the digits of one large number.
        """
        runs = tokens.unfold(1, self.n, 1)  # (batch, time - n + 1, n)
        key = torch.zeros_like(runs[..., 0])
        for token in runs.unbind(-1):
            key = (key * MULTIPLIER + token) % PRIME
        return key % len(self.weight)

    def counts(self, tokens: Tensor) -> Tensor:
        """Count each bucket: tokens (batch, time) -> counts (batch, buckets)."""
        counts = self.weight.new_zeros(len(tokens), len(self.weight))
        if tokens.shape[1] < self.n:
            return counts  # too short for a single run
        without_padding = (tokens.unfold(1, self.n, 1) != 0).all(-1)
        counts.scatter_add_(1, self.buckets(tokens), without_padding.to(counts.dtype))
        return counts
