"""Pictures: arrays in, a plotly figure out; nothing here trains."""

from seqviz.plots.alignment import (
    accuracy_by_dates,
    alignment_map,
    effect_map,
    typed_translation,
    zoom,
)
from seqviz.plots.attention import (
    attention_map,
    attention_step,
    cost_by_length,
    gradient_by_activation,
    head_roles,
    heads_removed,
    loss_by_positions,
    order_by_gap,
    position_code,
    position_products,
)
from seqviz.plots.convolution import (
    gradient_by_layer,
    input_gradient_by_lag,
    pixel_map,
    published_ratio,
    receptive_fields,
    receptive_tree,
    skills,
)
from seqviz.plots.gates import (
    cell_costs,
    cell_gradient,
    cell_steps,
    correlation_bars,
    gate_map,
    gradient_by_depth,
    loss_by_length,
    text_map,
)
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
    judged_sentence,
    ngram_growth,
    ngram_recurrence,
    zeros_by_vocabulary,
)
from seqviz.plots.training import (
    accuracy_bars,
    loss_curves,
)

__all__ = [
    "accuracy_bars", "accuracy_by_dates", "alignment_map", "attention_map", "attention_step",
    "bags", "cell_costs", "cell_gradient", "cell_steps", "cliff", "correlation_bars",
    "cost_by_length", "count_matrix", "effect_map", "eigenvalue_plane", "gate_map",
    "gradient_by_activation", "gradient_by_depth", "gradient_by_lag", "gradient_by_layer",
    "gradient_by_token", "gradient_map", "head_roles", "heads_removed", "input_gradient_by_lag",
    "judged_sentence", "loss_by_length", "loss_by_positions", "loss_curves", "matrix_powers",
    "ngram_growth", "ngram_recurrence", "order_by_gap", "pixel_map", "position_code",
    "position_products", "published_ratio", "receptive_fields", "receptive_tree", "singular_values",
    "skills", "text_map", "typed_translation", "zeros_by_vocabulary", "zoom",
]  # fmt: skip
