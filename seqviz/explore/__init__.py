"""Interactive figures: `explore(figure_for, gain=Slider(…), cell=Choice(…))`."""

from seqviz.explore.controls import Choice, Slider, Text, Toggle
from seqviz.explore.explorable import Explorable, explore
from seqviz.explore.frame import Frame, head_view, model_view
from seqviz.explore.grid import GridError

__all__ = [
    "Choice", "Explorable", "Frame", "GridError", "Slider", "Text", "Toggle", "explore",
    "head_view", "model_view",
]  # fmt: skip
