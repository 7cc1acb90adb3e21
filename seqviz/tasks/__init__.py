"""Sequence tasks, real and synthetic, each with its chance level and seeded batches."""

from seqviz.tasks.order import Order
from seqviz.tasks.synthetic import Adding, FirstToken
from seqviz.tasks.task import Batch, Task
from seqviz.tasks.text import corpus, ngrams, sentences, split, vocabulary, words

__all__ = [
    "Adding",
    "Batch",
    "FirstToken",
    "Order",
    "Task",
    "corpus",
    "ngrams",
    "sentences",
    "split",
    "vocabulary",
    "words",
]
