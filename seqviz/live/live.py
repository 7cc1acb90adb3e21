"""`train_live`: one call makes a training that the reader starts, stops and steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from seqviz.explore.controls import Control, Slider, Text, shown
from seqviz.explore.explorable import building_book, check_arguments, check_name_and_caption
from seqviz.live.race import Race
from seqviz.tasks import Task

LIVE_MIME = "application/vnd.seqviz.live+json"
VIEWS = ("metric", "gradient", "gradient map", "gates", "attention")

Start = Callable[..., tuple[Task, Mapping[str, nn.Module]]]


class Live:
    """Models that train side by side, with buttons and pictures that follow."""

    def __init__(
        self, start: Start, controls: Mapping[str, Control], name: str, caption: str, steps: int,
        learning_rate: float, settings: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.start, self.controls = start, dict(controls)
        self.name, self.caption, self.steps = name, caption, steps
        self.learning_rate, self.settings = learning_rate, dict(settings)
        self.race()  # here, so that a start that fails says so in the cell that made it
        self._page = None
        if building_book():
            from seqviz.live.page import pack

            self._page = {**self.spec(), "packed": pack(self)}

    def spec(self) -> dict:
        """What the front end needs to know, apart from models and pictures."""
        return {
            "name": self.name,
            "caption": self.caption,
            "controls": [control.spec(name) for name, control in self.controls.items()],
            "steps": self.steps,
            "rate": self.learning_rate,
        }

    def race(self, **positions: Any) -> Race:
        """The models before their first step, at these positions of the controls or their start."""
        begin = {name: control.start for name, control in self.controls.items()} | positions
        values = {name: self.controls[name].at(p) for name, p in begin.items()}
        rate = float(values.pop("learning_rate", self.learning_rate))
        result = self.start(**values)
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(
                "The start function must return a task and a dictionary from label to model, "
                f"not {shown(result)}."
            )
        task, models = result
        return Race(task, models, rate=rate, seed=int(values.get("seed", 0)), **self.settings)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        if self._page is not None:
            return {LIVE_MIME: self._page, "text/plain": f"{self.name}: {self.caption}"}
        from seqviz.live.widget import LiveWidget

        return LiveWidget(self)._repr_mimebundle_(include=include, exclude=exclude)


def train_live(
    start: Start,
    *,
    name: str,
    caption: str,
    views: Sequence[str] = ("metric", "gradient"),
    steps: int = 1000,
    batch_size: int = 32,
    learning_rate: float | Slider = 3e-3,
    optimizer: str = "adam",
    clip: float | None = 1.0,
    **controls: Control,
) -> Live:
    """Let the reader train models: Train, Pause, Step and Reset, and pictures that follow.

    `start` takes one argument for each control and returns a task and a dictionary from label to
    model. All models train on the same batches, those of `seqviz.steps`; a control named `seed`
    also chooses them. `learning_rate` may be a slider, which acts on a training that goes on; any
    other control begins a new one. `views` are "metric", "gradient", "gradient map", "gates" and
    "attention". In a kernel PyTorch takes the steps; on a page the browser takes the same steps,
    traced from PyTorch and exported when the book is built. Raises `ValueError` or `TypeError` in
    one sentence for anything else.
    """
    check_name_and_caption(name, caption)
    if not callable(start):
        raise TypeError(f"start must be a function, not {shown(start)}.")
    for view in views:
        if view not in VIEWS:
            raise ValueError(f"A view is one of {', '.join(VIEWS)}, not {shown(view)}.")
    for key, number in (("steps", steps), ("batch_size", batch_size)):
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise ValueError(f"{key} must be a whole number of at least 1, not {shown(number)}.")
    for key, control in controls.items():
        if not isinstance(control, Control) or isinstance(control, Text):
            raise TypeError(
                f"{key} must be a Slider, Choice or Toggle, not {type(control).__name__}."
            )
    check_arguments(start, controls)
    if isinstance(learning_rate, Slider):
        controls = {**controls, "learning_rate": learning_rate}
        learning_rate = learning_rate.value
    settings = {
        "views": tuple(views), "batch_size": batch_size, "optimizer": optimizer, "clip": clip,
    }  # fmt: skip
    return Live(start, controls, name, caption, steps, learning_rate, settings)
