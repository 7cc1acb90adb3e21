"""The live form in a notebook: the front end asks for steps, and the kernel takes them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import traitlets

from seqviz.explore.grid import error_line, plain
from seqviz.explore.widget import Widget
from seqviz.live.race import Race, internals, value

if TYPE_CHECKING:
    from seqviz.live.live import Live

SLICE = 0.1  # seconds of training for one message, so that an interrupt and other cells get a turn


class LiveWidget(Widget):
    """Shows a `Live` in a notebook; every view of it trains models of its own."""

    facts = traitlets.Dict().tag(sync=True)

    def __init__(self, live: Live) -> None:
        self._live = live
        self._races: dict[str, Race] = {}
        super().__init__(live.spec(), facts=live.race().facts())

    def _on_message(self, widget: Any, message: Any, buffers: Any) -> None:
        if not isinstance(message, dict):
            return super()._on_message(widget, message, buffers)
        try:
            handlers = {
                "facts": self._facts, "start": self._start, "run": self._run,
                "release": self._release,
            }  # fmt: skip
            result = handlers[message["kind"]](message)
        # Whatever the reader's function raises is shown beside the controls; the kernel lives on.
        except Exception as error:
            result = {"error": error_line(error)}
        except KeyboardInterrupt:  # without an answer the front end would wait for ever
            result = {"error": "The training was interrupted: press Train to begin again."}
        answer = {"kind": "answer", "number": message.get("number"), **result}
        return self.send(plain(answer, nulls=True))

    def _facts(self, message: dict) -> dict:
        return {"facts": self._live.race(**message["positions"]).facts()}

    def _start(self, message: dict) -> dict:
        self._races[message["view"]] = self._live.race(**message["positions"])
        return {}

    def _release(self, message: dict) -> dict:
        self._races.pop(message["view"], None)
        return {}

    def _run(self, message: dict) -> dict:
        race, measured = self._races[message["view"]], []
        race.rate = float(message["rate"])
        values: list[list] = [[] for _ in race.steps]
        rows: list[list] = [[] for _ in race.steps]
        end = time.monotonic() + SLICE
        while race.taken < message["until"] and (not measured or time.monotonic() < end):
            step, measured = race.taken, race.take()
            for run, result in enumerate(measured):
                values[run].append(value(result).item())
                if step % message["every"] == 0 and race.quantity in result:
                    rows[run].append([step, result[race.quantity].numpy()])
        last = [
            {name: {"data": tensor.flatten().numpy(), "dims": list(tensor.shape)}
             for name, tensor in internals(result).items()}
            for result in measured
        ]  # fmt: skip
        return {"taken": race.taken, "values": values, "rows": rows, "last": last}
