"""Readable sequence models, one file an architecture; each returns its internals by name."""

from seqviz.models.bag import BagOfWords, NGrams
from seqviz.models.output import Output
from seqviz.models.rnn import RNN, scale_to_spectral_radius, spectral_radius

__all__ = [
    "RNN",
    "BagOfWords",
    "NGrams",
    "Output",
    "scale_to_spectral_radius",
    "spectral_radius",
]
