"""`explore`: one call makes a figure interactive in a notebook and on a page without a kernel."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import plotly.graph_objects as go

from seqviz.explore import controls as _controls
from seqviz.explore.grid import as_figures, figure_json, pack, plain
from seqviz.typed import PageFunction

EXPLORABLE_MIME = "application/vnd.seqviz.explorable+json"
BOOK_VARIABLE = "SEQVIZ_BOOK"  # set while the book is built: figures are then packed for a page

NAME = re.compile(r"[a-z][a-z0-9-]*")


def building_book() -> bool:
    """Whether the book's build runs this notebook."""
    return bool(os.environ.get(BOOK_VARIABLE))


class Explorable:
    """A figure with its controls; shows itself in a notebook cell and on the book's pages."""

    def __init__(
        self,
        figure_for: Callable[..., Any],
        controls: Mapping[str, _controls.Control],
        name: str,
        caption: str,
        page_function: str | PageFunction | None = None,
    ) -> None:
        self.figure_for = figure_for
        self.controls = dict(controls)
        self.name = name
        self.caption = caption
        self.page_function = page_function
        # Called once here, so that a function that fails says so in the cell that made it.
        self.figures(**{key: control.start for key, control in self.controls.items()})
        # Packed here, not when it is shown: what a display raises is printed, and the build would
        # go on with a figure missing.
        self._page = {**self.spec(), "packed": self.packed()} if building_book() else None

    def values(self, **positions: Any) -> dict[str, Any]:
        """The arguments of the figure function at these positions of the controls."""
        if positions.keys() != self.controls.keys():
            raise ValueError(
                f"The controls are {', '.join(self.controls) or 'none'}, but there are positions "
                f"for {', '.join(positions) or 'none'}."
            )
        return {name: self.controls[name].at(p) for name, p in positions.items()}

    def figures(self, **positions: Any) -> list[go.Figure]:
        """The figures at these positions of the controls."""
        return as_figures(self.figure_for(**self.values(**positions)))

    def spec(self) -> dict:
        """What the front end needs to know, apart from the figures."""
        return {
            "name": self.name,
            "caption": self.caption,
            "controls": [control.spec(name) for name, control in self.controls.items()],
        }

    def packed(self) -> dict:
        """The whole grid for a page; raises `GridError` where it cannot be shown."""
        if self.page_function is None:
            return pack(self.figure_for, self.controls)
        start = self.figures(**{key: control.start for key, control in self.controls.items()})
        figures = plain([figure_json(f) for f in start])
        if isinstance(self.page_function, str):
            return {"figures": figures, "function": self.page_function}
        (text,) = (c.start for c in self.controls.values() if isinstance(c, _controls.Text))
        return {"figures": figures, **self.page_function.packed(text)}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        text = f"{self.name}: {self.caption}"
        if self._page is not None:
            return {EXPLORABLE_MIME: self._page, "text/plain": text}
        from seqviz.explore.widget import ExplorableWidget

        return ExplorableWidget(self)._repr_mimebundle_(include=include, exclude=exclude)


def explore(
    figure_for: Callable[..., Any] | go.Figure,
    *,
    name: str,
    caption: str,
    page_function: str | PageFunction | None = None,
    **controls: _controls.Control,
) -> Explorable:
    """Make a figure interactive: `figure_for` takes one argument for each control.

    `figure_for` is an ordinary function that returns a plotly figure, or a list of figures that
    share the controls; or it is a figure that needs no control. `name` (lower case, digits,
    hyphens) is the figure's address on its page, `caption` is the text below it. In a kernel
    each move calls the function; in the book's build the whole grid is computed once and the
    page draws from it. A figure with a `Text` control names the `page_function` of the front end
    that stands in for the kernel on a page; a `PageFunction` also exports the PyTorch function
    that reads the text of its one `Text` control. Raises `ValueError` or `TypeError` in one
    sentence for anything else.
    """
    check_name_and_caption(name, caption)
    for key, control in controls.items():
        if not isinstance(control, _controls.Control):
            raise TypeError(
                f"{key} must be a Slider, Choice, Toggle or Text, not {type(control).__name__}."
            )
    if isinstance(figure_for, (go.Figure, list, tuple)):
        if controls:
            raise ValueError("A finished figure has no controls: pass a function that returns it.")
        figures = as_figures(figure_for)
        return Explorable(lambda: figures, {}, name, caption)
    if not callable(figure_for):
        raise TypeError(
            f"figure_for must be a function that returns a plotly figure, "
            f"not {type(figure_for).__name__}."
        )
    check_arguments(figure_for, controls)
    texts = [c for c in controls.values() if isinstance(c, _controls.Text)]
    if texts and page_function is None:
        raise ValueError("A figure with a Text control needs page_function, for pages.")
    if isinstance(page_function, PageFunction) and len(texts) != 1:
        raise ValueError(f"A PageFunction reads one Text control, but there are {len(texts)}.")
    if not isinstance(page_function, (str, PageFunction, type(None))):
        raise TypeError(
            "page_function must be a PageFunction or the name of a function of the front end, "
            f"not {type(page_function).__name__}."
        )
    return Explorable(figure_for, controls, name, caption, page_function)


def check_name_and_caption(name: str, caption: str) -> None:
    """Check a figure's name and caption; raises `ValueError` if one cannot be."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(
            f"name must be lower-case letters, digits and hyphens, not {_controls.shown(name)}."
        )
    if not isinstance(caption, str) or not caption.strip():
        raise ValueError("caption must be a text that is not empty.")


def check_arguments(figure_for: Callable[..., Any], controls: Mapping[str, Any]) -> None:
    """Check that a function takes one argument for each control; raises `TypeError` if not."""
    try:
        signature = inspect.signature(figure_for)
    except ValueError:
        raise TypeError(
            "figure_for must be a Python function, whose arguments can be read."
        ) from None
    try:
        signature.bind(**controls)
    except TypeError as error:
        wanted = ", ".join(signature.parameters) or "no argument"
        raise TypeError(
            f"The figure function takes {wanted}, but the controls are "
            f"{', '.join(controls) or 'none'}: {error}."
        ) from None
