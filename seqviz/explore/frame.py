"""Attention views of bertviz, shut into a frame of their own, on a page and in a notebook."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqviz.explore.controls import shown
from seqviz.explore.explorable import NAME, building_book

FRAME_MIME = "application/vnd.seqviz.frame+json"
LIBRARY = "<!--library-->"  # where the page, or the notebook, puts jQuery and d3
LIMIT = 800_000  # bytes; with the library a view then weighs less than 1 MB
STATIC = Path(__file__).parent.parent / "static"

_STYLE = (
    "<style>body{margin:0;background:#fff;color:#000;font-family:sans-serif}"
    "select{font:inherit}svg{display:block}</style>"
)
# The model view is 970 pixels wide: it is scaled to the column, and scrolls on a phone.
_FIT = (
    "<script>for(const svg of document.querySelectorAll('#vis > svg')){"
    "if(svg.getAttribute('width')!=='970')continue;"
    "svg.setAttribute('viewBox',`0 0 970 ${svg.getAttribute('height')}`);"
    "svg.removeAttribute('height');svg.style.cssText='width:100%;min-width:560px;height:auto'}"
    "document.querySelector('#layer')?.setAttribute('aria-label','Layer')</script>"
)


class Frame:
    """An HTML document in a sandboxed frame, which cannot reach the page around it.

    `size` is the CSS that gives the frame its height, `name` its address on the page. Raises
    ValueError for another name than lower-case letters, digits and hyphens, or an empty caption.
    """

    def __init__(self, content: str, size: str, name: str, caption: str) -> None:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(
                f"name must be lower-case letters, digits and hyphens, not {shown(name)}."
            )
        if not isinstance(caption, str) or not caption.strip():
            raise ValueError("caption must be a text that is not empty.")
        self.content, self.size, self.name, self.caption = content, size, name, caption

    def spec(self) -> dict:
        """What the book's build needs to know."""
        return {
            "name": self.name, "caption": self.caption, "size": self.size,
            "content": self.content,
        }  # fmt: skip

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict:
        text = f"{self.name}: {self.caption}"
        if building_book():
            return {FRAME_MIME: self.spec(), "text/plain": text}
        path = STATIC / "frame.js"
        if not path.is_file():
            raise FileNotFoundError(
                "The front-end file frame.js is not built: run `make front` in the repository."
            )
        library = f"<script>{path.read_text(encoding='utf-8')}</script>"
        document = html.escape(self.content.replace(LIBRARY, library))
        caption = html.escape(self.caption)
        frame = (
            f'<figure><iframe sandbox="allow-scripts" title="{caption}" srcdoc="{document}" '
            f'style="width:100%;{html.escape(self.size)};border:0;background:#fff"></iframe>'
            f"<figcaption>{caption}</figcaption></figure>"
        )
        return {"text/html": frame, "text/plain": text}


def head_view(
    attention: np.ndarray, tokens: Sequence[str], *, name: str, caption: str, layer: int = 0
) -> Frame:
    """The head view of bertviz (Vig 2019): lines from each word to the words it looks at.

    `attention` is (layer, head, query, key), between 0 and 1. `name` is the address of the view on
    its page. Raises ImportError if bertviz is missing; ValueError for another shape, a bad name or
    caption, or a view that would weigh more than 1 MB.
    """
    attention = _checked(attention, tokens)
    size = f"height:{round(90 + 22.5 * len(tokens))}px"
    return _view("head_view", attention, tokens, name, caption, size, layer=layer)


def model_view(attention: np.ndarray, tokens: Sequence[str], *, name: str, caption: str) -> Frame:
    """The model view of bertviz (Vig 2019): every head of every layer at a glance.

    `attention` is (layer, head, query, key), between 0 and 1. Raises as `head_view` does.
    """
    attention = _checked(attention, tokens)
    layers, heads, words = attention.shape[:3]
    high = max(layers * (words * 7 * 12 / heads + 10) + 38, words * 18 + 55)  # as bertviz has it
    size = f"aspect-ratio:970/{high + 12:.0f};min-height:{0.6 * high + 12:.0f}px"
    return _view("model_view", attention, tokens, name, caption, size, display_mode="light")


def _checked(attention: np.ndarray, tokens: Sequence[str]) -> np.ndarray:
    attention = np.asarray(attention, dtype=np.float64)
    square = (len(tokens), len(tokens))
    if attention.ndim != 4 or attention.shape[2:] != square or not attention.size:
        raise ValueError(
            f"attention must have the shape (layer, head, {len(tokens)}, {len(tokens)}), one row "
            f"and one column a token, got {attention.shape}."
        )
    if not ((attention >= 0) & (attention <= 1 + 1e-6)).all():  # float32 rounds
        raise ValueError("attention must be numbers between 0 and 1.")
    return attention


def _view(
    kind: str,
    attention: np.ndarray,
    tokens: Sequence[str],
    name: str,
    caption: str,
    size: str,
    **options: Any,
) -> Frame:
    heavy = "The view would weigh more than 1 MB: show fewer tokens, or use sv.plots.attention_map."
    if 6 * attention.size > LIMIT:  # six characters a weight at least
        raise ValueError(heavy)
    try:
        import bertviz
        import torch
    except ImportError as error:
        raise ImportError("The view needs bertviz: pip install --no-deps bertviz==1.4.1") from error
    # Three digits are more than a line can show, and a third of the weight. bertviz puts tokens
    # into a script as they are: "<" travels as a character that no token holds, and becomes an
    # escape of JavaScript, so that no token can end the script.
    layers = [torch.from_numpy(np.round(weights, 3))[None] for weights in attention]
    safe = [str(token).replace("<", "\ue000") for token in tokens]
    draw = getattr(bertviz, kind)
    page = draw(layers, safe, html_action="return", **options).data.replace("\\ue000", "\\u003c")
    page = re.sub(r"bertviz-[0-9a-f]{32}", name, page)
    # Its loader, the addresses that this would ask, and a comment in which all data stand again.
    for pattern, kept in (
        (r'<script src="[^"]*"></script>', ""),
        (r"/\*\*.*?\*/\s*require\.config\(\{.*?\}\s*\}\);", ""),
        (r"(const params = .*?;) // HACK: [^\n]*", r"\1"),
    ):
        page, found = re.subn(pattern, kept, page, count=1, flags=re.S)
        if not found:
            raise ImportError("The view needs bertviz 1.4.1: this one writes another page.")
    head = f'<meta charset="utf-8"><title>{html.escape(name)}</title>{_STYLE}{LIBRARY}'
    content = f'<!DOCTYPE html><html lang="en">{head}{page}{_FIT}</html>'
    if len(content.encode()) > LIMIT:
        raise ValueError(heavy)
    return Frame(content, size, name, caption)
