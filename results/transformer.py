"""Train small Transformers on the order task and time them by length; record the runs.

    python results/transformer.py        about two minutes on one free core

writes results/transformer.npz, which the chapter "The Transformer" reads.
"""

import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import Tensor, nn

import seqviz as sv

TASK = sv.tasks.Order("the", "a")
PARTS = {"held-out": TASK.held_out(), "training": TASK.batch(500, seed=7)}
GAPS = ((1, 4), (4, 7), (7, 10), (10, 25))  # distance between the two words, in words
SEEDS = range(3)
WIDTH, STEPS, RATE = 32, 200, 3e-3
POSITIONS = {
    "sinusoidal": {"positions": "sinusoidal"},
    "learned": {"positions": "learned"},
    "none": {"positions": "none"},
    "none, causal": {"positions": "none", "causal": True},
}
HEADS = (1, 2, 4, 8)
ACTIVATIONS = ("relu", "tanh", "sigmoid")
LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048)
RIVALS = ("transformer", "lstm", "tcn")
RATES = {"transformer": RATE, "lstm": 1e-2, "tcn": 2e-3}
TIMED = ("transformer", "transformer, blocks", "lstm", "tcn")


def train(seed: int, **settings: object) -> sv.models.Transformer:
    """Train one Transformer on the order task."""
    settings = {"layers": 1, "heads": 4, **settings}
    model = sv.models.Transformer(
        TASK.input_size, WIDTH, 2, max_length=TASK.length, seed=seed, **settings
    )
    trace = sv.train(
        model, TASK, steps=STEPS, batch_size=64, learning_rate=RATE, seed=seed, record=()
    )
    model.losses = trace["loss"]
    return model.eval()


def right(model: nn.Module, part: str, keep: Tensor | None = None) -> Tensor:
    """Say for each sequence whether the answer is right: (sequence,)."""
    batch = PARTS[part]
    with torch.no_grad():
        output = model(batch.inputs) if keep is None else model(batch.inputs, keep)
    return (output.prediction.argmax(-1) == batch.targets).double()


def by_gap(model: nn.Module, part: str) -> list[float]:
    """Accuracy by the distance between the two words, then over all sequences."""
    answers, gap = right(model, part), TASK.gap(PARTS[part].inputs)
    groups = [answers[(gap >= low) & (gap < high)].mean().item() for low, high in GAPS]
    return [*groups, answers.mean().item()]


def ablated(model: nn.Module, heads: int) -> dict[str, list[float]]:
    """Held-out accuracy with one head removed, and with ever more, worst or best first."""
    layers = len(model.layers)

    def without(*gone: int) -> float:
        keep = torch.ones(layers * heads)
        keep[list(gone)] = 0
        return right(model, "held-out", keep.view(layers, heads)).mean().item()

    everyone = range(layers * heads)
    result = {"one": [without(head) for head in everyone]}
    for name, choose in (("gentle", max), ("harsh", min)):
        gone, curve = [], [without()]
        while len(gone) < len(everyone):
            rest = [head for head in everyone if head not in gone]
            gone.append(choose(rest, key=lambda head: without(*gone, head)))
            curve.append(without(*gone))
        result[name] = curve
    return result


def focus(model: nn.Module) -> np.ndarray:
    """The share of each head's attention that goes to each of the two deciding words.

    Mean over all words that ask, in the held-out sentences: (layer, head, word).
    """
    inputs = PARTS["held-out"].inputs
    with torch.no_grad():
        attention = model(inputs).attention
    present = (inputs != 0)[:, None, None, :]  # only words ask, padding does not
    shares = []
    for word in (TASK.first, TASK.second):
        at = (inputs == TASK.vocabulary.index(word))[:, None, None, None, :]
        received = (attention * at).sum(-1)  # (batch, layer, head, query)
        shares.append((received * present).sum((0, 3)) / present.sum())
    return torch.stack(shares, dim=-1).numpy()


class Embedded(nn.Module):
    """An embedding, then a model of the book that reads vectors; the LSTM as torch's own layer."""

    def __init__(self, kind: str, input_size: int, width: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.embed = nn.Embedding(input_size, width)
            self.layer = nn.LSTM(width, width, batch_first=True)
            self.head = nn.Linear(width, 2)
        self.tcn = sv.models.TCN(width, width, 2, kernel_size=5, depth=3, seed=seed)
        if kind == "lstm":
            self.tcn = None
        else:
            self.layer = self.head = None

    def forward(self, inputs: Tensor) -> sv.models.Output:
        """Predict from tokens (batch, time)."""
        vectors = self.embed(inputs)
        if self.tcn is not None:
            return self.tcn(vectors)
        return sv.models.Output(self.head(self.layer(vectors)[0][:, -1]))


def to_accuracy(kind: str, seed: int, enough: float = 0.95) -> tuple[int, float]:
    """Steps and seconds until 20 batches in a row are right in 95 % of their sequences."""
    if kind == "transformer":
        model = sv.models.Transformer(TASK.input_size, WIDTH, 2, max_length=24, seed=seed)
    else:
        model = Embedded(kind, TASK.input_size, WIDTH, seed)
    scores, start = [], time.perf_counter()
    for step in sv.steps(
        model, TASK, steps=1000, batch_size=64, learning_rate=RATES[kind], seed=seed, record=()
    ):
        scores.append(step.score)
        if len(scores) >= 20 and np.mean(scores[-20:]) >= enough:
            return len(scores), time.perf_counter() - start
    return len(scores), float("nan")


def step_time(kind: str, length: int) -> float:
    """Milliseconds of one forward and backward pass over 4 sequences of 64 numbers a step."""
    width = 64
    inputs = torch.randn(4, length, width, generator=torch.Generator().manual_seed(0))
    if kind == "transformer":
        model = sv.models.Transformer(width, width, 2, max_length=length)
    elif kind == "transformer, blocks":  # torch's own: it never holds all N² weights at once
        model = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0, batch_first=True)
    elif kind == "lstm":
        model = nn.LSTM(width, width, batch_first=True)
    else:
        # As many blocks as it needs to see every step.
        model = sv.models.TCN(width, width, 2, kernel_size=5, depth=length.bit_length() - 3)
    best = float("inf")
    for _ in range(max(3, 2000 // length)):
        start = time.perf_counter()
        output = model(inputs)
        if kind in ("transformer", "tcn"):
            output = output.prediction
        (output[0] if kind == "lstm" else output).sum().backward()
        best = min(best, time.perf_counter() - start)
    return 1000 * best


def main() -> None:
    """Run everything and write the file."""
    torch.set_num_threads(1)
    arrays, axes = {}, {}

    def keep(name: str, values: object, *names: str) -> None:
        arrays[name], axes[name] = np.array(values, dtype=np.float32), names
        print(name, arrays[name].shape, flush=True)

    keep(
        "step_ms",
        [[[step_time(k, n) for n in LENGTHS] for _ in SEEDS] for k in TIMED],
        "timed",
        "seed",
        "length",
    )
    for kind in RIVALS:
        to_accuracy(kind, 0)  # the first run of each also pays for loading and caches
    reached = [[to_accuracy(kind, seed) for seed in SEEDS] for kind in RIVALS]
    keep("steps_to_accuracy", [[steps for steps, _ in row] for row in reached], "rival", "seed")
    keep("seconds_to_accuracy", [[s for _, s in row] for row in reached], "rival", "seed")
    trained = {
        name: [train(seed, **settings) for seed in SEEDS] for name, settings in POSITIONS.items()
    }
    keep("loss", [[m.losses for m in models] for models in trained.values()],
         "positions", "seed", "step")  # fmt: skip
    for part in PARTS:
        keep(
            part,
            [[by_gap(m, part) for m in trained[name]] for name in POSITIONS],
            "positions",
            "seed",
            "gap",
        )
    keep(
        "learned_positions",
        [m.positions.detach().numpy() for m in trained["learned"]],
        "seed",
        "time",
        "width",
    )
    for heads in HEADS:
        models = [train(seed, heads=heads, layers=2) for seed in SEEDS]
        results = [ablated(model, heads) for model in models]
        if heads == 4:
            keep("focus", [focus(model) for model in models], "seed", "layer", "head", "word")
        for name in ("one", "gentle", "harsh"):
            keep(
                f"heads_{heads}_{name}",
                [r[name] for r in results],
                "seed",
                f"head_{heads}" if name == "one" else f"removed_{heads}",
            )
    keep(
        "activations",
        [
            [
                [
                    right(train(seed, layers=4, activation=a, residual=r), "held-out").mean()
                    for seed in SEEDS
                ]
                for a in ACTIVATIONS
            ]
            for r in (True, False)
        ],
        "residual",
        "activation",
        "seed",
    )
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    about = {
        "command": "python results/transformer.py",
        "steps": STEPS,
        "width": WIDTH,
        "lengths": list(LENGTHS),
        "threads": 1,
        "learning_rates": RATES,
    }
    sv.Trace(arrays, axes, versions=versions, about=about).save(Path(__file__).with_suffix(".npz"))


if __name__ == "__main__":
    main()
