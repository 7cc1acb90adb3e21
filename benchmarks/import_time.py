"""What `import seqviz` costs, against torch and plotly's graph objects, which it needs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

LIMIT = 1.1
OURS, BASE = "import seqviz", "import torch, plotly.graph_objects"


def _ms(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - start) * 1000


def measure(repeats: int = 11) -> dict:
    """Import each in a fresh process, in turns, and compare the medians."""
    for code in (OURS, BASE):  # once for the files to be read and compiled
        _ms(code)
    ours, base = [], []
    for i in range(repeats):
        both = [lambda: ours.append(_ms(OURS)), lambda: base.append(_ms(BASE))]
        for run in both if i % 2 else both[::-1]:
            run()
    ours_ms, base_ms = statistics.median(ours), statistics.median(base)
    return {
        "name": "import seqviz, against torch and plotly's graph objects",
        "ratio": ours_ms / base_ms, "limit": LIMIT, "ours_ms": ours_ms, "base_ms": base_ms,
    }  # fmt: skip


if __name__ == "__main__":
    print(measure())
