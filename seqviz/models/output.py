"""What every model returns, and the checks at every model's door."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from torch import Tensor

_values_known: ContextVar[bool] = ContextVar("values_known", default=True)


def values_known() -> bool:
    """Whether the numbers inside tensors can be looked at: not while a graph is traced."""
    return _values_known.get()


@contextmanager
def tracing() -> Iterator[None]:
    """Within it models check types and shapes alone: a graph that is traced has no numbers yet."""
    token = _values_known.set(False)
    try:
        yield
    finally:
        _values_known.reset(token)


@dataclass(frozen=True)
class Output:
    """A model's prediction together with its internals, under their standard names.

    prediction      (batch, output), or (batch, time, output) from a model that writes a sequence
    hidden_states   one (batch, hidden) tensor a time step, each a node of the autograd graph, so
                    that `torch.autograd.grad(loss, output.hidden_states)` works
    gates           name -> (batch, time, hidden), empty for a model without gates
    attention       (batch, layer, head, query, key), or None for a model without attention
    cell_states     as hidden_states, for a model that carries a second state from step to step
    layers          one (batch, time, channels) tensor a layer, first to last, each a node of the
                    graph, for a model that reads all time steps at once
    """

    prediction: Tensor
    hidden_states: tuple[Tensor, ...] = ()
    gates: dict[str, Tensor] = field(default_factory=dict)
    attention: Tensor | None = None
    cell_states: tuple[Tensor, ...] = ()
    layers: tuple[Tensor, ...] = ()


def check_sequences(inputs: Tensor, input_size: int, dtype: torch.dtype) -> None:
    """Check inputs: `dtype` numbers (batch, time, input_size), or int64 tokens (batch, time).

    Raises TypeError for another type, ValueError for another shape or a token out of range.
    """
    if not isinstance(inputs, Tensor):
        raise TypeError(f"inputs must be a torch.Tensor, got {type(inputs).__name__}.")
    if inputs.dtype == torch.int64:
        check_tokens(inputs, input_size)
        return
    if inputs.dtype != dtype:
        raise TypeError(
            f"inputs must be {dtype} like the weights, or int64 tokens, got {inputs.dtype}."
        )
    if inputs.dim() != 3 or inputs.shape[1] < 1 or inputs.shape[2] != input_size:
        raise ValueError(
            f"inputs must have the shape (batch, time, {input_size}) with at least one time step, "
            f"got {tuple(inputs.shape)}."
        )


def check_tokens(tokens: Tensor, vocabulary_size: int) -> None:
    """Check tokens: int64 (batch, time), every one of them in 0 … vocabulary_size - 1.

    Raises TypeError for another type, ValueError for another shape or a token out of range.
    """
    if not isinstance(tokens, Tensor) or tokens.dtype != torch.int64:
        got = tokens.dtype if isinstance(tokens, Tensor) else type(tokens).__name__
        raise TypeError(f"tokens must be a torch.Tensor of int64, got {got}.")
    if tokens.dim() != 2 or tokens.shape[1] < 1:
        raise ValueError(
            "tokens must have the shape (batch, time) with at least one time step, "
            f"got {tuple(tokens.shape)}."
        )
    # A negative index would silently count from the end.
    if values_known() and tokens.numel() and (tokens.min() < 0 or tokens.max() >= vocabulary_size):
        raise ValueError(
            f"tokens must lie between 0 and {vocabulary_size - 1}, "
            f"got values from {int(tokens.min())} to {int(tokens.max())}."
        )


def check_tensor(name: str, value: Tensor, shape: Sequence[int | str], dtype: torch.dtype) -> None:
    """Check a tensor of `dtype` and of this shape, in which a word stands for any size.

    Raises TypeError for another type, ValueError for another shape.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}.")
    if value.dtype != dtype:
        raise TypeError(f"{name} must be {dtype} like the weights, got {value.dtype}.")
    sizes = zip(shape, value.shape)
    if value.dim() != len(shape) or any(w != n for w, n in sizes if not isinstance(w, str)):
        wanted = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
        raise ValueError(f"{name} must have the shape ({wanted}), got {tuple(value.shape)}.")


def check_states(
    states: Sequence[Tensor], names: Sequence[str], expected: tuple[int, int], dtype: torch.dtype
) -> None:
    """Check that there is one state of `dtype` a name, each of the `expected` (batch, hidden).

    Raises TypeError or ValueError if there is not.
    """
    if not isinstance(states, (tuple, list)) or len(states) != len(names):
        raise ValueError(f"There must be one state for each of {', '.join(names)}.")
    for name, state in zip(names, states):
        check_tensor(name, state, expected, dtype)


def check_sizes(**sizes: int) -> None:
    """Check that every size is a whole number of at least 1; raises ValueError if one is not."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {size!r}.")


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Check that a value is one of the allowed ones; raises ValueError if it is not."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}.")
