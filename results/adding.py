"""Record four plain recurrent networks on the adding problem: `python results/adding.py`.

Each is trained at 10 and at 50 steps, from three seeds, with one recipe for all: about three
minutes on one core. Writes results/adding-10.npz and results/adding-50.npz.
"""

from pathlib import Path

import numpy as np
import torch

import seqviz as sv

MODELS = {
    "tanh": {"nonlinearity": "tanh"},
    "tanh, identity start": {"nonlinearity": "tanh", "start": "identity"},
    "ReLU": {"nonlinearity": "relu"},
    "ReLU, identity start": {"nonlinearity": "relu", "start": "identity"},
}
SEEDS = (0, 1, 2)
RECIPE = {"steps": 1000, "batch_size": 32, "learning_rate": 3e-3, "clip": 1.0, "record_every": 20}


def record(length: int) -> sv.Trace:
    """Train every model from every seed; the runs are rows, named in `about["runs"]`."""
    runs, traces = [], []
    for name, settings in MODELS.items():
        for seed in SEEDS:
            model = sv.models.RNN(2, 64, 1, seed=seed, **settings)
            traces.append(sv.train(model, sv.tasks.Adding(length), seed=seed, **RECIPE))
            runs.append([name, seed])
    arrays = {
        "loss": np.stack([t["loss"] for t in traces]).astype(np.float32),
        "recorded_step": traces[0]["recorded_step"],
        # float64: a vanished gradient would be 0 in float32
        "state_grad_norm": np.stack([t["state_grad_norm"] for t in traces]),
    }
    axes = {
        "loss": ("run", "step"),
        "recorded_step": ("recorded",),
        "state_grad_norm": ("run", "recorded", "time"),
    }
    about = {"task": repr(sv.tasks.Adding(length)), "hidden_size": 64, "runs": runs, **RECIPE}
    return sv.Trace(arrays, axes, versions=traces[0].versions, about=about)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for length in (10, 50):
        record(length).save(Path(__file__).with_name(f"adding-{length}.npz"))
