"""What a page needs to train: starts, exported steps, generators of batches, a recorded run."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from seqviz.explore.grid import GridError, points
from seqviz.export import deflated, to_onnx
from seqviz.live.race import Race, internals, value
from seqviz.step import TrainingStep
from seqviz.tasks import Adding, CopyMemory, FirstToken, Task

if TYPE_CHECKING:
    from seqviz.live.live import Live

COLUMNS = 120  # of a recorded gradient map
RECORDED = 300  # steps at most


def pack(live: Live) -> dict:
    """Everything a page needs to train, as one JSON-ready record; raises `GridError`.

    Parameters that several starts share are stored once, and so are the steps of models that
    differ in nothing but the numbers of their parameters.
    """
    axes = {name: c for name, c in live.controls.items() if name != "learning_rate"}
    graphs: dict[tuple, str] = {}
    files: dict[str, dict] = {}
    blobs: dict[str, str] = {}
    tasks: dict[str, dict] = {}
    races: dict[str, dict] = {}
    starts = []
    for point in points(axes):
        race = live.race(**point)
        task = repr(race.task)
        if task not in tasks:
            tasks[task] = feed(race.task)
        records = [step.record for step in race.steps.values()]
        seen = repr((task, race.looks, race.quantity, race.units, records))
        if seen not in races:
            races[seen] = race.facts()
        runs = []
        for label, step in race.steps.items():
            signature = _signature(step)
            if signature not in graphs:
                text = deflated(exported(step, race))
                graphs[signature] = f"step-{_digest(text.encode())}"
                files[graphs[signature]] = {"deflated": text}
            pieces = [p.detach().float().numpy().tobytes() for p in race.models[label].parameters()]
            blobs |= {_digest(raw): base64.b64encode(raw).decode("ascii") for raw in pieces}
            runs.append({
                "graph": graphs[signature], "start": [_digest(raw) for raw in pieces],
                "size": len(step.start()),
            })  # fmt: skip
        starts.append({
            "task": list(tasks).index(task), "facts": list(races).index(seen), "runs": runs,
            "seed": race.seed,
        })  # fmt: skip
    data = {"feeds": list(tasks.values()), "blobs": blobs}
    facts = list(races.values())
    name = f"starts-{_digest(json.dumps(data).encode())}"
    return {
        "starts": starts, "axes": list(axes), "sizes": [len(c.values) for c in axes.values()],
        "facts": facts, "files": {**files, name: data}, "data": name,
        "batch_size": live.settings["batch_size"], "recorded": _recorded(live),
        "figures": [v["figure"] for v in facts[0]["views"]],
    }  # fmt: skip


def feed(task: Task) -> dict:
    """How a page draws this task's batches: the name of its generator, or rows to choose from.

    Raises GridError for a task whose batches a page cannot draw.
    """
    if type(task) in (Adding, FirstToken, CopyMemory):  # another class may draw other batches
        return {"kind": task.name, **vars(task)}
    if not hasattr(task, "training_part"):
        raise GridError(
            f"A page draws the batches of Adding, CopyMemory, FirstToken and of tasks with a "
            f"training_part, not of {type(task).__name__}."
        )
    batch = task.training_part()
    return {"kind": "rows", "inputs": _array(batch.inputs), "targets": _array(batch.targets)}


def exported(step: TrainingStep, race: Race) -> bytes:
    """The step as an ONNX file, for batches of the race's size."""
    batch = race.batch()
    rate = torch.tensor(race.rate)
    names = ("state", "inputs", "targets", "learning_rate")
    return to_onnx(step, dict(zip(names, (step.start(), batch.inputs, batch.targets, rate))))


def _signature(step: TrainingStep) -> tuple:
    """What decides the graph of a step: all but the numbers of the parameters."""
    of_torch = vars(nn.Module())
    modules = tuple(
        (name, type(module), tuple(
            (key, _setting(entry)) for key, entry in sorted(vars(module).items())
            if key not in of_torch
        ))
        for name, module in step.model.named_modules()
    )  # fmt: skip
    buffers = tuple((name, b.numpy().tobytes()) for name, b in step.model.named_buffers())
    return (
        repr(step.task), tuple(step.shapes.items()), modules, buffers, step.optimizer, step.clip,
        step.record,
    )  # fmt: skip


def _setting(entry: Any) -> Hashable:
    """An attribute of a module such that equal ones make equal graphs; unknown ones are unequal."""
    if isinstance(entry, (list, tuple)):
        return type(entry), *map(_setting, entry)
    if isinstance(entry, torch.Generator):
        return torch.Generator  # its state is a number
    return (type(entry), entry) if isinstance(entry, Hashable) else object()


def _recorded(live: Live) -> dict:
    """The run at the start of the controls, for a device that cannot train."""
    race = live.race()
    steps = min(live.steps, RECORDED)
    every = -(-steps // COLUMNS)
    values: list[list[Tensor]] = [[] for _ in race.models]
    rows: list[list[Tensor]] = [[] for _ in race.models]
    last: list[dict[str, Tensor]] = []
    for step in range(steps):
        last = race.take()
        for run, measured in enumerate(last):
            values[run].append(value(measured))
            if step % every == 0 and race.quantity in measured:
                rows[run].append(measured[race.quantity])
    runs = [
        {"value": _array(torch.stack(values[run])),
         "rows": _array(torch.stack(rows[run])) if rows[run] else None,
         "last": {name: _array(tensor) for name, tensor in internals(measured).items()}}
        for run, measured in enumerate(last)
    ]  # fmt: skip
    return {"steps": steps, "every": every, "runs": runs}


def _array(tensor: Tensor) -> dict:
    """A tensor as text: its numbers deflated, their type and the shape."""
    values = tensor.detach().numpy()
    wide = values.dtype == np.int64
    values = values.astype(np.int32 if wide else np.float32)
    return {
        "deflated": deflated(values.tobytes()), "dtype": str(values.dtype),
        "shape": list(values.shape), "wide": wide,  # the page makes them 64 bits wide again
    }  # fmt: skip


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:12]
