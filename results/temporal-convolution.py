"""Train TCN, LSTM and GRU of equal size on six tasks, three seeds each; record the runs.

    python results/temporal-convolution.py        some ten minutes on two free cores

writes results/temporal-convolution.npz, which the chapter "Temporal convolution" reads. Each model
first chooses its settings on a seed that does not count: a learning rate of three, and for the LSTM
a forget bias of two. LSTM and GRU run as torch's fused layers, begun with the weights of the book's
explicit ones: the same equations, several times faster.
"""

import itertools
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn

import seqviz as sv
from seqviz.tasks.task import Batch, Task

# name: task, steps, sequences a step, the task on which the settings are chosen
TASKS = {
    "copy-20": (sv.tasks.CopyMemory(20), 1000, 32, "copy-50"),
    "copy-50": (sv.tasks.CopyMemory(50), 1000, 32, "copy-50"),
    "copy-100": (sv.tasks.CopyMemory(100), 1000, 32, "copy-50"),
    "digits": (sv.tasks.Digits(), 500, 64, "digits"),
    "adding-50": (sv.tasks.Adding(50), 600, 64, "adding-50"),
    "adding-100": (sv.tasks.Adding(100), 800, 64, "adding-50"),
}
MODELS = ("tcn", "lstm", "gru")
LEARNING_RATES = (2e-3, 5e-3, 1e-2)
WIDER = {"channels": 14, "depth": 5}  # a TCN of the same size that sees 249 steps in place of 121
FORGET_BIASES = (1.0, 5.0)  # of the LSTM; 5 keeps 0.993 of the cell state at each step
SEEDS, TUNING_SEED = (0, 1, 2), 9
WINDOW = 10  # steps that one point of a recorded curve averages


class Fused(nn.Module):
    """An LSTM or GRU of the book, run as torch's own layer with the same weights."""

    def __init__(self, model: sv.models.LSTM | sv.models.GRU) -> None:
        super().__init__()
        layer = nn.LSTM if isinstance(model, sv.models.LSTM) else nn.GRU
        with torch.random.fork_rng():
            self.layer = layer(model.input_size, model.hidden_size, batch_first=True)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(self.layer, f"{name}_l0").data.copy_(getattr(model, name))
        self.head = model.head

    def forward(self, inputs: torch.Tensor) -> sv.models.Output:
        """Predict from the last hidden state."""
        states, _ = self.layer(inputs)
        return sv.models.Output(self.head(states[:, -1]))


def size(model: nn.Module) -> int:
    """The number of parameters."""
    return sum(p.numel() for p in model.parameters())


def build(name: str, task: Task, seed: int, **settings: float) -> nn.Module:
    """A TCN of 16 channels, or the recurrent network whose size is closest to it."""
    shape = {"channels": 16, "depth": 4} | (settings if name == "tcn" else {})
    tcn = sv.models.TCN(
        task.input_size, output_size=task.output_size, kernel_size=5, seed=seed, **shape
    )
    if name == "tcn":
        return tcn
    cell = {"lstm": sv.models.LSTM, "gru": sv.models.GRU}[name]

    def wide(hidden_size: int) -> nn.Module:
        return cell(task.input_size, hidden_size, task.output_size, seed=seed, **settings)

    return Fused(wide(min(range(8, 90), key=lambda h: abs(size(wide(h)) - size(tcn)))))


def choices(model: str) -> list[dict[str, float]]:
    """The settings that a model may choose from."""
    if model != "lstm":
        return [{"learning_rate": rate} for rate in LEARNING_RATES]
    pairs = itertools.product(LEARNING_RATES, FORGET_BIASES)
    return [{"learning_rate": rate, "forget_bias": bias} for rate, bias in pairs]


def fresh(task: Task) -> Batch:
    """Sequences that no training has seen."""
    return task.held_out() if hasattr(task, "held_out") else task.batch(1000, seed=99)


def run(job: tuple[str, str, int, dict]) -> tuple[np.ndarray, np.ndarray, float, int]:
    """One training: the curves of loss and score, the score on fresh data, the parameters."""
    name, model_name, seed, settings = job
    torch.set_num_threads(1)
    task, steps, batch_size, _ = TASKS[name]
    rest = {key: value for key, value in settings.items() if key != "learning_rate"}
    model = build(model_name, task, seed, **rest)
    trace = sv.train(
        model, task, steps=steps, learning_rate=settings["learning_rate"], batch_size=batch_size,
        seed=seed, record=(), progress=False,
    )  # fmt: skip
    loss, score = (trace[key].reshape(-1, WINDOW).mean(1) for key in ("loss", "score"))
    final = sv.evaluate(model, fresh(task), task)
    print(*job, f"loss {loss[-5:].mean():.5f}, score {final:.5f}", flush=True)
    return loss.astype(np.float32), score.astype(np.float32), final, size(model)


def choose(pool: ProcessPoolExecutor) -> dict[tuple[str, str], dict[str, float]]:
    """The settings with the lowest loss in the last 50 steps of training, on the tuning seed."""
    tuned = sorted({task for *_, task in TASKS.values()})
    jobs = [
        (task, model, TUNING_SEED, settings)
        for task, model in itertools.product(tuned, MODELS)
        for settings in choices(model)
    ]
    best: dict[tuple[str, str], tuple[float, dict]] = {}
    for (task, model, _, settings), (loss, *_) in zip(jobs, pool.map(run, jobs), strict=True):
        ended = float(loss[-5:].mean())
        if (task, model) not in best or ended < best[task, model][0]:
            best[task, model] = ended, settings
    return {key: settings for key, (_, settings) in best.items()}


def main() -> None:
    """Choose the settings, run everything and write the record."""
    with ProcessPoolExecutor(max_workers=2) as pool:
        chosen = choose(pool)
        jobs = [
            (name, model, seed, chosen[TASKS[name][-1], model])
            for name, model, seed in itertools.product(TASKS, MODELS, SEEDS)
        ]
        results = {job[:3]: found for job, found in zip(jobs, pool.map(run, jobs), strict=True)}
        # Once more, where four blocks see hardly further than they must.
        jobs = [("copy-100", "tcn", seed, {"learning_rate": 2e-3} | WIDER) for seed in SEEDS]
        wider = np.array([final for _, _, final, _ in pool.map(run, jobs)])
    arrays, axes = {"copy-100/wider": wider}, {"copy-100/wider": ("seed",)}
    for name in TASKS:
        rows = [[results[name, model, seed] for seed in SEEDS] for model in MODELS]
        for i, key in enumerate(("loss", "score", "final", "parameters")):
            arrays[f"{name}/{key}"] = np.array([[row[i] for row in seeds] for seeds in rows])
            points = (f"point of {name}",) if i < 2 else ()
            axes[f"{name}/{key}"] = ("model", "seed", *points)
    about = {
        "command": "python results/temporal-convolution.py",
        "models": list(MODELS),
        "seeds": list(SEEDS),
        "window": WINDOW,
        "tasks": {
            name: {
                "task": repr(task), "metric": task.metric, "chance": task.chance,
                "target": task.target, "steps": steps, "batch_size": batch_size,
                "settings": {model: chosen[tuned, model] for model in MODELS},
            }
            for name, (task, steps, batch_size, tuned) in TASKS.items()
        },
    }  # fmt: skip
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    record = sv.Trace(arrays, axes, versions=versions, about=about)
    record.save(Path(__file__).with_suffix(".npz"))


if __name__ == "__main__":
    main()
