"""Sequence tasks, real and synthetic, each with its chance level and seeded batches."""

from seqviz.tasks.dates import Dates, Sentence, write_dates
from seqviz.tasks.digits import Digits
from seqviz.tasks.order import Order
from seqviz.tasks.synthetic import Adding, CopyMemory, FirstToken
from seqviz.tasks.task import Batch, DataTask, Task
from seqviz.tasks.text import corpus, ngrams, sentences, split, vocabulary, words

__all__ = [
    "Adding",
    "Batch",
    "CopyMemory",
    "DataTask",
    "Dates",
    "Digits",
    "FirstToken",
    "Order",
    "Sentence",
    "Task",
    "corpus",
    "ngrams",
    "sentences",
    "split",
    "vocabulary",
    "words",
    "write_dates",
]
