"""Words, n-grams and a small corpus of real English prose that every Python carries with it."""

import collections
import random
import re
import string
from collections.abc import Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

# Spelled out, because `\s` means different characters to Python and to JavaScript.
WHITESPACE = re.compile("[ \t\n\r\f\v\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
RULE = re.compile(r"([*=\-~^\"#])\1{2,}$")  # the line drawn under a heading
TABLE_OR_CODE = re.compile(r"[|+]|>>>|\.\.\. |.*::=")
LIST_ITEM = re.compile(r"([*\-]|\d+\.|\[\d+\]) ")
EMPHASIS = re.compile(r"(\*{1,2})(?=\S)([^*]+?)(?<=\S)\1")
FOOTNOTE = re.compile(r" ?\[\d+\]")
SENTENCE_END = re.compile(r"(?<=[.!?]) +(?=[A-Z])")


def words(text: str) -> list[str]:
    """Split a text into lower-case words, without punctuation at either end of a word.

    The rule has three steps: lower-case the text, split it on whitespace, strip ASCII punctuation
    from both ends of every piece. Pieces with nothing left are dropped.

    Raises TypeError if `text` is not a string.

    >>> words("The cat -- it's on 'the' mat!")
    ['the', 'cat', "it's", 'on', 'the', 'mat']
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a string, got {type(text).__name__}.")
    pieces = WHITESPACE.split(text.lower())
    stripped = (piece.strip(string.punctuation) for piece in pieces)
    return [word for word in stripped if word]


def ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """List every run of `n` consecutive words, in order of appearance.

    A sequence of T words has T - n + 1 of them, none if it is shorter than `n`.
    Raises ValueError if `n` is smaller than 1.

    >>> ngrams(["the", "cat", "sat"], 2)
    [('the', 'cat'), ('cat', 'sat')]
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}.")
    return list(zip(*(words[start:] for start in range(n)), strict=False))


def corpus() -> tuple[str, ...]:
    """Return the prose of Python's own manual: one document a topic, sorted by topic.

    The text is that of `pydoc_data.topics`, part of CPython, so that nothing is downloaded; its
    size differs a little from one version of Python to the next. Headings stay, their underlines
    go, and so do tables, grammars and blocks of code. Blank lines separate the paragraphs.
    """
    from pydoc_data.topics import topics  # 0.5 MB, so only when asked for

    return tuple(_prose(topics[name]) for name in sorted(topics))


def sentences(documents: Iterable[str]) -> list[list[str]]:
    """Split documents into sentences of at least three words, each a list of words.

    A sentence ends at the end of its paragraph, or at `.`, `!` or `?` before a capital letter.
    Topics of the manual share passages: a sentence that returns is listed only once, or a held-out
    part would hold sentences seen in training. Raises TypeError if `documents` is a single string.
    """
    found = {}
    for document in _documents(documents):
        for paragraph in document.split("\n\n"):
            for sentence in SENTENCE_END.split(" ".join(paragraph.split("\n"))):
                sentence_words = words(sentence)
                if len(sentence_words) >= 3:
                    found[tuple(sentence_words)] = None  # a dict keeps the order of insertion
    return [list(sentence) for sentence in found]


def vocabulary(documents: Iterable[str], size: int | None = None) -> list[str]:
    """List the distinct words of the documents, most frequent first, ties in alphabetical order.

    Only the first `size` words are kept, or all of them if it is None.
    Raises TypeError if `documents` is a single string, ValueError if `size` is smaller than 1.
    """
    if size is not None and size < 1:
        raise ValueError(f"size must be at least 1 or None, got {size}.")
    counts = collections.Counter()
    for document in _documents(documents):
        counts.update(words(document))
    return sorted(counts, key=lambda word: (-counts[word], word))[:size]


def split(
    items: Sequence[Item], held_out: float = 0.2, seed: int = 0
) -> tuple[list[Item], list[Item]]:
    """Shuffle items by `seed` and split them into a training part and a held-out part.

    `held_out` is the held-out share, between 0 and 1 (both excluded); neither part is ever empty.
    Raises ValueError for any other share, or for fewer than two items.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must lie between 0 and 1 (both excluded), got {held_out}.")
    if len(items) < 2:
        raise ValueError(f"A split needs at least 2 items, got {len(items)}.")
    shuffled = list(items)
    random.Random(seed).shuffle(shuffled)
    size = min(max(round(held_out * len(items)), 1), len(items) - 1)
    return shuffled[size:], shuffled[:size]


def _documents(documents: Iterable[str]) -> Iterable[str]:
    if isinstance(documents, str):  # it would be read as documents of one letter each
        raise TypeError("documents must be a list of strings, got a single string.")
    return documents


def _prose(topic: str) -> str:
    paragraphs = []
    code_indent = None  # while inside a code block: the indent of the sentence that announced it
    for block in re.split(r"\n\s*\n", topic.strip("\n")):
        indent = len(block) - len(block.lstrip(" "))
        lines = [line.strip() for line in block.split("\n")]
        if code_indent is not None and indent > code_indent and not LIST_ITEM.match(lines[0]):
            continue
        lines = [line for line in lines if not (RULE.match(line) or TABLE_OR_CODE.match(line))]
        text = FOOTNOTE.sub("", EMPHASIS.sub(r"\2", " ".join(lines)))
        # Sphinx prints the `::` that announces a block of code as a plain colon.
        code_indent = indent if text.endswith(":") else None
        if text:
            paragraphs.append(text)
    return "\n\n".join(paragraphs)
