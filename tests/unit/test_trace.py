import dataclasses
import math

import numpy as np
import pytest

from seqviz.trace import Trace


@pytest.fixture
def trace():
    return Trace(
        arrays={
            "loss": np.array([0.5, math.nan, 1e-300]),
            "step": np.array([0, 1, 2]),
            "state_grad_norm": np.array([[1e-40, 1], [2, 3], [4, 5]], dtype=np.float32),
            "words": np.array(["a", "é"]),
        },
        axes={
            "loss": ("step",),
            "step": ("step",),
            "state_grad_norm": ("step", "time"),
            "words": ("time",),
        },
        tokens=("a", "</script>é\n"),
        seed=7,
        versions={"torch": "2.13.0"},
        about={"task": "Adding(length=2)", "clip": None, "learning_rate": 0.001},
    )


def test_save_and_load_give_the_same_trace(trace, tmp_path):
    path = tmp_path / "run.trace"
    trace.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["run.trace"]
    loaded = Trace.load(path)
    assert loaded.arrays.keys() == trace.arrays.keys()
    for name in trace.arrays:
        assert loaded[name].dtype == trace[name].dtype
        np.testing.assert_array_equal(loaded[name], trace[name])
    for name in ("axes", "tokens", "seed", "versions", "about"):
        assert getattr(loaded, name) == getattr(trace, name)


def test_the_file_holds_no_pickle(trace, tmp_path):
    trace.save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz", allow_pickle=False) as file:
        assert {name: file[name].dtype.hasobject for name in file.files} == {
            **dict.fromkeys(trace.arrays, False),
            "header": False,
        }


def test_a_trace_does_not_change(trace):
    with pytest.raises(dataclasses.FrozenInstanceError):
        trace.seed = 1
    with pytest.raises(ValueError, match="read-only"):
        trace["loss"][0] = 0
    with pytest.raises(TypeError):
        trace.arrays["loss"] = None
    original = np.zeros(2)
    kept = Trace({"loss": original}, {"loss": ("step",)})
    original[0] = 5
    assert kept["loss"].tolist() == [0, 0]


def test_a_damaged_or_foreign_file_is_answered_in_one_sentence(trace, tmp_path):
    path = tmp_path / "run.npz"
    trace.save(path)
    whole = path.read_bytes()
    np.savez(tmp_path / "other.npz", loss=np.zeros(2))
    np.save(tmp_path / "array.npy", np.zeros(2))
    (tmp_path / "text.npz").write_text("loss, 0.5")
    (tmp_path / "empty.npz").touch()
    damaged = ["other.npz", "array.npy", "text.npz", "empty.npz"]
    for size in (4, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / f"{size}.npz").write_bytes(whole[:size])
        damaged.append(f"{size}.npz")
    broken = bytearray(whole)
    broken[len(whole) // 4] ^= 255
    (tmp_path / "broken.npz").write_bytes(broken)
    for name in [*damaged, "broken.npz"]:
        with pytest.raises(
            ValueError, match=r"is damaged or is not a file written by Trace.save\."
        ):
            Trace.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Trace.load(tmp_path / "missing.npz")


@pytest.mark.parametrize(
    ("arrays", "axes", "message"),
    [
        ({"loss": np.zeros((2, 3))}, {"loss": ("step",)}, "'loss' has 2 dimensions but 1 named ax"),
        (
            {"loss": np.zeros(2), "score": np.zeros(3)},
            {"loss": ("step",), "score": ("step",)},
            "The axis 'step' must have one size, but it is 2 in 'loss' and 3 in 'score'.",
        ),
        (
            {"gate": np.zeros((2, 3))},
            {"gate": ("time", "time")},
            "it is 2 in 'gate' and 3 in 'gate",
        ),
        (
            {"loss": np.zeros(2)},
            {},
            "Every array needs its axes: there are arrays loss and axes fo",
        ),
        ({}, {"loss": ("step",)}, "there are arrays none and axes for loss."),
        ({"header": np.zeros(1)}, {"header": ("step",)}, "must not be named 'header'"),
    ],
)
def test_axes_that_do_not_fit_are_answered_in_one_sentence(arrays, axes, message):
    with pytest.raises(ValueError, match=message) as caught:
        Trace(arrays, axes)
    assert str(caught.value).count("\n") == 0 and str(caught.value).endswith(".")


def test_other_bad_input(trace, tmp_path):
    with pytest.raises(KeyError, match="no array 'los' in this trace, only loss, step, state_grad"):
        trace["los"]
    objects = Trace({"x": np.array([{}])}, {"x": ("step",)})
    with pytest.raises(ValueError, match="'x' must hold numbers or text, not Python obj"):
        objects.save(tmp_path / "objects.npz")
