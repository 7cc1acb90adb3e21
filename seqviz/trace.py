"""The frozen record of a run: arrays with named axes, kept in one file."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

HEADER = "header"  # the name of the JSON text beside the arrays
FORMAT = "seqviz trace 1"


@dataclass(frozen=True, eq=False)
class Trace:
    """Arrays with named axes, together with what is needed to make them again.

    arrays     name -> array, such as "loss" (step,) or "state_grad_norm" (recorded, time)
    axes       name -> the names of that array's axes; axes of one name have one size
    tokens     the words of the sequence, if there is one
    seed       the seed of the run
    versions   package -> version
    about      what was run: task, model, learning rate and so on, as JSON can hold it

    `trace["loss"]` is the array of that name, which is read-only: a record does not change.
    Raises ValueError if an array has no axes, or axes that do not fit it or one another.
    """

    arrays: Mapping[str, np.ndarray]
    axes: Mapping[str, tuple[str, ...]]
    tokens: tuple[str, ...] = ()
    seed: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arrays = {name: np.array(array) for name, array in self.arrays.items()}
        axes = {name: tuple(names) for name, names in self.axes.items()}
        _check_axes(arrays, axes)
        for array in arrays.values():
            array.flags.writeable = False
        frozen = {
            "arrays": MappingProxyType(arrays),
            "axes": MappingProxyType(axes),
            "tokens": tuple(self.tokens),
            "versions": MappingProxyType(dict(self.versions)),
            "about": MappingProxyType(dict(self.about)),
        }
        for name, value in frozen.items():
            object.__setattr__(self, name, value)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return the array of this name; raises KeyError, with the names there are, if none."""
        if name not in self.arrays:
            raise KeyError(f"There is no array {name!r} in this trace, only {_list(self.arrays)}.")
        return self.arrays[name]

    def save(self, path: str | Path) -> None:
        """Write the trace to one `.npz` file, with the rest as JSON text and without pickle.

        Raises ValueError for an array of Python objects, TypeError for an `about` JSON cannot hold.
        """
        for name, array in self.arrays.items():
            if array.dtype.hasobject:
                raise ValueError(f"{name!r} must hold numbers or text, not Python objects.")
        header = {
            "format": FORMAT,
            "axes": dict(self.axes),
            "tokens": self.tokens,
            "seed": self.seed,
            "versions": dict(self.versions),
            "about": dict(self.about),
        }
        with open(path, "wb") as file:  # given a name, NumPy would append ".npz" to it
            np.savez_compressed(file, **{HEADER: np.array(json.dumps(header))}, **self.arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """Read a trace from a file that `save` wrote.

        Raises OSError if it cannot be opened, ValueError if it is damaged or no trace.
        """
        with open(path, "rb") as stream:
            try:
                with np.load(stream, allow_pickle=False) as file:
                    arrays = {name: file[name] for name in file.files}
                header = json.loads(arrays.pop(HEADER).item())
                if header.pop("format") != FORMAT:
                    raise ValueError("unknown format")
                return cls(arrays, header.pop("axes"), **header)
            # A foreign file fails in NumPy, zipfile, zlib or json, each with errors of its own.
            except Exception as error:
                raise ValueError(
                    f"{path} is damaged or is not a file written by Trace.save."
                ) from error


def _check_axes(arrays: Mapping[str, np.ndarray], axes: Mapping[str, tuple[str, ...]]) -> None:
    if HEADER in arrays:
        raise ValueError(f"An array must not be named {HEADER!r}: a saved trace needs that name.")
    if arrays.keys() != axes.keys():
        raise ValueError(
            f"Every array needs its axes: there are arrays {_list(arrays)} "
            f"and axes for {_list(axes)}."
        )
    sizes: dict[str, tuple[int, str]] = {}  # axis -> its size and the first array that has it
    for name, array in arrays.items():
        if array.ndim != len(axes[name]):
            raise ValueError(
                f"{name!r} has {array.ndim} dimensions but {len(axes[name])} named axes: "
                f"{_list(axes[name])}."
            )
        for axis, size in zip(axes[name], array.shape, strict=True):
            expected, first = sizes.setdefault(axis, (size, name))
            if size != expected:
                raise ValueError(
                    f"The axis {axis!r} must have one size, but it is {expected} in {first!r} "
                    f"and {size} in {name!r}."
                )


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
