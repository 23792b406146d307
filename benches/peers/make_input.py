#!/usr/bin/env python3
"""Writes the benchmark's input: a SQLite table of metrics and, if asked, a project that reads it.

Needs nothing but the standard library. The same arguments give the same rows: every metric has its
own generator, seeded with its number.
"""

import argparse
import math
import os
import random
import sqlite3
from array import array
from datetime import datetime, timedelta, timezone
from pathlib import Path

STEP = timedelta(minutes=30)
SLOTS_PER_DAY = 48
SLOTS_PER_WEEK = 7 * SLOTS_PER_DAY
SPIKE_SHARE = 0.002
# Every so many metrics one ends in a jump, so that the alert stage has something to raise.
JUMP_EVERY = 25
JUMP_POINTS = 4
MONDAY = datetime(2026, 1, 5, tzinfo=timezone.utc)

SYSTEM_TOML = """\
# Written by benches/peers/make_input.py.
[log]
filter = "warn"
"""

BATCH_TOML = """\
# Written by benches/peers/make_input.py: {metrics} metrics of {points} half-hourly points.
name = "bench"
description = "The input of the comparison with pandas, PyOD and DuckDB"

[source]
kind = "sql"
url = "sqlite://{database}"
query = "SELECT timestamp, name, value FROM metrics {{% if last_timestamp %}}WHERE timestamp >= '{{{{ last_timestamp }}}}'{{% endif %}}"
timeout = "10m"
drop_incomplete = false
max_rows = {max_rows}

[schedule]
ingest = "never"
train = "never"
score = "never"
alert = "never"

[features]
difference = 1
smooth = 3
lags = 5

[train]
window = "90d"
min_points = 30
max_points = 2500

[[detectors]]
kind = "pca"
tag = "pca_default"
[detectors.params]
contamination = 0.01

[[detectors]]
kind = "knn"
tag = "knn_default"
[detectors.params]
contamination = 0.01

[score]
combine = "mean"
window = "14d"
max_points = 25

[alert]
threshold = 0.8
smooth = 3
recent = 1
snooze = "6h"
channels = []
"""


def instant(text: str) -> datetime:
    """Parses an RFC 3339 time with an offset."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no offset; write {text}Z")
    return at.astimezone(timezone.utc)


def positive(text: str) -> int:
    """Parses a count of at least one."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return count


def values(number: int, first_slot: int, n_points: int) -> array:
    """One metric's values: daily and weekly season, noise, 0.2 % spikes, perhaps a last jump."""
    rng = random.Random(number)
    base = rng.uniform(50.0, 500.0)
    daily = base * rng.uniform(0.1, 0.4)
    weekly = base * rng.uniform(0.05, 0.2)
    noise = base * rng.uniform(0.02, 0.05)
    phase = rng.uniform(0.0, 2.0 * math.pi)
    season = [
        base
        + daily * math.sin(2.0 * math.pi * slot / SLOTS_PER_DAY + phase)
        + weekly * math.sin(2.0 * math.pi * slot / SLOTS_PER_WEEK)
        for slot in range(SLOTS_PER_WEEK)
    ]
    made = array("d")
    for index in range(n_points):
        value = season[(first_slot + index) % SLOTS_PER_WEEK] + rng.gauss(0.0, noise)
        if rng.random() < SPIKE_SHARE:
            value += rng.choice((-1.0, 1.0)) * rng.uniform(8.0, 20.0) * noise
        if number % JUMP_EVERY == 0 and n_points - index <= JUMP_POINTS:
            value += 40.0 * noise
        made.append(round(value, 4))
    return made


def rows(n_metrics: int, n_points: int, end: datetime):
    """Rows in the order a real table grows: by time, then by metric."""
    start = end - n_points * STEP
    first_slot = (start - MONDAY) // STEP
    names = [f"metric_{number:04d}" for number in range(n_metrics)]
    series = [values(number, first_slot, n_points) for number in range(n_metrics)]
    for index in range(n_points):
        at = (start + index * STEP).strftime("%Y-%m-%dT%H:%M:%SZ")
        for name, made in zip(names, series):
            yield at, name, made[index]


def write_database(path: Path, n_metrics: int, n_points: int, end: datetime) -> None:
    """Writes the table beside its final place first, so that a broken run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.unlink(missing_ok=True)
    database = sqlite3.connect(unfinished)
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute(
        "CREATE TABLE metrics (timestamp TEXT NOT NULL, name TEXT NOT NULL, value REAL)"
    )
    database.executemany("INSERT INTO metrics VALUES (?, ?, ?)", rows(n_metrics, n_points, end))
    database.commit()
    database.close()
    os.replace(unfinished, path)


def write_project(folder: Path, database: Path, n_metrics: int, n_points: int) -> None:
    """Writes the Anomstack project that reads the table with the settings the peer uses."""
    batch = BATCH_TOML.format(
        metrics=n_metrics,
        points=n_points,
        database=database.resolve(),
        max_rows=2 * n_metrics * n_points,
    )
    for name, text in (
        ("config/anomstack.toml", SYSTEM_TOML),
        ("metric_batches/bench.toml", batch),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metrics", type=positive, required=True)
    parser.add_argument("--points", type=positive, default=2600, help="per metric, half-hourly")
    parser.add_argument(
        "--end",
        type=instant,
        default="2026-11-01T00:00:00Z",
        help="end of the last half hour; the last point is stamped 30 minutes earlier",
    )
    parser.add_argument("--out", type=Path, required=True, help="the SQLite file to write")
    parser.add_argument("--project", type=Path, help="folder for an Anomstack project")
    args = parser.parse_args()
    write_database(args.out, args.metrics, args.points, args.end)
    if args.project:
        write_project(args.project, args.out, args.metrics, args.points)


if __name__ == "__main__":
    main()
