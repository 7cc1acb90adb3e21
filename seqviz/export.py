"""PyTorch functions as ONNX graphs, for a browser to run."""

from __future__ import annotations

import base64
import contextlib
import gc
import io
import logging
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.nn import functional

from seqviz.models.output import tracing
from seqviz.reach import BACKWARD, CONVOLUTION, Reached

aten = torch.ops.aten


def to_onnx(function: Callable[..., Mapping[str, Tensor]], inputs: Mapping[str, Tensor]) -> bytes:
    """Trace a function of tensors with these inputs and return its graph as an ONNX file.

    `function` takes the inputs in order, one argument each, and returns tensors by name, other
    names than those of the inputs. Derivatives taken within it become part of the graph. Shapes
    are those of `inputs`, fixed.
    Raises ImportError where onnxscript is not installed.
    """
    try:
        import onnxscript  # noqa: F401
    except ImportError:
        raise ImportError("The export needs onnxscript: pip install onnxscript.") from None
    names: list[str] = []

    def flat(*tensors: Tensor) -> tuple[Tensor, ...]:
        outputs = function(*tensors)
        names[:] = outputs
        return tuple(outputs.values())

    with _without_collecting():
        graph = trace(flat, tuple(inputs.values()))
        with _quiet():
            program = torch.onnx.export(
                graph, tuple(inputs.values()), dynamo=True, verbose=False, optimize=False,
                input_names=list(inputs), output_names=names,
            )  # fmt: skip
    return _small(program)


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Graphs are full of cycles, and looking through them for garbage is a quarter of an export."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's words on packages that are not installed and not needed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def deflated(raw: bytes) -> str:
    """Bytes as a text that a page can carry: deflated, in base64."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(packer.compress(raw) + packer.flush()).decode("ascii")


def trace(function: Callable[..., tuple[Tensor, ...]], inputs: Sequence[Tensor]) -> fx.GraphModule:
    """Record the operations of a function, derivatives included, in terms that ONNX has."""
    graph = operations(function, inputs)
    if any(node.target in (CONVOLUTION, BACKWARD) for node in graph.graph.nodes):
        graph = operations(Reached(graph, inputs).run, inputs)
    return graph


def operations(function: Callable[..., Any], inputs: Sequence[Tensor]) -> fx.GraphModule:
    """Record the operations of a function, derivatives included, with convolutions as they are."""
    from torch._decomp import core_aten_decompositions
    from torch.fx.experimental.proxy_tensor import make_fx

    table = {**core_aten_decompositions(), **DECOMPOSITIONS}
    with tracing():
        graph = make_fx(function, decomposition_table=table)(*inputs)
    return simplified(without_writes(graph))


def without_writes(graph: fx.GraphModule) -> fx.GraphModule:
    """Let operations that write into their first argument return a new value instead.

    What follows merges equal values, and a value that is written into is equal to none.
    Raises ValueError for an operation that writes into a part of a tensor, into a tensor a part of
    which is used later, or into another argument than its first.
    """
    order = {node: i for i, node in enumerate(graph.graph.nodes)}
    for node in order:
        schema = getattr(node.target, "_schema", None)
        if schema is None or not schema.is_mutable:
            continue
        written = node.args[0]
        to = schema.arguments[0].alias_info
        if to is None or not to.is_write:
            raise ValueError(f"{node.target} writes into a given tensor; make a new one.")
        parts = [n for n in written.users if _is_part(n) and order[n] < order[node]]
        used = (order[user] > order[node] for n in parts for user in n.users)
        if _is_part(written) or any(used):
            raise ValueError(f"{node.target} writes into a part of a tensor; make a new one.")
        name, _, overload = str(node.target).removeprefix("aten.").rpartition(".")
        node.target = getattr(getattr(aten, name.removesuffix("_")), overload)
        written.replace_all_uses_with(node, lambda user, node=node: order[user] > order[node])
    graph.recompile()
    return graph


def _is_part(node: fx.Node) -> bool:
    """Whether a value shares its memory with the one that it was made of."""
    returns = getattr(getattr(node.target, "_schema", None), "returns", ())
    return any(r.alias_info is not None and not r.alias_info.is_write for r in returns)


def simplified(graph: fx.GraphModule) -> fx.GraphModule:
    """Leave out copies that copy nothing, equal operations, and operations on constants alone."""
    from torch.fx.passes.dialect.common.cse_pass import CSEPass

    known: dict[fx.Node, Tensor] = {}
    first: dict[tuple, fx.Node] = {}  # where each constant stands first: one is enough

    def keep(node: fx.Node, value: Tensor) -> None:
        key = (value.dtype, value.shape, value.contiguous().numpy().tobytes())
        same = first.setdefault(key, node)
        if same is not node:
            node.replace_all_uses_with(same)
            graph.graph.erase_node(node)
        known[same] = value

    for node in list(graph.graph.nodes):
        if node.target in (aten.detach.default, aten.alias.default, aten.lift_fresh_copy.default):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
        elif node.op == "get_attr":
            keep(node, getattr(graph, node.target).detach())
        elif node.all_input_nodes and all(n in known for n in node.all_input_nodes):
            value = node.target(
                *fx.node.map_arg(node.args, known.get), **fx.node.map_arg(node.kwargs, known.get)
            )
            if isinstance(value, Tensor):
                name = f"_known_{len(known)}"
                graph.register_buffer(name, value.contiguous())
                with graph.graph.inserting_before(node):
                    constant = graph.graph.get_attr(name)
                node.replace_all_uses_with(constant)
                graph.graph.erase_node(node)
                keep(constant, value)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return CSEPass()(graph).graph_module


def _relu(x: Tensor) -> Tensor:
    """As a maximum: WebAssembly's Relu branches at each number, and takes seven times as long."""
    return torch.maximum(x, torch.zeros(()))


def _pieces(x: Tensor, sizes: Sequence[int], dim: int = 0) -> list[Tensor]:
    ends = torch.tensor(sizes).cumsum(0).tolist()
    return [aten.slice(x, dim, end - size, end) for size, end in zip(sizes, ends)]


def _split(x: Tensor, size: int, dim: int = 0) -> list[Tensor]:
    rest = x.shape[dim] % size
    return _pieces(x, [size] * (x.shape[dim] // size) + ([rest] if rest else []), dim)


def _unbind(x: Tensor, dim: int = 0) -> list[Tensor]:
    return [aten.select(x, dim, i) for i in range(x.shape[dim])]


def _slice_backward(
    gradient: Tensor, sizes: Sequence[int], dim: int, start: int, end: int, step: int
) -> Tensor:
    if step != 1:
        return NotImplemented
    start = max(start + sizes[dim], 0) if start < 0 else start
    return _around(gradient, dim, start, sizes[dim] - start - gradient.shape[dim])


def _select_backward(gradient: Tensor, sizes: Sequence[int], dim: int, index: int) -> Tensor:
    dim, index = dim % len(sizes), index % sizes[dim]
    return _around(gradient.unsqueeze(dim), dim, index, sizes[dim] - index - 1)


def _around(x: Tensor, dim: int, before: int, after: int) -> Tensor:
    """x with zeros before and after it along one dimension."""
    dims_after = x.dim() - 1 - dim % x.dim()
    return functional.pad(x, [0, 0] * dims_after + [before, after])


# In other terms than torch's own table: what the exporter has no operation for, and lists.
DECOMPOSITIONS = {
    aten.relu.default: _relu,
    aten.split_with_sizes.default: _pieces,
    aten.split.Tensor: _split,
    aten.unbind.int: _unbind,
    aten.slice_backward.default: _slice_backward,
    aten.select_backward.default: _select_backward,
}


def _small(program: torch.onnx.ONNXProgram) -> bytes:
    """The graph as bytes, without the exporter's notes, which are nine tenths of it."""
    import onnx_ir.passes.common as passes

    for one in (passes.CommonSubexpressionEliminationPass(), passes.RemoveUnusedNodesPass()):
        one(program.model)
    model = program.model_proto
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    short = {"": ""}
    for node in model.graph.node:
        node.name = node.doc_string = ""
        del node.metadata_props[:]
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = name if name in kept else short.setdefault(name, f"v{len(short)}")
    for constant in model.graph.initializer:
        constant.name = short.setdefault(constant.name, f"v{len(short)}")
    del model.graph.value_info[:]
    del model.metadata_props[:]
    return model.SerializeToString()
