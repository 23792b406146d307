#!/usr/bin/env python3
"""Writes the golden files beside it: matrices and what the real PyOD 2 decides about them.

    python3 -m venv /tmp/pyod && /tmp/pyod/bin/pip install "pyod==2.0.6"
    /tmp/pyod/bin/python tests/golden/pyod/generate.py

A case is a series and how many lags make its rows (`lags`), or rows as they are (`columns`).
The last `n_new` rows are not trained on; ECOD and COPOD are asked about each alone, for what they
say of one depends on the others asked about with it. MAD gets the first column.

`iforest` is the mean of scikit-learn's scores over many seeds, `kmeans` scikit-learn's distance to
the nearest centre, the centres having been moved from every n/8-th training row.
"""

import json
import pathlib

import numpy as np
import pyod
import pyod.models.mad
import sklearn
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from pyod.models.mad import MAD
from pyod.models.pca import PCA
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest

# It passes an argument that scikit-learn no longer has; our rows need no check.
pyod.models.mad.check_array = lambda rows, **_: rows

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


def decide_more(rows, n_new, lof, many):
    train, new = rows[: len(rows) - n_new], rows[len(rows) - n_new :]
    models = {"ecod": ECOD(), "copod": COPOD(), "hbos": HBOS()}
    if many:
        models["hbos_auto"] = HBOS(n_bins="auto")
        models["hbos_loose"] = HBOS(n_bins=25, alpha=0.001, tol=0.9)
        models["mad"] = MAD()
    if lof:
        # Of equally near rows any may be a neighbour, so it is left out where there are such.
        models["lof"] = LOF()
        if many:
            models["lof_7"] = LOF(n_neighbors=7)
    for name, model in models.items():
        shown = (lambda x: x[:, :1]) if name == "mad" else (lambda x: x)
        model.fit(shown(train))
        parts = [shown(new[i : i + 1]) for i in range(n_new)]
        yield name, dict(
            train=model.decision_scores_.tolist(),
            new=[model.decision_function(part)[0] for part in parts],
            probability=[model.predict_proba(part)[0, 1] for part in parts],
        )


def decide_forest(rows, n_new):
    train, new = rows[: len(rows) - n_new], rows[len(rows) - n_new :]
    forests = [IsolationForest(random_state=seed).fit(train) for seed in range(30)]
    score = lambda x: np.mean([-forest.score_samples(x) for forest in forests], axis=0).tolist()
    return dict(train=score(train), new=score(new), probability=[])


def decide_kmeans(rows, n_new):
    train, new = rows[: len(rows) - n_new], rows[len(rows) - n_new :]
    start = train[[i * len(train) // 8 for i in range(8)]]
    model = KMeans(8, init=start, n_init=1, tol=0, max_iter=300, algorithm="lloyd").fit(train)
    assert model.n_iter_ < 300
    distance = lambda x: model.transform(x).min(axis=1)
    low, high = distance(train).min(), distance(train).max()
    probability = ((distance(new) - low) / (high - low)).clip(0, 1)
    return dict(
        train=distance(train).tolist(), new=distance(new).tolist(), probability=probability.tolist()
    )


FORESTS = ("smoothed_change", "duplicates", "one_column", "twelve_columns")
KMEANS = ("smoothed_change", "one_column", "twelve_columns", "near_constant_column")
TIES = ("duplicates", "mostly_equal", "constant_column")


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
        decided = list(decided)
        decided += decide_more(rows, case["n_new"], name not in TIES, name != "lagged_seasonal")
        if name in FORESTS:
            decided.append(("iforest", decide_forest(rows, case["n_new"])))
        if name in KMEANS:
            decided.append(("kmeans", decide_kmeans(rows, case["n_new"])))
        expected = {n: {k: short(v) for k, v in d.items()} for n, d in decided}
        made_with = f"pyod {pyod.__version__}, scikit-learn {sklearn.__version__}"
        golden = dict(made_with=made_with, n_new=case["n_new"], **source, expected=expected)
        (HERE / f"{name}.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
