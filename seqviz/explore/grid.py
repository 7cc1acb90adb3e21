"""A whole grid of figures in one small record, for a page that has no kernel.

Every figure of a grid is cut into leaves: arrays, strings, numbers. A leaf that is the same
everywhere stays in the first figure. A leaf that changes becomes a *slot*: its distinct values
are stored once, with an index from grid point to value.
"""

from __future__ import annotations

import base64
import itertools
import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

DEFLATE = 20_000  # bytes of a map from which it is compressed
_MISSING = "\u00a7missing"  # stands for a key that a figure does not have at some point


class GridError(ValueError):
    """A grid that cannot be shown: its message says at which point, and why."""


def points(controls: Mapping[str, Any]) -> Iterator[dict[str, int]]:
    """Every point of the grid as positions, the last control fastest."""
    axes = [range(len(control.values)) for control in controls.values()]
    for index in itertools.product(*axes):
        yield dict(zip(controls, index))


def as_figures(result: Any, where: str = "") -> list[go.Figure]:
    """The list of plotly figures that a figure function returned; raises `TypeError` if none."""
    figures = list(result) if isinstance(result, (list, tuple)) else [result]
    for figure in figures:
        if not isinstance(figure, go.Figure):
            raise TypeError(
                f"The figure function must return a plotly figure, or a list of them, "
                f"not {type(figure).__name__}{where}."
            )
    if not figures:
        raise TypeError(f"The figure function returned an empty list of figures{where}.")
    return figures


def error_line(error: Exception) -> str:
    """An exception in one line; plotly's own messages are essays, whose first line says it all."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join([type(error).__name__, *lines[:1]])


def figure_json(figure: go.Figure) -> dict:
    """A figure as plotly's JSON, without the template, which the page adds for its theme."""
    spec = figure.to_plotly_json()
    layout = {k: v for k, v in spec.get("layout", {}).items() if k != "template"}
    return {"data": spec.get("data", []), "layout": layout}


def _flatten(node: Any, path: tuple, leaves: dict[tuple, Any]) -> None:
    """Collect the leaves of one figure; a list without dictionaries in it is one leaf."""
    if isinstance(node, dict) and not {"bdata", "dtype"} <= node.keys():
        for key, value in node.items():
            _flatten(value, (*path, key), leaves)
    elif isinstance(node, (list, tuple)) and any(isinstance(v, dict) for v in node):
        leaves[(*path, "#")] = len(node)
        for i, value in enumerate(node):
            _flatten(value, (*path, i), leaves)
    else:
        leaves[path] = node


def _decode(leaf: Any) -> Any:
    """A leaf as a NumPy array if it is a numeric array, else as it is."""
    if isinstance(leaf, dict):
        shape = [int(n) for n in str(leaf.get("shape", "")).split(",") if n.strip()]
        array = np.frombuffer(base64.b64decode(leaf["bdata"]), dtype=leaf["dtype"])
        return array.reshape(shape) if shape else array
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "fiub":
        return leaf
    if isinstance(leaf, (list, tuple, np.ndarray)):
        values = plain(leaf)
        if values and all(isinstance(v, float) for v in values):
            return np.array(values)
        return values
    return leaf.item() if isinstance(leaf, np.generic) else leaf


def _finite(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind != "f" or bool(np.isfinite(value).all())
    if isinstance(value, list):
        return all(_finite(v) for v in value)
    return not isinstance(value, float) or math.isfinite(value)


def _narrow(arrays: list[np.ndarray]) -> str:
    """The smallest type that keeps every value: float32 only where nothing underflows.

    A vanished gradient of 1e-50 would be 0 in float32, and a lie on a log axis.
    """
    joined = np.concatenate([a.ravel() for a in arrays])
    if joined.dtype.kind != "f":
        for name in ("uint8", "int16", "int32"):
            limits = np.iinfo(name)
            if joined.size == 0 or (joined.min() >= limits.min and joined.max() <= limits.max):
                return name
        return "float64"
    with np.errstate(over="ignore", under="ignore"):
        error = np.abs(joined.astype(np.float32).astype(np.float64) - joined)
    return "float32" if bool((error <= 1e-6 * np.abs(joined)).all()) else "float64"


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _slot(path: tuple, values: list[Any]) -> dict:
    """One changing leaf: distinct values and, for every grid point, which one it has."""
    seen: dict[Any, int] = {}
    unique, index = [], []
    for value in values:
        key = (
            (value.shape, value.dtype.str, value.tobytes())
            if isinstance(value, np.ndarray)
            else json.dumps(value)
        )
        if key not in seen:
            seen[key] = len(unique)
            unique.append(value)
        index.append(seen[key])
    slot: dict[str, Any] = {
        "path": list(path),
        "index": _text(np.asarray(index, dtype="<u4" if len(unique) > 65535 else "<u2").tobytes()),
        "count": len(unique),
    }
    if all(isinstance(v, np.ndarray) for v in unique):
        dtype = _narrow(unique)
        slot["dtype"] = dtype
        slot["shapes"] = [list(v.shape) for v in unique]
        if len({v.shape for v in unique}) == 1:
            slot["shapes"] = slot["shapes"][:1]
        raw = b"".join(v.astype(dtype).tobytes() for v in unique)
        if dtype == "uint8" and len(raw) > DEFLATE:
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            slot["deflated"] = _text(packer.compress(raw) + packer.flush())
        else:
            slot["bdata"] = _text(raw)
    else:
        slot["values"] = [v.tolist() if isinstance(v, np.ndarray) else v for v in unique]
    return slot


def _name(path: tuple) -> str:
    return ".".join(str(part) for part in path[1:])


def _say(controls: Mapping[str, Any], point: Mapping[str, int]) -> str:
    values = {name: controls[name].spec(name)["values"][i] for name, i in point.items()}
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def pack(figure_for: Callable[..., Any], controls: Mapping[str, Any]) -> dict:
    """Call `figure_for` at every grid point and pack the figures into one JSON-ready record.

    Raises `GridError`, in one sentence, if a call fails, a number is not finite, the figures do
    not have the same traces everywhere, or a control changes nothing.
    """
    rows: list[dict[tuple, Any]] = []
    first = None
    for point in points(controls):
        where = f" at {_say(controls, point)}" if point else ""
        try:
            result = figure_for(**{name: controls[name].at(i) for name, i in point.items()})
        except Exception as error:
            raise GridError(f"The figure function failed{where}: {error_line(error)}") from error
        figures = [figure_json(f) for f in as_figures(result, where)]
        first = first or figures
        for a, b in itertools.zip_longest(first, figures):
            kinds = [[t.get("type") for t in f["data"]] if f else None for f in (a, b)]
            if kinds[0] != kinds[1]:
                raise GridError(
                    f"Every grid point must have the same figures and traces: the first point has "
                    f"{kinds[0]}, but{where} there are {kinds[1]}."
                )
        leaves: dict[tuple, Any] = {}
        _flatten(figures, (), leaves)
        rows.append(leaves)
    slots = _slots(rows, controls)
    sizes = [len(control.values) for control in controls.values()]
    _check_every_control(controls, sizes, slots)
    base = plain(first)
    return {"figures": base, "sizes": sizes, "slots": slots}


def _slots(rows: list[dict[tuple, Any]], controls: Mapping[str, Any]) -> list[dict]:
    paths = dict.fromkeys(path for row in rows for path in row)
    at = list(points(controls))
    slots = []
    for path in paths:
        raw = [row.get(path, _MISSING) for row in rows]
        same = all(v is raw[0] or _same(v, raw[0]) for v in raw[1:])
        # Equal leaves need one look; the others are decoded, checked and stored.
        values = [_decode(raw[0])] if same else [_decode(v) for v in raw]
        for i, value in enumerate(values):
            if not _finite(value):
                where = f" at {_say(controls, at[i])}" if controls else ""
                raise GridError(
                    f"The figure has a number that is not finite in {_name(path)}{where}."
                )
        if same:
            continue
        if path[-1] == "#":
            odd = next(i for i, v in enumerate(raw) if not _same(v, raw[0]))
            raise GridError(
                f"Every grid point must have the same figure parts: {_name(path[:-1])} has another "
                f"number of entries at {_say(controls, at[odd])} than at the first point."
            )
        if any(path[:i] in paths for i in range(1, len(path))):
            raise GridError(
                f"Every grid point must have the same figure parts: above {_name(path)} there is "
                f"a plain value at another point."
            )
        dims = {v.ndim for v in values if isinstance(v, np.ndarray)}
        if len(dims) > 1:
            odd = next(i for i, v in enumerate(values) if v.ndim != values[0].ndim)
            raise GridError(
                f"Every grid point must have arrays of the same shape: {_name(path)} has dimension "
                f"{values[0].ndim} at the first point and {values[odd].ndim} at "
                f"{_say(controls, at[odd])}."
            )
        slots.append(_slot(path, values))
    return slots


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return type(a) is type(b) and np.array_equal(a, b)
    return type(a) is type(b) and a == b


def _check_every_control(controls: Mapping[str, Any], sizes: Sequence[int], slots: list) -> None:
    """A control that moves and changes nothing is the worst fault a figure can have."""
    indexes = [
        np.frombuffer(base64.b64decode(s["index"]), "<u4" if s["count"] > 65535 else "<u2")
        for s in slots
    ]
    for axis, name in enumerate(controls):
        moves = any(
            bool((np.diff(index.reshape(sizes).astype(np.int64), axis=axis) != 0).any())
            for index in indexes
        )
        if not moves:
            raise GridError(f"The control {name!r} changes nothing in the figure.")


def plain(node: Any, nulls: bool = False) -> Any:
    """NumPy values in a figure's JSON as ordinary JSON (typed arrays stay as they are).

    With `nulls` a number that is not finite becomes null, as in plotly's own JSON.
    """
    if isinstance(node, dict):
        return {k: plain(v, nulls) for k, v in node.items()}
    if isinstance(node, (list, tuple)):
        return [plain(v, nulls) for v in node]
    if isinstance(node, np.ndarray):
        return plain(node.tolist(), nulls)
    if isinstance(node, np.generic):
        node = node.item()
    return None if nulls and isinstance(node, float) and not math.isfinite(node) else node


def unpack(packed: Mapping[str, Any], position: Sequence[int]) -> list[dict]:
    """The figures at one grid point: what the page does, in Python, for tests and reuse."""
    figures = json.loads(json.dumps(packed["figures"]))
    at = int(np.ravel_multi_index(tuple(position), packed["sizes"])) if packed["sizes"] else 0
    for slot in packed["slots"]:
        index = np.frombuffer(
            base64.b64decode(slot["index"]), "<u4" if slot["count"] > 65535 else "<u2"
        )
        _put(figures, slot["path"], _value(slot, int(index[at])))
    return figures


def _value(slot: Mapping[str, Any], i: int) -> Any:
    if "values" in slot:
        return slot["values"][i]
    shapes = slot["shapes"] if len(slot["shapes"]) > 1 else slot["shapes"] * slot["count"]
    sizes = [math.prod(shape) for shape in shapes]
    if "deflated" in slot:
        raw = zlib.decompress(base64.b64decode(slot["deflated"]), -15)
    else:
        raw = base64.b64decode(slot["bdata"])
    data = np.frombuffer(raw, slot["dtype"])
    start = sum(sizes[:i])
    return data[start : start + sizes[i]].reshape(shapes[i])


def _put(root: Any, path: Sequence, value: Any) -> None:
    *parents, last = path
    node = root
    for key in parents:
        node = node[key] if isinstance(node, list) else node.setdefault(key, {})
    if isinstance(value, str) and value == _MISSING:
        node.pop(last, None)
    else:
        node[last] = value
