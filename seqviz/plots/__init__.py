"""Pictures: arrays in, a plotly figure out; nothing here trains."""

from seqviz.plots.gradients import (
    cliff,
    eigenvalue_plane,
    gradient_by_lag,
    gradient_by_token,
    gradient_map,
    matrix_powers,
    singular_values,
)
from seqviz.plots.text import (
    bags,
    count_matrix,
    ngram_growth,
    ngram_recurrence,
    zeros_by_vocabulary,
)
from seqviz.plots.training import accuracy_bars, loss_curves

__all__ = [
    "accuracy_bars", "bags", "cliff",
    "count_matrix", "eigenvalue_plane", 
    "gradient_by_lag", "gradient_by_token", "gradient_map",
    "loss_curves", "matrix_powers", "ngram_growth",
    "ngram_recurrence", 
    "singular_values", "zeros_by_vocabulary",
]  # fmt: skip
