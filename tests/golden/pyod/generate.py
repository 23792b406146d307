#!/usr/bin/env python3
"""Writes the golden files beside it: matrices and what the real PyOD 2 decides about them.

    python3 -m venv /tmp/pyod && /tmp/pyod/bin/pip install "pyod==2.0.6"
    /tmp/pyod/bin/python tests/golden/pyod/generate.py

A case is a series and how many lags make its rows (`lags`), or rows as they are (`columns`).
The last `n_new` rows are not trained on.
"""

import json
import pathlib

import numpy as np
import pyod
import sklearn
from pyod.models.knn import KNN
from pyod.models.pca import PCA

HERE = pathlib.Path(__file__).parent


def lagged(series, lags):
    n_rows = len(series) - lags
    return np.column_stack([series[lags - k : lags - k + n_rows] for k in range(lags + 1)])


def seasonal(rng, n, noise):
    t = np.arange(n)
    value = 100 + 30 * np.sin(2 * np.pi * t / 24) + 8 * np.sin(2 * np.pi * t / 168)
    return value + noise * rng.standard_normal(n)


def smoothed_change(series):
    change = np.diff(series)
    return (change[2:] + change[1:-1] + change[:-2]) / 3


def cases():
    rng = np.random.default_rng(20260107)
    yield "lagged_seasonal", dict(series=seasonal(rng, 2525, 4.0), lags=5, n_new=40)
    spiky = smoothed_change(seasonal(rng, 700, 3.0))
    spiky[500] += 400
    yield "smoothed_change", dict(series=spiky, lags=5, n_new=60)
    yield "duplicates", dict(series=rng.integers(0, 3, 600).astype(float), lags=3, n_new=30)
    crowd = np.repeat([2.0, 2.0, 2.0, 7.0], 100) + (np.arange(400) % 97 == 0)
    yield "mostly_equal", dict(series=crowd, lags=2, n_new=30)
    near = rng.standard_normal((300, 4)) * [1.0, 1e-9, 50.0, 3.0] + [0.0, 5.0, 0.0, -1.0]
    yield "near_constant_column", dict(matrix=near, n_new=20, raw=False)
    constant = rng.standard_normal((200, 3)) * [1.0, 0.0, 2.0] + [0.0, 5.0, 0.0]
    yield "constant_column", dict(matrix=constant, n_new=0, pca=False)
    yield "few_rows", dict(series=seasonal(rng, 21, 5.0), lags=5, n_new=4)
    # Raw PCA is left out here: scikit-learn's own covariance loses its digits to the offset.
    far = 1e9 + 300 * rng.standard_normal(400)
    yield "far_from_zero", dict(series=far, lags=4, n_new=30, raw=False)
    yield "one_column", dict(series=rng.exponential(5.0, 400), lags=0, n_new=30)
    yield "twelve_columns", dict(series=seasonal(rng, 500, 6.0), lags=11, n_new=30)


def decide(rows, n_new, pca, raw):
    train, new = rows[: len(rows) - n_new], rows[len(rows) - n_new :]
    models = {f"knn_{m}": KNN(method=m) for m in ("largest", "mean", "median")}
    if pca:
        models["pca"] = PCA()
        models["pca_unweighted"] = PCA(weighted=False)
        models["pca_last_2"] = PCA(n_selected_components=min(2, rows.shape[1]))
        if raw:
            models["pca_raw"] = PCA(standardization=False)
    for name, model in models.items():
        model.fit(train)
        yield name, dict(
            train=model.decision_scores_.tolist(),
            new=model.decision_function(new).tolist() if n_new else [],
            probability=model.predict_proba(new)[:, 1].tolist() if n_new else [],
        )


def short(value):
    """Twelve significant digits are enough to compare to 1e-6; inputs are written whole."""
    return [float(f"{number:.12g}") for number in value]


def main():
    for name, case in cases():
        if "matrix" in case:
            rows, source = case["matrix"], dict(columns=case["matrix"].T.tolist())
        else:
            # Rounded so that the file is small; the rows are made of what the file says.
            series = np.round(case["series"], 6)
            rows, source = lagged(series, case["lags"]), dict(series=series.tolist(), lags=case["lags"])
        decided = decide(rows, case["n_new"], case.get("pca", True), case.get("raw", True))
        if name == "lagged_seasonal":
            decided = ((n, d) for n, d in decided if n in ("knn_largest", "pca"))
        expected = {n: {k: short(v) for k, v in d.items()} for n, d in decided}
        made_with = f"pyod {pyod.__version__}, scikit-learn {sklearn.__version__}"
        golden = dict(made_with=made_with, n_new=case["n_new"], **source, expected=expected)
        (HERE / f"{name}.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
