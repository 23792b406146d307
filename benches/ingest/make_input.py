"""Writes the same rows as CSV, Parquet and SQLite: METRICS metrics, one row a minute each, in time order.

Usage: make_input.py FOLDER ROWS METRICS [KIND ...]
"""

import csv
import datetime
import pathlib
import random
import sqlite3
import sys

START = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
STEP = datetime.timedelta(minutes=1)


def rows(n_rows, n_metrics):
    noise = random.Random(7)
    names = [f"shop.metric_{n:03}" for n in range(n_metrics)]
    for step in range(n_rows // n_metrics):
        at = (START + step * STEP).strftime("%Y-%m-%dT%H:%M:%SZ")
        for n, name in enumerate(names):
            yield at, name, round(100 + 10 * n + noise.gauss(0, 5), 6)


def write_csv(path, n_rows, n_metrics):
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["timestamp", "metric", "value"])
        out.writerows(rows(n_rows, n_metrics))


def write_sqlite(path, n_rows, n_metrics):
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE points (timestamp TEXT, metric TEXT, value REAL)")
        db.executemany("INSERT INTO points VALUES (?, ?, ?)", rows(n_rows, n_metrics))


def write_parquet(path, n_rows, n_metrics):
    import pyarrow
    import pyarrow.parquet

    at, metric, value = zip(*rows(n_rows, n_metrics))
    at = [datetime.datetime.fromisoformat(text) for text in at]
    columns = {
        "timestamp": pyarrow.array(at, pyarrow.timestamp("us", "UTC")),
        "metric": pyarrow.array(metric),
        "value": pyarrow.array(value),
    }
    table = pyarrow.table(columns)
    pyarrow.parquet.write_table(table, path, row_group_size=100_000)


WRITERS = {
    "csv": ("points.csv", write_csv),
    "sqlite": ("points.db", write_sqlite),
    "parquet": ("points.parquet", write_parquet),
}


def main(folder, n_rows, n_metrics, *kinds):
    folder = pathlib.Path(folder)
    for kind in kinds or WRITERS:
        name, write = WRITERS[kind]
        write(folder / name, int(n_rows), int(n_metrics))


main(*sys.argv[1:])
