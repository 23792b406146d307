#!/usr/bin/env python3
"""Turns run.sh's measurements into a Markdown table of medians.

Reads lines of `side, stage, metrics, round, user s, system s, wall s, peak KiB`, tab-separated.
"""

import statistics
import sys
from collections import defaultdict

STAGES = ("ingest", "train", "score", "alert", "pass")
FIGURES = ("CPU s", "wall s", "peak MiB")
HEADER = (
    "| stage | metrics | "
    + " | ".join(f"{figure}, {side}" for figure in FIGURES for side in ("peer", "ours"))
    + " | CPU peer/ours | wall peer/ours | peak peer/ours |"
)


def read(lines) -> dict:
    """Gives the list of (CPU s, wall s, peak MiB) of each (stage, metrics, side)."""
    runs = defaultdict(list)
    for line in lines:
        side, stage, metrics, _, user, system, wall, peak = line.split("\t")
        runs[stage, int(metrics), side].append(
            (float(user) + float(system), float(wall), int(peak) / 1024)
        )
    return runs


def shown(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def ratio(peer: float | None, ours: float | None) -> str:
    """GNU time counts in hundredths of a second; less than one is given as a bound."""
    if peer is None or ours is None:
        return "–"
    return f"{peer / ours:.1f}×" if ours > 0 else f"> {peer / 0.01:.0f}×"


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        runs = read(file)
    print(HEADER)
    print("|---|" + "--:|" * (HEADER.count("|") - 2))
    for metrics in sorted({metrics for _, metrics, _ in runs}):
        for stage in STAGES:
            medians = {}
            for side in ("peer", "ours"):
                measured = runs.get((stage, metrics, side), [])
                columns = list(zip(*measured)) or [None] * len(FIGURES)
                medians[side] = [column and statistics.median(column) for column in columns]
            pairs = list(zip(medians["peer"], medians["ours"]))
            cells = [shown(value) for pair in pairs for value in pair]
            cells += [ratio(*pair) for pair in pairs]
            if any(value is not None for pair in pairs for value in pair):
                print(f"| {stage} | {metrics:,} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
