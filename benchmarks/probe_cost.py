"""What recording ‖∂L/∂h_t‖ at every step adds to a forward and backward pass."""

import statistics
import time
from collections.abc import Callable

import torch

from seqviz.models import RNN
from seqviz.probes import state_gradients
from seqviz.tasks import Adding

LIMIT = 1.10


def measure(repeats: int = 100) -> dict[str, str | float]:
    """Compare both on one RNN (T=200, H=64, B=32), in turn, and return the medians."""
    task = Adding(200)
    batch = task.batch(32, seed=0)
    # Orthogonal: gradients that vanish to denormal numbers would measure those instead.
    model = RNN(2, 64, 1, start="orthogonal")

    def base() -> None:
        loss = task.loss(model(batch.inputs).prediction, batch.targets)
        loss.item()
        torch.autograd.grad(loss, list(model.parameters()))

    def ours() -> None:
        state_gradients(model, batch.inputs, batch.targets, task.loss)

    ours_ms, base_ms = [], []
    for repeat in range(repeats):  # interleaved: a busy machine slows both alike
        pair = [(base, base_ms), (ours, ours_ms)]
        for function, times in pair if repeat % 2 else reversed(pair):
            times.append(_milliseconds(function))
    warm = slice(repeats // 10, None)
    ratios = [ours / base for ours, base in zip(ours_ms[warm], base_ms[warm])]
    return {
        "name": "recording the gradient of every hidden state",
        "ratio": statistics.median(ratios),
        "limit": LIMIT,
        "ours_ms": statistics.median(ours_ms[warm]),
        "base_ms": statistics.median(base_ms[warm]),
    }


def _milliseconds(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(measure())
