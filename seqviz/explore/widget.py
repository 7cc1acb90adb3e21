"""The live form of an explorable: an anywidget whose every move calls the kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from seqviz.explore.grid import error_line, figure_json, plain
from seqviz.plots.style import TEMPLATES

if TYPE_CHECKING:
    from seqviz.explore.explorable import Explorable

STATIC = Path(__file__).parent.parent / "static"


def _static(name: str) -> str:
    path = STATIC / name
    if not path.is_file():
        raise FileNotFoundError(
            f"The front-end file {name} is not built: run `make front` in the repository."
        )
    return path.read_text(encoding="utf-8")


def _answer(explorable: Explorable, request: dict[str, Any]) -> dict:
    """The figures at the positions asked for, or the one sentence that says why there are none."""
    number, positions = request.get("number"), request.get("positions")
    try:
        if not isinstance(positions, dict):
            raise TypeError("A request has a position for each control.")
        figures = [figure_json(figure) for figure in explorable.figures(**positions)]
        return {"number": number, "figures": plain(figures, nulls=True), "error": ""}
    # Whatever the reader's function raises is shown beside the controls; the kernel lives on.
    except Exception as error:
        return {"number": number, "figures": [], "error": error_line(error)}
    except KeyboardInterrupt:  # without an answer the front end would wait for ever
        error = "This figure was interrupted: move a control to draw it again."
        return {"number": number, "figures": [], "error": error}


class Widget(anywidget.AnyWidget):
    """What every figure in a notebook shares: its style, its theme, and one plotly.js a page."""

    _css = traitlets.Unicode().tag(sync=True)  # anywidget drops it where it is no trait
    spec = traitlets.Dict().tag(sync=True)
    templates = traitlets.Dict().tag(sync=True)

    def __init__(self, spec: dict, **traits: Any) -> None:
        files = {"_esm": _static("widget.js"), "_css": _static("style.css")}
        super().__init__(**files, spec=spec, templates=TEMPLATES, **traits)
        self.on_msg(self._on_message)

    def _on_message(self, _widget: Any, message: Any, _buffers: Any) -> None:
        # One plotly.js a notebook page: the first figure asks for it.
        if message == "plotly":
            self.send({"kind": "plotly"}, [_static("plotly.min.js").encode("utf-8")])


class ExplorableWidget(Widget):
    """Shows an `Explorable` in a notebook: the front end asks, the kernel answers with figures."""

    request = traitlets.Dict().tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)

    def __init__(self, explorable: Explorable) -> None:
        starts = {name: control.start for name, control in explorable.controls.items()}
        self._explorable = explorable
        answer = _answer(explorable, {"number": 0, "positions": starts})
        super().__init__(explorable.spec(), answer=answer)
        self.observe(self._on_request, "request")

    def _on_request(self, change: Any) -> None:
        self.answer = _answer(self._explorable, change["new"])
