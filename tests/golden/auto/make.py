#!/usr/bin/env python3
"""Writes walk.json: the streaming detector's signal and band for a made-up series.

The formulas of docs/detectors.md in their plainest form: every row looks at whole slices of the
past, nothing is kept up to date. Python's standard library only; run it in this folder.
"""
import json
import math
import random

CADENCE, PERIOD = 3600, 24
LEVEL, ACTIVITY, EMISSION = 4, 4, 6


def near(u):
    return math.copysign(math.sqrt(1 + abs(u)) - 1, u)


def median(values):
    s = sorted(values)
    k = len(s) // 2
    return s[k] if len(s) % 2 else s[k - 1] + (s[k] - s[k - 1]) / 2


def quantile(values, q):
    s = sorted(values)
    return s[min(len(s) - 1, int(q * len(s)))] if s else 0.0


def series():
    draw, rows, at = random.Random(11), [], 1_771_000_000
    for i in range(900):
        at += CADENCE * (30 if i == 400 else 1)
        hour, weekday = at // 3600 % 24, at // 86400 % 7
        value = 100 + 30 * math.sin(hour / 24 * math.tau) * (0.3 if weekday < 2 else 1)
        value += draw.gauss(0, 3) + (60 if 640 <= i < 646 else 0) - (45 if 700 <= i < 720 else 0)
        value += 200 if i in (500, 560, 760) else 0
        rows.append((at, round(value, 3)))
    return rows


def around(known, place, n, every, width, now):
    places = [place - k * every * PERIOD + o for k in range(1, n + 1) for o in range(-width, width + 1)]
    newest = max(known, default=0)
    size = 28 * PERIOD + 8
    return [known[p] for p in places if p in known and p < now and newest - size < p]


def nearest(seen, value):
    return min((abs(value - s) for s in seen), default=0.0) if 20 <= len(seen) else 0.0


def walk(rows, middle, spread):
    origin = rows[0][0]
    known, values, zs, levels, activities = {}, [], [], [], []
    residuals, errors, weight, es, signals = [], [0.0, 0.0], 0.0, [], []
    tired = {"novelty": [0.0, None], "distance": [0.0, None]}
    out = []
    for t, (at, x) in enumerate(rows):
        place = round((at - origin) / CADENCE)
        u = (x - middle) / spread
        both = None
        if values:
            day = around(known, place, 14, 1, 1, place)
            day = median(day) if 6 <= len(day) else median(values[-64:])
            week = around(known, place, 4, 7, 2, place)
            week = median(week) if 10 <= len(week) else day
            both = (day, week)
        expected = u if both is None else both[errors[1] < 0.9 * errors[0]]
        r = abs(u - expected)
        # distance
        far, alarm = 0.0, math.inf
        past_r, past_u = residuals[-2000:], values[-2000:]
        if 20 <= len(past_r):
            inner = quantile(past_u, 0.99) - quantile(past_u, 0.01)
            scale = max(quantile(past_r, 0.9), 0.25 * inner, 0.02 * (max(values) - min(values)), 1e-12)
            far, alarm = min(r / scale, 100) / 2.15, 2.15 * scale
        left = tire(tired["distance"], 300)
        usual = (quantile(past_u, 0.75) - quantile(past_u, 0.25)) / 2
        explained = 0.0
        if 20 <= len(past_r) and 0 < usual:
            explained = min(max(1 - quantile(past_r, 0.5) / usual, 0), 1)
        if 1 <= far:
            grow(tired["distance"], 6, True)
        # novelty
        z = near(u)
        es.append(z - near(expected))
        level = sum(es[-LEVEL:]) / len(es[-LEVEL:])
        activity = sum(map(abs, es[-ACTIVITY:])) / len(es[-ACTIVITY:])
        spans = max(max(zs[-8000:]) - min(zs[-8000:]), 1e-12) if zs else 1e-12
        parts = [min(1, far / 0.7) * min(nearest(zs[-8000:], z) / spans, 1e3),
                 2 * min(nearest(levels[-8000:], level) / spans, 1e3),
                 1.5 * min(nearest(activities[-8000:], activity) / spans, 1e3)]
        novelty = t / (t + 500) * sum(parts) / 0.01 * tire(tired["novelty"], 2000)
        if 1 <= novelty:
            grow(tired["novelty"], 20, False)
        w = 0.6 + 0.9 * explained
        signal = novelty + w * far * left
        peak = max(signals[-EMISSION:], default=0.0)
        signals.append(signal)
        side = 1.8 / (w * left) * alarm
        band = None
        if both is not None and math.isfinite(side):
            band = [middle + spread * b for b in (expected, expected - side, expected + side)]
        out.append({"signal": signal if peak < signal else 0.0, "band": band})
        # remember
        if both is not None:
            usual_error = max(min(errors) / max(weight, 1e-9), 1e-9)
            most = math.inf if weight < 80 else 5 * usual_error
            kept = math.exp(-1 / 2000)
            weight = weight * kept + 1
            errors = [e * kept + min(abs(u - b), most) for e, b in zip(errors, both)]
        known[place] = u
        values.append(u), zs.append(z), levels.append(level)
        activities.append(activity), residuals.append(r)
    return out


def tire(state, memory):
    state[0] *= math.exp(-1 / memory)
    if state[1] is not None:
        state[1] += 1
    return 1 / (1 + 0.5 * state[0])


def grow(state, gap, prolongs):
    is_new = state[1] is None or gap < state[1]
    if is_new:
        state[0] += 1
    if is_new or prolongs:
        state[1] = 0


rows = series()
with open("walk.json", "w") as f:
    json.dump({"middle": 100.0, "spread": 40.0, "cadence": CADENCE, "rows": rows,
               "expected": walk(rows, 100.0, 40.0)}, f)
