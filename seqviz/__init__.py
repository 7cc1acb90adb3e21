"""See gradients, gates and attention of sequence models. `import seqviz as sv`."""

from seqviz import models, plots, probes, tasks
from seqviz.explore import (
    Choice,
    Explorable,
    Frame,
    GridError,
    Slider,
    Text,
    Toggle,
    explore,
    head_view,
    model_view,
)
from seqviz.live import Live, train_live
from seqviz.plots.style import describe
from seqviz.recordings import recording
from seqviz.trace import Trace
from seqviz.training import Step, evaluate, steps, train
from seqviz.typed import PageFunction
from seqviz.verdicts import Check, Claim, Verdict, claims_table, verdict

__all__ = [
    "Check", "Choice", "Claim", "Explorable", "Frame", "GridError", "Live", "PageFunction",
    "Slider", "Step", "Text", "Toggle", "Trace", "Verdict", "claims_table", "describe", "evaluate",
    "explore", "head_view", "model_view", "models", "plots", "probes", "recording", "steps",
    "tasks", "train", "train_live", "verdict",
]  # fmt: skip
