"""Interactive figures: `explore(figure_for, gain=Slider(…), cell=Choice(…))`."""

from seqviz.explore.controls import Choice, Slider, Text, Toggle
from seqviz.explore.explorable import Explorable, explore
from seqviz.explore.grid import GridError

__all__ = [
    "Choice", "Explorable", "GridError", "Slider", "Text", "Toggle", "explore",
]  # fmt: skip
