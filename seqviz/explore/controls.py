"""The controls a reader moves: a slider, a choice, a toggle, a line of text.

Every control maps a *position* (what the page stores: a place on a slider, the index of a
choice) to a *value* (what your figure function receives).
"""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

TEXT_LIMIT = 200  # characters; longer text would not fit a figure on a phone


def shown(value: Any) -> str:
    """A value as an error message shows it: on one line, at most 60 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:59] + "…"


def _number(value: Any, what: str) -> float:
    """An ordinary int or float, which JSON can hold, as NumPy's integers cannot be held."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = int(value) if isinstance(value, numbers.Integral) else float(value)
            if math.isfinite(number):
                return number
        except OverflowError:  # an integer beyond every float
            pass
    raise ValueError(f"{what} must be a finite number, not {shown(value)}.")


def _tuple(values: Any, what: str) -> tuple:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ValueError(f"{what} must be a list, not {shown(values)}.")
    return tuple(values)


def _label(label: str | None, name: str) -> str:
    return label if label is not None else name.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Slider:
    """A number the reader drags: one of `values`, and in a kernel any value between them.

    `values` is an increasing list of at least two numbers; `value` is where it starts (the first
    one if not given). With `play=True` a button sweeps through the values. `scale="log"` makes
    the values between two grid points geometric. `unit` is spoken and shown after the number.
    Raises `ValueError` with one sentence for anything else.
    """

    values: Iterable[float]
    value: float | None = None
    label: str | None = None
    unit: str = ""
    scale: str = "linear"
    play: bool = False

    def __post_init__(self) -> None:
        given = _tuple(self.values, "The values of a slider")
        values = tuple(_number(v, "Each value of a slider") for v in given)
        if len(values) < 2 or any(b <= a for a, b in itertools.pairwise(values)):
            raise ValueError("A slider needs at least two values, each larger than the one before.")
        if self.scale not in ("linear", "log"):
            raise ValueError(f'A slider\'s scale is "linear" or "log", not {shown(self.scale)}.')
        if self.scale == "log" and values[0] <= 0:
            raise ValueError("A slider with a log scale needs values above zero.")
        value = values[0] if self.value is None else _number(self.value, "A slider's start")
        if value not in values:
            raise ValueError(
                f"A slider starts at one of its values {shown(values)}, not {value!r}."
            )
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "value", value)

    @property
    def start(self) -> float:
        """The position it starts at."""
        return self.values.index(self.value)

    def at(self, position: float) -> float:
        """The value at a position between 0 and `len(values) - 1`."""
        position = _number(position, "A slider's position")
        if not 0 <= position <= len(self.values) - 1:
            raise ValueError(
                f"A slider's position lies between 0 and {len(self.values) - 1}, not {position!r}."
            )
        low = min(int(position), len(self.values) - 2)
        a, b, part = self.values[low], self.values[low + 1], position - low
        if part in (0, 1):
            return a if part == 0 else b
        between = a * (b / a) ** part if self.scale == "log" else a + (b - a) * part
        if all(isinstance(v, numbers.Integral) for v in self.values):
            return math.floor(between + 0.5)  # as the page rounds: halves go up
        return float(f"{between:.4g}")

    def spec(self, name: str) -> dict:
        """What the front end needs to know."""
        return {
            "kind": "slider", "name": name, "label": _label(self.label, name), "unit": self.unit,
            "values": list(self.values), "scale": self.scale, "play": self.play,
            "whole": all(isinstance(v, numbers.Integral) for v in self.values),
            "start": self.start,
        }  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """One of a few options: a list of strings, or a mapping from label to value.

    `value` is the label it starts at (the first if not given). Raises `ValueError` otherwise.
    """

    options: Iterable[str] | Mapping[str, Any]
    value: str | None = None
    label: str | None = None
    _values: tuple = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        if isinstance(self.options, Mapping):
            labels, values = tuple(self.options), tuple(self.options.values())
        else:
            labels = values = _tuple(self.options, "The options of a choice")
        if not all(isinstance(label, str) and label for label in labels):
            raise ValueError("The labels of a choice are strings that are not empty.")
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise ValueError("A choice needs at least two options, each with a label of its own.")
        value = labels[0] if self.value is None else self.value
        if value not in labels:
            raise ValueError(
                f"A choice starts at one of {shown(list(labels))}, not {shown(value)}."
            )
        object.__setattr__(self, "options", labels)
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "value", value)

    @property
    def values(self) -> tuple:
        """What the figure function may receive, in order."""
        return self._values

    @property
    def start(self) -> int:
        """The position it starts at."""
        return self.options.index(self.value)

    def at(self, position: int) -> Any:
        """The value of the option at an index."""
        if isinstance(position, bool) or position not in range(len(self.options)):
            raise ValueError(
                f"A choice's position is one of 0 to {len(self.options) - 1}, "
                f"not {shown(position)}."
            )
        return self._values[int(position)]

    def spec(self, name: str) -> dict:
        """What the front end needs to know."""
        return {
            "kind": "choice", "name": name, "label": _label(self.label, name),
            "values": list(self.options), "start": self.start,
        }  # fmt: skip


@dataclass(frozen=True)
class Toggle:
    """A check box; your function receives `True` or `False`."""

    value: bool = False
    label: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.value, bool):
            raise ValueError(f"A toggle starts at True or False, not {shown(self.value)}.")

    values = (False, True)

    @property
    def start(self) -> int:
        """The position it starts at."""
        return int(self.value)

    def at(self, position: int) -> bool:
        """The value at position 0 (off) or 1 (on)."""
        if position not in (0, 1):
            raise ValueError(f"A toggle's position is 0 or 1, not {shown(position)}.")
        return bool(position)

    def spec(self, name: str) -> dict:
        """What the front end needs to know."""
        return {
            "kind": "toggle", "name": name, "label": _label(self.label, name), "start": self.start,
            "values": ["off", "on"],
        }  # fmt: skip


@dataclass(frozen=True)
class Text:
    """A line the reader types, at most 200 characters.

    No grid can hold every sentence, so on a built page the figure comes from the page function
    that `explore(…, page_function=…)` names.
    """

    value: str = ""
    label: str | None = None

    def __post_init__(self) -> None:
        self.at(self.value)

    @property
    def start(self) -> str:
        """The position it starts at."""
        return self.value

    def at(self, position: str) -> str:
        """The text itself; raises `ValueError` if it is no text or too long."""
        if not isinstance(position, str):
            raise ValueError(f"A text control takes text, not {shown(position)}.")
        if len(position) > TEXT_LIMIT:
            raise ValueError(
                f"A text control takes at most {TEXT_LIMIT} characters, not {len(position)}."
            )
        return position

    def spec(self, name: str) -> dict:
        """What the front end needs to know."""
        return {
            "kind": "text", "name": name, "label": _label(self.label, name), "start": self.value,
            "limit": TEXT_LIMIT,
        }  # fmt: skip


Control = Slider | Choice | Toggle | Text
