#!/usr/bin/env python3
"""A plain pandas + PyOD + DuckDB pipeline: ingest, train, score, alert.

What a careful person would write with these libraries: one grouped pass over all metrics wherever
pandas and DuckDB allow it, a loop over metrics only where PyOD needs one. Each stage prints one
JSON line with its CPU seconds, wall seconds and the process's peak memory so far.
"""

import argparse
import json
import os
import pickle
import resource
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

STARTED = time.perf_counter()  # before the imports that take seconds

import duckdb
import numpy as np
import pandas as pd
from pyod.models.knn import KNN
from pyod.models.pca import PCA

STAGES = ("ingest", "train", "score", "alert")
DIFFERENCE = 1
SMOOTH = 3
LAGS = 5
MIN_POINTS = 30
DETECTORS = {"pca_default": PCA, "knn_default": KNN}
CONTAMINATION = 0.01
# Bounds on memory; larger ones are no faster.
ROWS_AT_ONCE = 200_000
METRICS_AT_ONCE = 100

SCHEMA = """
CREATE TABLE IF NOT EXISTS points (name VARCHAR, ts TIMESTAMP, value DOUBLE);
CREATE TABLE IF NOT EXISTS scores (name VARCHAR, ts TIMESTAMP, score DOUBLE, PRIMARY KEY (name, ts));
CREATE TABLE IF NOT EXISTS alerts (name VARCHAR, ts TIMESTAMP, value DOUBLE, score DOUBLE);
"""

NEWEST = """
SELECT name, ts, value FROM points
WHERE ts >= $now - to_days($days) AND ts < $now
QUALIFY row_number() OVER (PARTITION BY name ORDER BY ts DESC) <= $most
ORDER BY name, ts
"""

ALERT = """
WITH smoothed AS (
    SELECT name, ts,
           avg(score) OVER last_three AS score,
           row_number() OVER (PARTITION BY name ORDER BY ts DESC) AS recency
    FROM scores WHERE ts >= $now - to_days(14)
    WINDOW last_three AS (PARTITION BY name ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)
)
INSERT INTO alerts
SELECT name, ts, points.value, smoothed.score
FROM smoothed JOIN points USING (name, ts)
WHERE recency <= 1 AND smoothed.score >= 0.8
  AND NOT EXISTS (SELECT 1 FROM alerts AS past
                  WHERE past.name = smoothed.name AND past.ts > smoothed.ts - INTERVAL 6 HOUR)
ORDER BY name
"""


def read_input(path: Path, after: str | None) -> Iterator[pd.DataFrame]:
    """Reads the rows newer than `after` from a CSV or SQLite file, piece by piece."""
    if path.suffix == ".csv":
        for frame in pd.read_csv(
            path, dtype={"timestamp": str, "name": str}, chunksize=ROWS_AT_ONCE
        ):
            yield frame if after is None else frame[frame["timestamp"] > after]
        return
    query, params = "SELECT timestamp, name, value FROM metrics", ()
    if after is not None:
        query, params = f"{query} WHERE timestamp > ?", (after,)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source:
        yield from pd.read_sql_query(query, source, params=params, chunksize=ROWS_AT_ONCE)


def validate(frame: pd.DataFrame) -> pd.DataFrame:
    """Keeps the rows with a time, a name and a finite value; the last of duplicates."""
    checked = pd.DataFrame(
        {
            "name": frame["name"],
            "ts": pd.to_datetime(
                frame["timestamp"], utc=True, format="ISO8601", errors="coerce"
            ).dt.tz_localize(None),
            "value": pd.to_numeric(frame["value"], errors="coerce"),
        }
    )
    good = checked["ts"].notna() & checked["name"].notna() & (checked["name"] != "")
    good &= np.isfinite(checked["value"])
    return checked[good].drop_duplicates(["name", "ts"], keep="last")


def features(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, pd.Index]:
    """Differences, smooths and lags all metrics at once.

    `frame` is sorted by name and time. Gives, for the rows with no gap in their past: their
    positions in `frame`, the matrix, and their metrics' numbers; and the names by number.
    """
    codes, names = pd.factorize(frame["name"])
    base = frame["value"].groupby(codes).diff(DIFFERENCE)
    base = base.groupby(codes).rolling(SMOOTH).mean().droplevel(0)
    grouped = base.groupby(codes)
    columns = [base] + [grouped.shift(lag) for lag in range(1, LAGS + 1)]
    matrix = np.column_stack([column.to_numpy() for column in columns])
    complete = np.flatnonzero(~np.isnan(matrix).any(axis=1))
    return complete, matrix[complete], codes[complete], names


def per_metric(codes: np.ndarray) -> list[slice]:
    """The stretch of rows of each metric."""
    edges = np.flatnonzero(np.diff(codes)) + 1
    bounds = [0, *edges.tolist(), len(codes)]
    return [slice(a, b) for a, b in zip(bounds, bounds[1:]) if a < b]


def model_path(folder: Path, name: str, tag: str) -> Path:
    return folder / "models" / "bench" / f"{name}_{tag}.pkl"


class Pipeline:
    """The stages over one data folder."""

    def __init__(self, folder: Path, source: Path | None, now: pd.Timestamp, threads: int):
        self.folder, self.source, self.now = folder, source, now.to_pydatetime()
        (folder / "models" / "bench").mkdir(parents=True, exist_ok=True)
        self.database = duckdb.connect(str(folder / "bench.duckdb"), config={"threads": threads})
        self.database.execute(SCHEMA)

    def newest(self, days: int, most: int) -> pd.DataFrame:
        return self.database.execute(
            NEWEST, {"now": self.now, "days": days, "most": most}
        ).df()

    def ingest(self) -> dict:
        if self.source is None:
            sys.exit("pipeline.py: the ingest stage needs --input")
        ((newest,),) = self.database.execute("SELECT max(ts) FROM points").fetchall()
        after = None if newest is None else newest.strftime("%Y-%m-%dT%H:%M:%SZ")
        n_read = n_stored = 0
        self.database.begin()
        for read in read_input(self.source, after):
            good = validate(read)
            self.database.register("arrived", good)
            self.database.execute("INSERT INTO points SELECT name, ts, value FROM arrived")
            n_read, n_stored = n_read + len(read), n_stored + len(good)
        self.database.commit()
        return {"read": n_read, "stored": n_stored}

    def train(self) -> dict:
        frame = self.newest(90, 2500)
        counts = frame["name"].value_counts()
        names = sorted(counts.index[counts >= MIN_POINTS])
        groups = [names[i : i + METRICS_AT_ONCE] for i in range(0, len(names), METRICS_AT_ONCE)]
        n_trained = 0
        for group in groups:
            n_trained += self.train_group(frame[frame["name"].isin(group)])
        return {"rows": len(frame), "metrics": n_trained}

    def train_group(self, frame: pd.DataFrame) -> int:
        """Fits and stores the models of some metrics; gives how many metrics that were."""
        _, matrix, codes, names = features(frame.reset_index(drop=True))
        stretches = per_metric(codes)
        for rows in stretches:
            for tag, kind in DETECTORS.items():
                model = kind(contamination=CONTAMINATION).fit(matrix[rows])
                with model_path(self.folder, names[codes[rows.start]], tag).open("wb") as file:
                    pickle.dump(model, file, protocol=pickle.HIGHEST_PROTOCOL)
        return len(stretches)

    def score(self) -> dict:
        frame = self.newest(14, 25)
        positions, matrix, codes, names = features(frame)
        scores = np.full(len(positions), np.nan)
        for rows in per_metric(codes):
            parts = []
            for tag in DETECTORS:
                path = model_path(self.folder, names[codes[rows.start]], tag)
                if path.exists():
                    with path.open("rb") as file:
                        parts.append(pickle.load(file).predict_proba(matrix[rows])[:, 1])
            if parts:
                scores[rows] = np.mean(parts, axis=0)
        scored = frame.iloc[positions][["name", "ts"]].assign(score=scores).dropna()
        self.database.register("scored", scored)
        self.database.execute("INSERT OR REPLACE INTO scores SELECT name, ts, score FROM scored")
        return {"rows": len(frame), "scores": len(scored)}

    def alert(self) -> dict:
        ((raised,),) = self.database.execute(ALERT, {"now": self.now}).fetchall()
        return {"alerts": raised}


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def report(stage: str, cpu: float, wall: float, **more) -> None:
    """Prints one JSON line; ru_maxrss is in KiB on Linux."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = {"stage": stage, "cpu_s": round(cpu, 3), "wall_s": round(wall, 3)}
    print(json.dumps(line | {"peak_rss_mib": round(peak, 1)} | more), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", choices=(*STAGES, "pass"), required=True)
    parser.add_argument("--dir", type=Path, required=True, help="the pipeline's data folder")
    parser.add_argument("--input", type=Path, help="SQLite or .csv file; needed by ingest and pass")
    parser.add_argument("--at", type=pd.Timestamp, default="2026-11-01T00:00:00Z")
    parser.add_argument(
        "--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "1")), help="of DuckDB"
    )
    args = parser.parse_args()
    pipeline = Pipeline(
        args.dir, args.input, args.at.tz_convert("UTC").tz_localize(None), args.threads
    )
    report("start", cpu_seconds(), time.perf_counter() - STARTED)
    for stage in STAGES if args.stage == "pass" else (args.stage,):
        cpu, wall = cpu_seconds(), time.perf_counter()
        done = getattr(pipeline, stage)()
        report(stage, cpu_seconds() - cpu, time.perf_counter() - wall, **done)
    cpu, wall = cpu_seconds(), time.perf_counter()
    pipeline.database.close()
    report("close", cpu_seconds() - cpu, time.perf_counter() - wall)


if __name__ == "__main__":
    main()
