"""A character model on real English: what do its units track? Makes results/characters.npz.

Run from the repository's root: python results/characters.py (about five minutes on one core).
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

import seqviz as sv

HIDDEN, LENGTH, BATCH, STEPS = 64, 64, 32, 3000
EXCERPT = 150  # characters whose gates are kept for the book
KEEP = {"cell": np.float16, "forget_gate": np.float16, "input_gate": np.float16}


def texts() -> tuple[str, str]:
    """The corpus, the last fifth of its documents held out."""
    documents = sv.tasks.corpus()
    order = np.random.default_rng(0).permutation(len(documents))
    cut = len(order) * 4 // 5
    parts = order[:cut], order[cut:]
    return tuple("\n\n".join(documents[i] for i in part) for part in parts)


def properties(text: str) -> dict[str, np.ndarray]:
    """What a unit could track after each character: counts since a mark, and inside of brackets."""
    found = {name: np.zeros(len(text)) for name in (
        "letters since the last space", "characters since the paragraph began",
        "characters since the sentence began", "inside parentheses", "inside double quotes",
    )}  # fmt: skip
    word = paragraph = sentence = depth = 0
    quoted = False
    for t, character in enumerate(text):
        word = 0 if character.isspace() else word + 1
        paragraph = 0 if character == "\n" else paragraph + 1
        sentence = 0 if character in ".!?\n" else sentence + 1
        depth = 0 if character == "\n" else max(depth + (character == "(") - (character == ")"), 0)
        quoted = character != "\n" and quoted != (character == '"')
        values = word, paragraph, sentence, depth > 0, quoted
        for values_by_time, value in zip(found.values(), values):
            values_by_time[t] = value
    return found


def train(model: sv.models.LSTM, tokens: torch.Tensor, seed: int) -> None:
    """Teach it to name the next character, through torch's fused cell, which equals ours."""
    cell = nn.LSTM(model.input_size, HIDDEN, batch_first=True)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(cell, f"{name}_l0").data = getattr(model, name).data  # shared: trained in place
    parameters = [*cell.parameters(), *model.head.parameters()]
    update = torch.optim.Adam(parameters, lr=4e-3)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(update, STEPS)
    # Each row of the batch reads a stretch of the text from end to end, and keeps its state: a
    # state that begins at zero in every window would never have lived as long as the text it reads.
    streams = tokens[: len(tokens) // BATCH * BATCH].view(BATCH, -1)
    streams = streams.roll(shifts=997 * seed, dims=1)  # each seed cuts its windows elsewhere
    starts = range(0, streams.shape[1] - LENGTH - 1, LENGTH)
    for step in range(STEPS):
        start = starts[step % len(starts)]
        if start == 0:
            state = None
        window = streams[:, start : start + LENGTH + 1]  # (batch, time + 1)
        one_hot = functional.one_hot(window[:, :-1], model.input_size).float()
        hidden_states, state = cell(one_hot, state)
        state = tuple(part.detach() for part in state)
        predicted = model.head(hidden_states)
        loss = functional.cross_entropy(predicted.flatten(0, 1), window[:, 1:].flatten())
        update.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        update.step()
        rate.step()


def read(model: sv.models.LSTM, tokens: torch.Tensor) -> tuple[sv.models.Output, float]:
    """The model's internals over a text, and the bits it needs for each next character."""
    with torch.no_grad():
        output = model(tokens[None, :-1])
        predicted = model.head(torch.stack(output.hidden_states, 1))[0]
    return output, functional.cross_entropy(predicted, tokens[1:]).item() / np.log(2)


def correlations(cell: np.ndarray, tracked: dict[str, np.ndarray]) -> np.ndarray:
    """Pearson's correlation of every unit's cell state with every property: (property, unit)."""
    table = [[np.corrcoef(unit, values)[0, 1] for unit in cell.T] for values in tracked.values()]
    return np.nan_to_num(np.array(table))


def main() -> None:
    """Train from three seeds, choose units on one half of held-out text, judge on the other."""
    torch.set_num_threads(1)
    training, held_out = texts()
    alphabet = sorted(set(training + held_out))
    index = {character: i for i, character in enumerate(alphabet)}
    encode = lambda text: torch.tensor([index[c] for c in text])  # noqa: E731
    # Units are chosen on the first half of the held-out text and judged on the second.
    choosing, judging = held_out[:20_000], held_out[20_000:40_000]
    arrays: dict[str, list] = {"bits": [], "chosen": [], "correlation": [], "untrained": []}
    arrays |= {name: [] for name in KEEP}
    start = judging.index(" (") - 60
    tracked = [properties(choosing[:-1]), properties(judging[:-1])]
    excerpt = slice(start, start + EXCERPT)
    for seed in range(3):
        model = sv.models.LSTM(len(alphabet), HIDDEN, len(alphabet), seed=seed)
        tables = {}
        for name in ("untrained", "correlation"):
            if name == "correlation":
                train(model, encode(training), seed)
            outputs = [read(model, encode(part)) for part in (choosing, judging)]
            cells = [output.gates["cell"][0].numpy() for output, _ in outputs]
            first, second = (correlations(c, t) for c, t in zip(cells, tracked))
            unit = np.abs(first).argmax(1)  # (property,)
            tables[name] = second[np.arange(len(unit)), unit]
            arrays[name].append(np.abs(tables[name]))
        arrays["chosen"].append(unit)
        arrays["bits"].append(outputs[1][1])
        for name, kind in KEEP.items():
            values = outputs[1][0].gates[name][0, excerpt].numpy()  # (character, hidden)
            arrays[name].append(values.astype(kind))
        print(
            seed, outputs[1][1], dict(zip(tracked[0], tables["correlation"])), tables["untrained"]
        )
    axes = {"bits": ("seed",), "chosen": ("seed", "property")}
    axes |= {name: ("seed", "property") for name in ("correlation", "untrained")}
    axes |= {name: ("seed", "character", "hidden") for name in KEEP}
    about = {
        "command": "python results/characters.py", "properties": list(tracked[0]),
        "hidden": HIDDEN, "steps": STEPS, "alphabet": len(alphabet),
        "text": "pydoc_data.topics, a fifth of the documents held out",
    }  # fmt: skip
    sv.Trace(
        {name: np.array(values) for name, values in arrays.items()}, axes,
        tokens=tuple(judging[excerpt]), versions={"torch": torch.__version__}, about=about,
    ).save(Path(__file__).with_suffix(".npz"))  # fmt: skip


if __name__ == "__main__":
    main()
