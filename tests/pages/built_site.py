"""The built site as the page tests see it: its pages, and the figures found on them."""

from __future__ import annotations

import base64
import functools
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("SEQVIZ_SITE", ROOT / "_build" / "html")).resolve()
NO_SITE = f"There is no built site in {SITE}: run `make book` first."


@dataclass(frozen=True)
class Figure:
    """One interactive figure: the page it is on, its name there, and what it is drawn from."""

    page: str
    name: str
    spec: dict

    def __str__(self) -> str:
        return f"{self.page}#{self.name}"

    @property
    def controls(self) -> list[dict]:
        return self.spec["controls"]

    @property
    def packed(self) -> dict:
        """The grid, also where it lies in a file of its own."""
        if "packed" in self.spec:
            return self.spec["packed"]
        text = (SITE / "_static" / "seqviz" / self.spec["source"]).read_text(encoding="utf-8")
        opening = f"seqvizGrid({json.dumps(self.name)},"
        assert text.startswith(opening) and text.endswith(");"), f"{self} has an odd grid file."
        return json.loads(text[len(opening) : -2])


class _Figures(HTMLParser):
    """Collects the `<figure class="sv-figure">` elements and the JSON within."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[list[str]] = []
        self.inside = self.reading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "figure" and "sv-figure" in (attributes.get("class") or "").split():
            self.found.append([attributes["id"] or "", ""])
            self.inside = True
        self.reading = (
            tag == "script" and self.inside and attributes.get("type") == "application/json"
        )

    def handle_data(self, data: str) -> None:
        if self.reading:
            self.found[-1][1] += data

    def handle_endtag(self, tag: str) -> None:
        self.reading = False
        self.inside = self.inside and tag != "figure"


@functools.cache
def pages() -> list[str]:
    """Every page of the site, as a path below it."""
    found = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    return [page for page in found if not page.startswith("_")]


def source(page: str) -> str:
    """The HTML of a page."""
    return (SITE / page).read_text(encoding="utf-8")


@functools.cache
def figures() -> list[Figure]:
    """Every interactive figure of every page."""
    found = []
    for page in pages():
        parser = _Figures()
        parser.feed(source(page))
        found += [Figure(page, name, json.loads(text)) for name, text in parser.found]
    return found


def numbers(node: object) -> object:
    """A figure's JSON with every array as a nested list, for comparison by value."""
    if isinstance(node, dict) and {"bdata", "dtype"} <= node.keys():
        shape = [int(n) for n in str(node.get("shape", "")).split(",") if n.strip()] or [-1]
        raw = np.frombuffer(base64.b64decode(node["bdata"]), node["dtype"])
        return raw.reshape(shape).tolist()
    if isinstance(node, dict):
        return {key: numbers(value) for key, value in node.items()}
    if isinstance(node, np.ndarray):
        return node.tolist()
    if isinstance(node, (list, tuple)):
        return [numbers(value) for value in node]
    return node


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(site: Path = SITE) -> Iterator[str]:
    """A site on a local server; yields its address, without a slash at the end."""
    handler = functools.partial(_Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
