"""What a reader types, read by an exported PyTorch function: alike in a kernel and on a page."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seqviz.export import deflated, to_onnx
from seqviz.tasks.text import words as split_words

SHOWN = 24  # characters of a word in a sentence
# Marks that would turn the words after them around: a word is shown without.
TURNING = {code: None for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


@dataclass(frozen=True)
class Reading:
    """What a function made of a typed text.

    words     at most as many as the function reads, as the vocabulary writes them
    unknown   for each word, whether the vocabulary lacks it
    note      a sentence on unknown words and words left out; empty if there are none
    results   the function's arrays by name; none where there is nothing to read
    """

    words: tuple[str, ...]
    unknown: tuple[bool, ...]
    note: str
    results: dict[str, np.ndarray]


class PageFunction:
    """A function of typed words for `explore(…, page_function=…)`, exported for a page.

    `name` is the function of the front end that draws its results: the tested twin of a function of
    `seqviz.plots`. `function` takes tokens (1, length) int64, padded with 0 at the left, and
    returns tensors by name. A text is split as by `seqviz.tasks.words`; a word is looked up in
    `vocabulary` whatever its case. Other words become the token `unknown`: 0 leaves them out, and
    where nothing is left the function is not called. `facts` is what the front end's function needs
    to know besides, as JSON. Raises TypeError or ValueError in one sentence for anything else.
    """

    def __init__(
        self,
        name: str,
        function: Callable[[Tensor], Mapping[str, Tensor]],
        *,
        vocabulary: Sequence[str],
        length: int,
        unknown: int,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"name must name a function of the front end, not {name!r}.")
        if not callable(function):
            raise TypeError(f"function must be a function, not {type(function).__name__}.")
        if isinstance(vocabulary, str) or not all(isinstance(word, str) for word in vocabulary):
            raise TypeError("vocabulary must be a list of words.")
        for key, number in (("length", length), ("unknown", unknown)):
            if not isinstance(number, int) or isinstance(number, bool) or number < 0:
                raise ValueError(f"{key} must be a whole number, not {number!r}.")
        if not length or unknown >= len(vocabulary):
            raise ValueError("length must be at least 1 and unknown a token of the vocabulary.")
        self.name, self.function, self.vocabulary = name, function, tuple(vocabulary)
        self.length, self.unknown, self.facts = length, unknown, dict(facts or {})
        self._tokens: dict[str, int] = {}
        for token, word in enumerate(self.vocabulary):
            self._tokens.setdefault(word.lower(), token)

    def tokens(self, text: str) -> Tensor:
        """Return the tokens (1, length) of a text, padded with 0 at the left."""
        words = split_words(text)[: self.length]
        tokens = [self._tokens.get(word, self.unknown) for word in words]
        return torch.tensor([[0] * (self.length - len(tokens)) + tokens])

    def read(self, text: str) -> Reading:
        """Call the function on a text; raises TypeError if that is not a string."""
        words = split_words(text)
        first = words[: self.length]
        unknown = tuple(word not in self._tokens for word in first)
        tokens = self.tokens(text)
        results: dict[str, np.ndarray] = {}
        if tokens.any():
            with torch.no_grad():
                results = {key: value.numpy() for key, value in self.function(tokens).items()}
        return Reading(
            tuple(
                word.translate(TURNING) if bad else self.vocabulary[self._tokens[word]]
                for word, bad in zip(first, unknown)
            ),
            unknown,
            self._note(words, unknown),
            results,
        )

    def _note(self, words: Sequence[str], unknown: Sequence[bool]) -> str:
        strange = dict.fromkeys(word for word, bad in zip(words, unknown) if bad)
        parts = []
        if strange:
            named = ", ".join(f"“\u2068{_short(word)}\u2069”" for word in strange)
            parts.append(f"Not in the model's vocabulary: {named}.")
        if len(words) > self.length:
            parts.append(f"The model reads {self.length} words; the rest is left out.")
        return " ".join(parts)

    def packed(self, text: str) -> dict:
        """What a page needs: the exported graph, the vocabulary, and the results for a first text.

        Raises ImportError where onnxscript is not installed.
        """

        def flat(tokens: Tensor) -> Mapping[str, Tensor]:
            with torch.no_grad():
                return self.function(tokens)

        graph = deflated(to_onnx(flat, {"tokens": self.tokens(text)}))
        digest = hashlib.sha256(graph.encode()).hexdigest()[:12]
        return {
            "function": self.name, "files": {f"text-{digest}": {"deflated": graph}},
            "vocabulary": list(self.vocabulary), "length": self.length, "unknown": self.unknown,
            "facts": self.facts, "text": text,
            "results": {key: _array(value) for key, value in self.read(text).results.items()},
        }  # fmt: skip


def _short(word: str) -> str:
    word = word.translate(TURNING)
    return word if len(word) <= SHOWN else word[: SHOWN - 1] + "…"


def _array(values: np.ndarray) -> dict:
    values = values.astype(np.int32 if values.dtype.kind in "iu" else np.float32)
    return {
        "deflated": deflated(values.tobytes()),
        "dtype": str(values.dtype),
        "shape": list(values.shape),
    }
