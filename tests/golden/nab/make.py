#!/usr/bin/env python3
"""Writes expected.json: NAB scores and event counts of a made-up corpus.

usage: make.py SCORER_DIR   (a folder with nab_score.py, a scorer of its own making)
"""
import json
import os
import sys
from datetime import datetime, timedelta

sys.path.insert(0, sys.argv[1])
import nab_score  # noqa: E402

FILES = [("a", 1000, [(300, 349), (700, 760)]), ("b", 6000, [(10, 90), (800, 801), (4000, 4399)]),
         ("c", 400, [])]
THRESHOLDS = [0.0, 0.5, 0.9, 0.97, 0.999]


def draw(i, salt):
    return ((i * 7919 + salt * 104729) * 2654435761 % 2**32) / 2**32


corpus, scores = {}, {}
for salt, (name, n, windows) in enumerate(FILES):
    start = datetime(2026, 1, 1)
    ts = [start + timedelta(minutes=5 * i) for i in range(n)]
    corpus[name] = nab_score.Series(name, ts, [0.0] * n, windows, nab_score.probation_rows(n))
    inside = lambda i: any(a <= i <= b for a, b in windows)
    scores[name] = [round(draw(i, salt) ** (1 if inside(i) else 3), 3) for i in range(n)]

expected = {"best": nab_score.nab_scores(corpus, scores), "at": []}
for t in THRESHOLDS:
    counts = nab_score.event_counts(corpus, scores, t)
    profiles = {p: nab_score.nab_score_at(corpus, scores, t, p) for p in nab_score.PROFILES}
    expected["at"].append({"threshold": t, "profiles": profiles, "counts": counts})
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.json"), "w") as f:
    json.dump(expected, f, indent=1, default=lambda x: x.item())
