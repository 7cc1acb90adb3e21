"""The adding problem by length, model, forget bias and seed. Makes results/lengths.npz.

Run from the repository's root: python results/lengths.py (about half an hour on two cores).
"""

import multiprocessing
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import seqviz as sv

HIDDEN, BATCH, STEPS, ENOUGH, SEEDS = 32, 64, 800, 0.003, range(3)
LENGTHS, LONG = (50, 100, 200), 1600  # trained at
TESTED = (50, 100, 200, 400, 800, 1600, 3200)  # the trained network is then asked at these
BIASES = ("-1", "0", "1", "2", "3", "5", "spread")  # at 50 steps; fewer elsewhere
KEPT = {"weights": ("lstm", LONG, "spread"), "gru_weights": ("gru", 50, "")}
KINDS = {"rnn": (sv.models.RNN, nn.RNN, 1e-3), "gru": (sv.models.GRU, nn.GRU, 5e-3),
         "lstm": (sv.models.LSTM, nn.LSTM, 1e-2)}  # fmt: skip


class Fused(nn.Module):
    """A model of the book run by torch's fused cell: the same numbers (see its tests), sooner."""

    def __init__(self, model: nn.Module, cell: type[nn.Module]) -> None:
        super().__init__()
        self.model, self.cell = model, cell(model.input_size, model.hidden_size, batch_first=True)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(self.cell, f"{name}_l0", getattr(model, name))  # shared: trained in place

    def forward(self, inputs: Tensor) -> sv.models.Output:
        """Predict from inputs (batch, time, input)."""
        return sv.models.Output(self.model.head(self.cell(inputs)[0][:, -1]))


def start(kind: str, length: int, bias: str, seed: int) -> nn.Module:
    """An untrained network; `bias` is a number, "spread", or "" where there is none."""
    model_class = KINDS[kind][0]
    if not bias:
        return model_class(2, HIDDEN, 1, seed=seed)
    model = model_class(2, HIDDEN, 1, forget_bias=1 if bias == "spread" else int(bias), seed=seed)
    if bias == "spread":
        sv.models.spread_forget_bias(model, longest=length, seed=seed)
    return model


def gradient(model: nn.Module, length: int) -> np.ndarray:
    """‖∂L/∂h_t‖ at the last 50 time steps, on 64 sequences (16 if they are long) in float64."""
    batch = sv.tasks.Adding(length).batch(16 if length == LONG else 64, seed=0)
    model.double()
    probe = sv.probes.state_gradients(
        model, batch.inputs.double(), batch.targets.double(), functional.mse_loss
    )
    model.float()
    return probe.state_grad_norm.numpy()[-50:]


def run(setting: tuple[str, int, str, int]) -> tuple:
    """Train one network; return its gradients before and after, steps, loss by length, weights."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # vanished gradients would make the backward pass slow
    kind, length, _, seed = setting
    _, cell, learning_rate = KINDS[kind]
    model = start(*setting)
    fused = Fused(model, cell)
    before, losses = gradient(model, length), []
    for step in sv.steps(
        fused, sv.tasks.Adding(length), steps=STEPS, batch_size=BATCH, seed=seed,
        learning_rate=learning_rate, record=(),
    ):  # fmt: skip
        losses.append(step.loss)
        if step.step >= 50 and np.mean(losses[-50:]) < ENOUGH:
            break
    tested = []
    for other in TESTED:
        task = sv.tasks.Adding(other)
        tested.append(sv.evaluate(fused, task.batch(256, seed=0), task))
    print(*setting, len(losses), " ".join(f"{loss:.4f}" for loss in tested), flush=True)
    weights = nn.utils.parameters_to_vector(model.parameters()).detach().numpy()
    return before, gradient(model, length), len(losses), tested, weights


def settings() -> list[tuple[str, int, str, int]]:
    """Every run as (model, length, forget bias, seed)."""
    every = [("lstm", 50, bias, seed) for bias in BIASES for seed in SEEDS]
    for length in LENGTHS:
        every += [("lstm", length, bias, s) for bias in ("1", "3", "spread") for s in SEEDS]
        every += [(kind, length, "", seed) for kind in ("rnn", "gru") for seed in SEEDS]
    every += [("lstm", LONG, bias, seed) for bias in ("1", "spread") for seed in SEEDS]
    return list(dict.fromkeys(every))


def main() -> None:
    """Train every network, on two cores, and save."""
    every = settings()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.map(run, every[::-1], chunksize=1)[::-1]  # the longest first
    save(every, results)


def save(every: list, results: list) -> None:
    """Write the runs to results/lengths.npz."""
    before, after, steps, tested, weights = zip(*results)
    kind, length, bias, seed = zip(*every)
    kept = {
        name: np.stack([w for w, setting in zip(weights, every) if setting[:3] == start])
        for name, start in KEPT.items()
    }
    arrays = {
        "model": np.array(kind), "length": np.array(length), "forget_bias": np.array(bias),
        "seed": np.array(seed), "steps": np.array(steps), "tested": np.array(TESTED),
        "loss": np.array(tested, dtype=np.float32),
        "before": np.stack(before), "after": np.stack(after),
    } | kept  # fmt: skip
    axes = {name: ("run",) for name in ("model", "length", "forget_bias", "seed", "steps")}
    axes |= {"tested": ("tested",), "loss": ("run", "tested"), "weights": ("start", "parameter")}
    axes["gru_weights"] = ("start", "gru_parameter")
    axes |= {"before": ("run", "time"), "after": ("run", "time")}
    about = {
        "command": "python results/lengths.py", "hidden": HIDDEN, "batch_size": BATCH,
        "steps": STEPS, "stops_below": ENOUGH, "clip": 1.0, "optimizer": "adam",
        "learning_rate": {kind: rate for kind, (*_, rate) in KINDS.items()},
        "weights": f"of the LSTMs with the spread start trained at {LONG} steps, seeds 0 to 2",
        "gru_weights": "of the GRUs trained at 50 steps, seeds 0 to 2",
    }  # fmt: skip
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    sv.Trace(arrays, axes, versions=versions, about=about).save(Path(__file__).with_suffix(".npz"))


if __name__ == "__main__":
    main()
