#!/usr/bin/env python3
"""Writes walk.json: what the default detector's walk makes of a made-up series.

The formulas of docs/detectors.md in their plainest form. The expected values are given, here a
daily wave: where they come from is the seasonal model's business. Python's standard library only;
run it in this folder.
"""
import json
import math
import random

CADENCE, WIDTH = 3600, 4  # an hour; level and activity over four hours
SIZES = [0, .25, .5, .7, .8, .85, .9, .95, 1]
VALUES = [0, .005, .01, .02, .05, .15, .25, .35, .5, .65, .75, .85, .95, .98, .99, .995, 1]


def near(u):
    return math.copysign(math.sqrt(1 + abs(u)) - 1, u)


def wave(i):
    return 100 + 30 * math.sin(i % 24 / 24 * math.tau)


def series():
    draw, rows = random.Random(11), []
    for i in range(900):
        value = wave(i) + draw.gauss(0, 3) + (60 if 640 <= i < 646 else 0)
        value += 200 if i in (500, 560, 760) else -45 if 700 <= i < 720 else 0
        rows.append((round(value, 3), wave(i)))
    return rows


class Seen:
    """What was seen, as at most 16 stretches."""

    def __init__(self):
        self.stretches, self.n = [], 0

    def distance(self, v):
        if self.n < 20:
            return 0.0
        return min(max(low - v, v - high, 0.0) for low, high in self.stretches)

    def range(self):
        return self.stretches[-1][1] - self.stretches[0][0] if self.stretches else 0.0

    def push(self, v):
        self.n += 1
        if any(low <= v <= high for low, high in self.stretches):
            return
        self.stretches = sorted(self.stretches + [(v, v)])
        if 16 < len(self.stretches):
            gaps = [b[0] - a[1] for a, b in zip(self.stretches, self.stretches[1:])]
            k = gaps.index(min(gaps))
            self.stretches[k:k + 2] = [(self.stretches[k][0], self.stretches[k + 1][1])]


class Summary:
    """Quantiles at fixed shares; sixteen new numbers are added at once."""

    def __init__(self, shares):
        self.shares, self.points, self.weight, self.fresh = shares, [], 0.0, []

    def at(self, share):
        return self.points[self.shares.index(share)] if self.points else None

    def share(self, v, side):
        """Share of the known numbers below v (side 0), or below and at it (side 1)."""
        equal = [p for p, x in zip(self.shares, self.points) if x == v]
        if equal:
            return equal[-side]
        if not self.points or v < self.points[0]:
            return 0.0
        if self.points[-1] < v:
            return 1.0
        k = max(i for i, x in enumerate(self.points) if x < v)
        part = (v - self.points[k]) / (self.points[k + 1] - self.points[k])
        return self.shares[k] + part * (self.shares[k + 1] - self.shares[k])

    def push(self, v):
        self.fresh.append(v)
        if len(self.fresh) < 16:
            return
        steps = []
        for v in sorted(set(self.points + self.fresh)):
            below = self.weight * self.share(v, 0) + sum(f < v for f in self.fresh)
            up_to = self.weight * self.share(v, 1) + sum(f <= v for f in self.fresh)
            steps.append((v, below, up_to))
        total = self.weight + 16
        points = []
        for p in self.shares:
            k = next((i for i, s in enumerate(steps) if p * total <= s[2]), len(steps) - 1)
            v, below, _ = steps[k]
            if p * total < below and k:
                left, _, weight = steps[k - 1]
                v = left + (v - left) * (p * total - weight) / (below - weight)
            points.append(v)
        self.points, self.weight, self.fresh = points, min(total, 1000 - 16), []


class Fatigue:
    def __init__(self, memory, gap, prolongs):
        self.memory, self.gap, self.prolongs, self.bursts, self.quiet = memory, gap, prolongs, 0.0, 1e9

    def tire(self):
        self.bursts *= math.exp(-1 / self.memory)
        self.quiet += 1
        return 1 / (1 + 0.5 * self.bursts)

    def alarm(self):
        is_new = self.gap < self.quiet
        self.bursts += is_new
        if is_new or self.prolongs:
            self.quiet = 0


def walk(rows, middle, spread):
    value, level, activity = Seen(), Seen(), Seen()
    sizes, values, us, es, out = Summary(SIZES), Summary(VALUES), [], [], []
    far_tired, new_tired = Fatigue(300, 6, True), Fatigue(2000, 20, False)
    for t, (x, b) in enumerate(rows):
        u, b = (x - middle) / spread, (b - middle) / spread
        # distance
        r, alarms, alarm, explained = abs(u - b), 0.0, math.inf, 0.0
        if sizes.points:
            inner = values.at(.99) - values.at(.01)
            scale = max(sizes.at(.9), .25 * inner, .02 * (max(us) - min(us)), 1e-12)
            alarms, alarm = min(r / scale, 100) / 2.15, 2.15 * scale
            half = (values.at(.75) - values.at(.25)) / 2
            explained = min(max(1 - sizes.at(.5) / half, 0), 1) if 0 < half else 0.0
        left = far_tired.tire()
        if 1 <= alarms:
            far_tired.alarm()
        sizes.push(r), values.push(u), us.append(u)
        # novelty
        es.append(near(u) - near(b))
        newest = es[-WIDTH:]
        views = [(value, near(u), min(1, alarms / .7)),
                 (level, sum(newest) / len(newest), 2),
                 (activity, sum(map(abs, newest)) / len(newest), 1.5)]
        spans = max(value.range(), 1e-12)
        trust = t / (t + 500) / .01 * new_tired.tire()
        news = sum(trust * w * min(seen.distance(v) / spans, 1e3) for seen, v, w in views)
        if 1 <= news:
            new_tired.alarm()
        for seen, v, _ in views:
            seen.push(v)
        weight = (.6 + .9 * explained) * left
        side = 1.8 / weight * alarm * spread
        out.append({"quotient": (news + weight * alarms) / 1.8, "explained": explained,
                    "side": side if math.isfinite(side) else None})
    return out


rows = series()
with open("walk.json", "w") as f:
    json.dump({"middle": 100.0, "spread": 20.0, "cadence": CADENCE, "rows": rows,
               "expected": walk(rows, 100.0, 20.0)}, f)
