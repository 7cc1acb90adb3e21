"""Four ways to read a sentence of dates: `python results/dates.py` makes results/dates*.npz.

Each model is trained on 1 to 3 dates in a row, from three seeds, with one recipe for all; the fixed
vector also at half and at twice the size. About 20 minutes on two cores.
Then Bahdanau attention on single dates, with the language named in the source: dates-tag.npz.
"""

import datetime
import multiprocessing
from pathlib import Path

import numpy as np
import torch

import seqviz as sv

READINGS = ("fixed", "mean", "query", "bahdanau")
SIZE, OTHER_SIZES = 64, (128, 32)  # hidden size; the others for the fixed vector only
SEEDS = (0, 1, 2)
TRAINED, TESTED = 3, (1, 2, 3, 4, 5)  # dates in a row
PHASES = ((700, 1e-2), (200, 2e-3))  # steps, learning rate
# Every 15th day: each is held out. Two halves, so that each has another to take words from.
HELD_OUT = [datetime.date(2000, 1, 1) + datetime.timedelta(15 * i) for i in range(1200)]
EXAMPLE = [datetime.date(2021, 3, 1), datetime.date(2038, 11, 12)]  # both held out


def run(setting: tuple[str, int, int]) -> tuple[np.ndarray, ...]:
    """Train one model; return its loss, accuracy by length, and attention on the example."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    reading, size, seed = setting
    task = sv.tasks.Dates(TRAINED)
    model = sv.models.Seq2Seq(task.input_size, size, reading=reading, seed=seed)
    loss = []
    for part, (steps, learning_rate) in enumerate(PHASES):
        trace = sv.train(
            model, task, steps=steps, batch_size=64, learning_rate=learning_rate,
            seed=seed + 100 * part, record=(), progress=False,
        )  # fmt: skip
        loss.append(trace["loss"])
    words, sentences = zip(*(accuracy(model, task, dates) for dates in TESTED))
    maps = [attention(model, task, language) for language in task.targets]
    print(*setting, *(f"{w:.3f}/{s:.3f}" for w, s in zip(words, sentences)), flush=True)
    return np.concatenate(loss), np.array(words), np.array(sentences), np.stack(maps)


def accuracy(model: sv.models.Seq2Seq, task: sv.tasks.Dates, dates: int) -> tuple[float, float]:
    """The share of words and of whole sentences that are right, written without help."""
    batch = task.held_out(600, seed=dates, dates=dates)
    written, _ = model.translate(batch.inputs[0], batch.inputs[1][:, 0], batch.targets.shape[1])
    real = batch.targets != 0
    right = written == batch.targets
    return right[real].double().mean().item(), (right | ~real).all(1).double().mean().item()


def attention(model: sv.models.Seq2Seq, task: sv.tasks.Dates, language: str) -> np.ndarray:
    """The weights on the example (output time, time) in percent, padded to 16 words."""
    batch = task.translations([EXAMPLE], "English", language)
    weights = model(batch.inputs).attention
    found = np.zeros((16, 9), dtype=np.uint8)
    if weights is not None:
        percent = np.round(100 * weights[0, 0, 0].detach().numpy())
        found[: percent.shape[0], : percent.shape[1]] = percent
    return found


def run_tag(seed: int) -> tuple[np.ndarray, ...]:
    """Train with the tag in the source; return accuracy, mean attention and effect by language."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    task = sv.tasks.Dates(1, tag_in_source=True)
    model = sv.models.Seq2Seq(task.input_size, SIZE, seed=seed)
    for part, (steps, learning_rate) in enumerate(PHASES):
        sv.train(
            model, task, steps=steps, batch_size=64, learning_rate=learning_rate,
            seed=seed + 100 * part, record=(), progress=False,
        )  # fmt: skip
    found = []
    for language, other in zip(task.targets, task.targets[1:] + task.targets[:1]):
        # The words to put in their place come from other dates, and a tag of another language.
        batch = task.translations([[date] for date in HELD_OUT[::2]], "English", language)
        others = task.translations([[date] for date in HELD_OUT[1::2]], "English", other)
        (source, given), length = batch.inputs, batch.targets.shape[1]
        written, weights = model.translate(source, given[:, 0], length)
        effect = sv.probes.replacement_effect(
            lambda s, y=given[:, 0], n=length: model.translate(s, y, n)[0], source, others.inputs[0]
        )
        pad = ((0, 9 - length), (0, 0))
        found.append((
            (written == batch.targets).double().mean().item(),
            np.pad(weights[:, 0, 0].mean(0).numpy(), pad), np.pad(effect.numpy(), pad),
        ))  # fmt: skip
    print("tag", seed, *(f"{words:.3f}" for words, _, _ in found), flush=True)
    return tuple(np.array(part, dtype=np.float32) for part in zip(*found))


def main_tag() -> None:
    """Train with the tag in the source from every seed and write what was found."""
    words, attention, effect = (np.stack(part) for part in zip(*map(run_tag, SEEDS)))
    arrays = {"words": words, "attention": attention, "effect": effect}
    axes = {"words": ("seed", "language")}
    axes |= dict.fromkeys(("attention", "effect"), ("seed", "language", "query", "key"))
    about = {
        "command": "python results/dates.py", "task": repr(sv.tasks.Dates(1, tag_in_source=True)),
        "phases": PHASES, "batch_size": 64, "clip": 1.0, "optimizer": "adam",
    }  # fmt: skip
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    sv.Trace(arrays, axes, versions=versions, about=about).save(
        Path(__file__).with_name("dates-tag.npz")
    )


def main() -> None:
    """Train every model and write the runs, one a row."""
    every = [(reading, SIZE, seed) for seed in SEEDS for reading in READINGS]
    every += [("fixed", size, seed) for size in OTHER_SIZES for seed in SEEDS]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.map(run, every, chunksize=1)
    loss, words, sentences, maps = (np.stack(part) for part in zip(*results))
    readings, sizes, seeds = zip(*every)
    arrays = {
        "reading": np.array(readings), "hidden_size": np.array(sizes), "seed": np.array(seeds),
        "dates": np.array(TESTED), "words": words, "sentences": sentences, "attention": maps,
        "loss": loss.reshape(len(every), -1, 10).mean(2).astype(np.float32),
    }  # fmt: skip
    axes = {name: ("run",) for name in ("reading", "hidden_size", "seed")}
    axes |= {"dates": ("dates",), "words": ("run", "dates"), "sentences": ("run", "dates")}
    axes |= {"loss": ("run", "ten_steps"), "attention": ("run", "language", "query", "key")}
    about = {
        "command": "python results/dates.py", "task": repr(sv.tasks.Dates(TRAINED)),
        "phases": PHASES, "batch_size": 64, "clip": 1.0, "optimizer": "adam",
        "example": [str(date) for date in EXAMPLE],
    }  # fmt: skip
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    sv.Trace(arrays, axes, versions=versions, about=about).save(Path(__file__).with_suffix(".npz"))


if __name__ == "__main__":
    main()
    main_tag()
