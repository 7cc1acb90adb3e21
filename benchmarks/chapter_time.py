"""How long each chapter takes to execute, as the book's build executes it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from seqviz.explore.explorable import BOOK_VARIABLE

CHAPTERS = Path(__file__).parents[1] / "chapters"
LIMIT = 60  # seconds


def measure() -> list[dict]:
    """Execute every notebook once, grids packed, and return the seconds each took."""
    return [
        {
            "name": f"executing {path.name}: {seconds:.0f} of {LIMIT} s",
            "ratio": seconds / LIMIT,
            "limit": 1.0,
        }
        for path in sorted(CHAPTERS.glob("*.ipynb"))
        for seconds in [_seconds(path)]
    ]


def _seconds(path: Path) -> float:
    notebook = nbformat.read(path, as_version=4)
    environment = {**os.environ, BOOK_VARIABLE: "1"}
    client = NotebookClient(notebook, resources={"metadata": {"path": str(CHAPTERS)}})
    start = time.perf_counter()
    client.execute(env=environment)
    return time.perf_counter() - start


if __name__ == "__main__":
    for row in measure():
        print(row)
