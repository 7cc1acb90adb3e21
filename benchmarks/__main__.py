"""`make bench`: measures everything that has a limit; writes results.md and the README's table."""

from __future__ import annotations

import datetime
import importlib
import os
import platform
import sys
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results.md"
README = Path(__file__).parents[1] / "README.md"
BENCHMARKS = (
    "import_time", "probe_cost", "packing", "page_speed", "training_step", "typing_speed",
    "round_trip", "chapter_time",
)  # fmt: skip


def rows() -> list[dict]:
    """What every benchmark measured; says on the way which one runs."""
    found: list[dict] = []
    for name in BENCHMARKS:
        print(f"==> {name}", flush=True)
        measured = importlib.import_module(f"benchmarks.{name}").measure()
        found += measured if isinstance(measured, list) else [measured]
    return found


def table(measured: list[dict]) -> str:
    """The rows as a Markdown table, each ratio beside its limit."""
    lines = [
        "| What | ours, ms | base, ms | ratio | limit | within |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for row in measured:
        ours, base = (f"{row[k]:.1f}" if k in row else "" for k in ("ours_ms", "base_ms"))
        lines.append(
            f"| {row['name']} | {ours} | {base} | {row['ratio']:.2f} | {row['limit']:.2f} "
            f"| {'yes' if row['ratio'] <= row['limit'] else 'NO'} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure, print, write; 1 if anything is over its limit."""
    torch.set_num_threads(1)  # two threads beside a busy process collapse
    measured = rows()
    text = table(measured)
    machine = (
        f"{datetime.date.today():%d %B %Y}, {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, torch {torch.__version__}."
    )
    note = (
        "Times are medians of interleaved runs; a weight or a time with a bound of its own is "
        "given as its share of that bound. Written by `make bench`."
    )
    RESULTS.write_text(f"# Limits\n\n{machine}\n\n{text}\n\n{note}\n", encoding="utf-8")
    readme = README.read_text(encoding="utf-8")
    start, end = "<!-- benchmarks -->", "<!-- /benchmarks -->"
    before, after = readme.split(start)[0], readme.split(end)[1]
    shown = f"{before}{start}\n{text}\n\n{machine}\n{end}{after}"
    README.write_text(shown, encoding="utf-8")
    print(f"\n{text}\n\n{machine}")
    return int(any(row["ratio"] > row["limit"] for row in measured))


if __name__ == "__main__":
    sys.exit(main())
