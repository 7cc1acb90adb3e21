"""Real sentences in which nothing but the order of two words decides."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from seqviz.tasks.task import Batch, DataTask, check_whole
from seqviz.tasks.text import corpus, sentences, split, vocabulary

SPECIAL = ("[padding]", "[unknown]")  # token 0 and token 1; the words follow from 2
MINIMUM_LENGTH = 6  # words: shorter passages are headings rather than sentences
MINIMUM_PASSAGES = 20

Passage = tuple[str, ...]


@dataclass(frozen=True)
class Order(DataTask):
    """Say which of two words comes first in a real sentence: class 0 for `first`, 1 for `second`.

    A passage is the longest run of 6 to `length` words of a corpus sentence that holds each of the
    two words exactly once. Each is used twice, as it stands and with its two words swapped. Such
    twins hold the same words and have opposite labels: whatever ignores order is right exactly
    half of the time.

    inputs: tokens (batch, time) int64, padded at the left; 0 is padding, 1 any word that is not
    among the `vocabulary_size - 2` most frequent. targets: classes (batch,).
    The `held_out_share` of the sentences, chosen by `split_seed`, is never trained on; in what is
    held out each passage stands directly before its swapped twin.

    Raises ValueError if `first` and `second` are not two different words of the vocabulary, if
    fewer than 20 passages hold both, or for a length below 6 or a share that is not within 0 and 1.
    """

    first: str = "the"
    second: str = "a"
    length: int = 24
    vocabulary_size: int = 1000
    held_out_share: float = 0.25
    split_seed: int = 0

    name: ClassVar[str] = "order"
    metric: ClassVar[str] = "accuracy"
    chance: ClassVar[float] = 0.5
    target: ClassVar[float] = 0.85
    output_size: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check_whole("length", self.length, at_least=MINIMUM_LENGTH)
        check_whole("vocabulary_size", self.vocabulary_size, at_least=4)
        if self.first == self.second:
            raise ValueError(f"first and second must be two different words, got {self.first!r}.")
        for word in (self.first, self.second):
            if word not in self.vocabulary[len(SPECIAL) :]:
                raise ValueError(
                    f"first and second must be among the {self.input_size - len(SPECIAL)} most "
                    f"frequent words of the corpus, got {word!r}."
                )
        self.held_out()  # finds the passages, so that a bad pair or share is answered here

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """The word of every token: two special ones, then the words of the corpus by frequency."""
        return SPECIAL + tuple(vocabulary(corpus(), self.vocabulary_size - len(SPECIAL)))

    @property
    def input_size(self) -> int:
        """The number of tokens."""
        return len(self.vocabulary)

    def gap(self, inputs: Tensor) -> Tensor:
        """Return how many steps apart the two words are: tokens (batch, time) -> (batch,).

        Raises ValueError if a sequence does not hold each of the two words exactly once.
        """
        positions = []
        for word in (self.first, self.second):
            is_word = inputs == self.vocabulary.index(word)  # (batch, time)
            if not (is_word.sum(1) == 1).all():
                raise ValueError(f"Every sequence must hold {word!r} exactly once.")
            positions.append(is_word.int().argmax(1))
        return (positions[0] - positions[1]).abs()

    @cached_property
    def _parts(self) -> tuple[Batch, Batch]:
        passages = self._passages()
        if len(passages) < MINIMUM_PASSAGES:
            raise ValueError(
                f"The corpus must hold at least {MINIMUM_PASSAGES} passages with both "
                f"{self.first!r} and {self.second!r}, it has {len(passages)}."
            )
        # The split is one of passages, so that twins never part.
        parts = split(passages, self.held_out_share, self.split_seed)
        return self._encode(parts[0]), self._encode(parts[1])

    def _passages(self) -> list[Passage]:
        found: dict[Passage, None] = {}  # a dict keeps the order of insertion
        for sentence in sentences(corpus()):
            passage = self._longest_passage(sentence)
            # Two sentences can share a passage, or differ by nothing but the swap.
            if passage and passage not in found and self._swap(passage) not in found:
                found[passage] = None
        return list(found)

    def _longest_passage(self, sentence: list[str]) -> Passage:
        longest: Passage = ()
        places = [i for i, word in enumerate(sentence) if word in (self.first, self.second)]
        # A passage about two neighbours of `places` begins after the place before them and ends
        # before the place after them.
        before, after = [-1, *places], [*places[2:], len(sentence)]
        for left, i, j, right in zip(before, places, places[1:], after, strict=False):
            passage = tuple(sentence[left + 1 : right][: self.length])
            holds_both = sentence[i] != sentence[j] and j - left <= self.length
            if holds_both and len(passage) >= max(MINIMUM_LENGTH, len(longest) + 1):
                longest = passage
        return longest

    def _swap(self, passage: Passage) -> Passage:
        other = {self.first: self.second, self.second: self.first}
        return tuple(other.get(word, word) for word in passage)

    def _encode(self, passages: list[Passage]) -> Batch:
        token = {word: i for i, word in enumerate(self.vocabulary)}
        rows, targets = [], []
        for passage in passages:
            for twin in (passage, self._swap(passage)):
                padding = [0] * (self.length - len(twin))
                rows.append(padding + [token.get(word, 1) for word in twin])
                targets.append(int(twin.index(self.second) < twin.index(self.first)))
        return Batch(torch.tensor(rows), torch.tensor(targets))
