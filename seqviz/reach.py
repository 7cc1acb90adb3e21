"""Convolutions over time in a traced graph, at those time steps alone that something reads.

A prediction from the last time step reads few steps of each layer of dilated convolutions, and the
gradient comes back to the same few. PyTorch computes all of them; a traced graph need not.
"""

from __future__ import annotations

import operator
from collections import ChainMap
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional

aten = torch.ops.aten
CONVOLUTION, BACKWARD = aten.convolution.default, aten.convolution_backward.default
ADD, MULTIPLY, PERMUTE = aten.add.Tensor, aten.mul.Tensor, aten.permute.default
PAD, SELECT, WHERE = aten.constant_pad_nd.default, aten.select.int, aten.where.self
# Each step of the result comes from the same step of the arguments.
STEP_BY_STEP = {
    ADD, MULTIPLY, PERMUTE, WHERE, aten.sub.Tensor, aten.maximum.default, aten.le.Scalar,
    aten.tanh.default, aten.sigmoid.default,
}  # fmt: skip


class Reached(fx.Interpreter):
    """Runs a graph in which convolutions are whole operations, each at the steps that are read.

    Meant to be traced in its turn. A value with a time axis, be it a layer or a gradient, is held
    as its steps in `kept`: each of the others is 0, or nothing asks for it. An operation that is
    not known here reads all steps of what it is given.
    Raises ValueError for a convolution with a stride, groups or padding of its own.
    """

    def __init__(self, graph: fx.GraphModule, inputs: Sequence[Tensor]) -> None:
        super().__init__(graph, garbage_collect_values=False)
        ShapeProp(graph).propagate(*inputs)
        self.axis: dict[fx.Node, int] = {}  # which dimension is time
        self.nonzero: dict[fx.Node, set[int]] = {}  # the steps outside of which a value is 0
        self.kept: dict[fx.Node, list[int]] = {}
        nodes = list(graph.graph.nodes)
        for node in nodes:
            self._find_time(node)
        asked: dict[fx.Node, set[int]] = {node: set() for node in self.axis}
        for node in reversed(nodes):
            if node in self.axis:  # one step at least: not all operations take none
                self.kept[node] = sorted(asked[node] & self.nonzero[node]) or [0]
            for read, axis, steps in self._reads(node):
                if read in self.axis:
                    asked[read].update(steps if axis == self.axis[read] else self._all(read))

    def _find_time(self, node: fx.Node) -> None:
        """Find a value's time axis, and how far a gradient that begins at one step has spread."""
        target, args, steps = node.target, node.args, None
        if target in (CONVOLUTION, BACKWARD):
            _check(node)
        if target is CONVOLUTION:
            axis = 2
        elif _is_to_input(node):
            axis, back = 2, args[0]
            steps = {p + o for p in self._nonzero(back.args[0], axis) for o in _offsets(back)}
        elif target is PAD:
            axis = _padded(node)
            if axis is None:
                return
            steps = {p + _before(node) for p in self._nonzero(args[0], axis)}
        elif target in STEP_BY_STEP and (of_time := self._of_time(node)):
            first, axis = next(iter(of_time.items()))
            axis += len(_shape(node)) - len(_shape(first))
            known = [self._nonzero(*item) for item in of_time.items()]
            if target is PERMUTE:
                axis = [d % len(args[1]) for d in args[1]].index(axis)
                steps = known[0]
            elif target is WHERE and _is_zero(args[1]) and args[2] in of_time:
                steps = known[-1]
            elif target is MULTIPLY:
                steps = set.intersection(*known)
            elif target is ADD and len(known) == 2:
                steps = set.union(*known)
        else:
            return
        whole = set(range(_shape(node)[axis]))
        self.axis[node], self.nonzero[node] = axis, whole if steps is None else whole & steps

    def _reads(self, node: fx.Node) -> list[tuple[fx.Node, int, Sequence[int]]]:
        """What a node reads: a value, its time axis, and its steps in the order of their use."""
        target, args, kept = node.target, node.args, self.kept.get(node, [])
        if target is CONVOLUTION:
            seen = [p + o for p in kept for o in _offsets(node)]
            return [(args[0], 2, seen), *self._whole(args[1:3])]
        if _is_to_input(node):
            gradient, _, weight = args[0].args[:3]
            seen_by = [p - o for p in kept for o in _offsets(args[0])]
            return [(gradient, 2, seen_by), *self._whole([weight])]
        if target is BACKWARD:
            steps = sorted(self._nonzero(args[0], 2)) or [0]
            seen = [p + o for p in steps for o in _offsets(node)]
            return [(args[0], 2, steps), (args[1], 2, seen)]
        if target is PAD and node in self.axis:
            return [(args[0], self.axis[node], [p - _before(node) for p in kept])]
        if target in STEP_BY_STEP and node in self.axis:
            return [(n, axis, kept) for n, axis in self._of_time(node).items()]
        if target is SELECT and self.axis.get(args[0]) == args[1]:
            return [(args[0], args[1], [args[2] % _shape(args[0])[args[1]]])]
        return self._whole(node.all_input_nodes)

    def _whole(self, nodes: Sequence[Any]) -> list[tuple[fx.Node, int, Sequence[int]]]:
        return [(n, self.axis[n], self._all(n)) for n in nodes if n in self.axis]

    def _all(self, node: fx.Node) -> range:
        return range(_shape(node)[self.axis[node]])

    def _nonzero(self, node: fx.Node, axis: int) -> set[int]:
        if self.axis.get(node) == axis:
            return self.nonzero[node]
        return set(range(_shape(node)[axis]))

    def _of_time(self, node: fx.Node) -> dict[fx.Node, int]:
        """The arguments of a step-by-step operation that run over time, each with its axis."""
        nodes = [n for n in node.args if isinstance(n, fx.Node)]
        from_end = {self.axis[n] - len(_shape(n)) for n in nodes if n in self.axis}
        if len(from_end) != 1:
            return {}
        (time,) = from_end  # counted as broadcasting does
        ranks = {n: len(_shape(n)) for n in nodes}
        return {n: r + time for n, r in ranks.items() if r >= -time and _shape(n)[time] > 1}

    def run_node(self, node: fx.Node) -> Any:
        """Compute a value from the steps that it reads."""
        target, args = node.target, node.args
        reads = self._reads(node)
        taken = [self._taken(*read) for read in reads]
        values = ChainMap({n: value for (n, _, _), value in zip(reads, taken)}, self.env)
        if target is CONVOLUTION:
            weight, bias = values[args[1]], values.get(args[2])
            y = _columns(taken[0], weight.shape[2]) @ weight.permute(2, 1, 0).flatten(0, 1)
            return _sequences(y if bias is None else y + bias, len(taken[0]))
        if _is_to_input(node):
            weight = values[args[0].args[2]]
            x = _columns(taken[0], weight.shape[2]) @ weight.permute(2, 0, 1).flatten(0, 1)
            return _sequences(x, len(taken[0]))
        if target is BACKWARD:
            kernel = _shape(args[2])[2]
            rows = taken[0].transpose(1, 2).flatten(0, 1)  # (batch · time, output)
            to_weight = _columns(taken[1], kernel).T @ rows  # (kernel · input, output)
            to_weight = to_weight.unflatten(0, (kernel, -1)).permute(2, 1, 0)
            return None, to_weight.contiguous(), rows.sum(0)
        if target is PAD and node in self.axis:
            return taken[0]
        if target is SELECT and self.axis.get(args[0]) == args[1]:
            return taken[0].select(args[1], 0)
        args, kwargs = fx.node.map_arg((args, node.kwargs), values.get)
        return getattr(self, node.op)(target, args, kwargs)

    def _taken(self, node: fx.Node, axis: int, steps: Sequence[int]) -> Tensor:
        """Some steps of a value, in any order and number; those that it has not are 0."""
        value, kept = self.env[node], range(_shape(node)[axis])
        if self.axis.get(node) == axis:
            kept = self.kept[node]
        elif node in self.axis:  # held as steps along another axis
            value = self._taken(node, self.axis[node], self._all(node))
        if list(steps) == list(kept):
            return value
        swap = axis == 2 and value.dim() == 3  # whole vectors side by side are quicker to move
        value, at = (value.transpose(1, 2), 1) if swap else (value, axis)
        place = {step: i for i, step in enumerate(kept)}
        if not place.keys() >= set(steps):
            value = functional.pad(value, [0, 0] * (value.dim() - at - 1) + [0, 1])
        value = value.index_select(at, torch.tensor([place.get(s, len(kept)) for s in steps]))
        return value.transpose(1, 2).contiguous() if swap else value


def _check(node: fx.Node) -> None:
    first = 4 if node.target is BACKWARD else 3
    stride, padding, _, transposed, _, groups = node.args[first : first + 6]
    if list(stride) != [1] or list(padding) != [0] or transposed or groups != 1:
        raise ValueError("Only plain convolutions over time can be exported.")


def _columns(taken: Tensor, kernel: int) -> Tensor:
    """What each output sees, (batch · time, kernel · channels), of (batch, channels, all of it)."""
    return taken.transpose(1, 2).reshape(-1, kernel * taken.shape[1])


def _sequences(rows: Tensor, batch: int) -> Tensor:
    """Rows (batch · time, channels) as a convolution returns them, (batch, channels, time)."""
    return rows.unflatten(0, (batch, -1)).transpose(1, 2).contiguous()


def _offsets(node: fx.Node) -> list[int]:
    """The steps that a convolution sees, counted from the first of them."""
    back = node.target is BACKWARD
    weight, (dilation,) = node.args[2 if back else 1], node.args[6 if back else 5]
    return [j * dilation for j in range(_shape(weight)[2])]


def _is_to_input(node: fx.Node) -> bool:
    """Whether a node is the gradient that a convolution hands to its input."""
    return node.target is operator.getitem and (node.args[0].target, node.args[1]) == (BACKWARD, 0)


def _padded(node: fx.Node) -> int | None:
    """The one dimension that zeros are added to or taken from; None if it is not one."""
    pads, fill = node.args[1], node.args[2] if len(node.args) > 2 else 0
    moved = [i // 2 for i, size in enumerate(pads) if size]
    if fill or not pads or len(set(moved)) > 1:
        return None
    return len(_shape(node)) - 1 - (moved[0] if moved else len(pads) // 2 - 1)


def _before(node: fx.Node) -> int:
    return sum(node.args[1][::2])


def _is_zero(value: Any) -> bool:
    constants = (aten.full.default, aten.scalar_tensor.default)
    return isinstance(value, fx.Node) and value.target in constants and value.args[-1] == 0


def _shape(node: fx.Node) -> torch.Size:
    return node.meta["tensor_meta"].shape
