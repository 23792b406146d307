#!/usr/bin/env python3
"""Writes the golden files beside it: matrices and what the real PyOD 2 decides about them.

    python3 -m venv target/pyod && target/pyod/bin/pip install "pyod==2.0.6"
    target/pyod/bin/python tests/golden/pyod/generate.py

A case is a series and how many lags make its rows (`lags`), or rows as they are (`columns`).
The last `n_new` rows are not trained on; ECOD and COPOD are asked about each alone, for what they
say of one depends on the others asked about with it. MAD and the z-score get the first column.

Each of `expected` is a detector with its parameters as written in `[detectors.params]`: decision
values, `predict_proba` of the new rows both ways, and the threshold. PyOD has no plain k-means, no
autoregression and no z-score: these are scikit-learn's distance to the nearest centre, the centres
having been moved from every n/8-th training row, and NumPy's least squares and deviation.

Isolation forests draw: of each in `forests` the decision values of a few rows over many seeds.
"""

import json
import pathlib
import warnings

import numpy as np
import pyod
import pyod.models.mad
import sklearn
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from pyod.models.mad import MAD
from pyod.models.pca import PCA
from scipy.special import erf
from sklearn.cluster import KMeans

warnings.filterwarnings("ignore")
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
    spiky = smoothed_change(seasonal(rng, 420, 3.0))
    spiky[300] += 400
    yield "smoothed_change", dict(series=spiky, lags=5, n_new=40)
    yield "duplicates", dict(series=rng.integers(0, 3, 600).astype(float), lags=3, n_new=30)
    crowd = np.repeat([2.0, 2.0, 2.0, 7.0], 100) + (np.arange(400) % 97 == 0)
    yield "mostly_equal", dict(series=crowd, lags=2, n_new=30)
    near = rng.standard_normal((300, 4)) * [1.0, 1e-7, 50.0, 3.0] + [0.0, 5.0, 0.0, -1.0]
    yield "near_constant_column", dict(matrix=near, n_new=20, raw=False)
    constant = rng.standard_normal((200, 3)) * [1.0, 0.0, 2.0] + [0.0, 5.0, 0.0]
    yield "constant_column", dict(matrix=constant, n_new=0, pca=False)
    yield "few_rows", dict(series=seasonal(rng, 21, 5.0), lags=5, n_new=4)
    # Raw PCA is left out here: scikit-learn's own covariance loses its digits to the offset.
    far = 1e9 + 300 * rng.standard_normal(400)
    yield "far_from_zero", dict(series=far, lags=4, n_new=30, raw=False)
    yield "one_column", dict(series=rng.exponential(5.0, 400), lags=0, n_new=30)
    yield "twelve_columns", dict(series=seasonal(rng, 320, 6.0), lags=11, n_new=30)
    mixed = rng.standard_normal((260, 6)) @ rng.standard_normal((6, 6)) * [1, 10, 0.1, 5, 1e3, 1]
    yield "wide", dict(matrix=mixed, n_new=30)
    tails = np.column_stack([rng.standard_t(2, 300), rng.lognormal(0, 2, 300), -rng.exponential(1, 300)])
    yield "long_tails", dict(matrix=tails, n_new=30)
    yield "integers", dict(matrix=rng.poisson(40, (300, 3)).astype(float), n_new=30)
    # Equal numbers beside each other would be ties to LOF.
    yield "tiny_numbers", dict(matrix=1e-7 * rng.standard_normal((200, 3)), n_new=20)



CLASSES = dict(pca=PCA, knn=KNN, lof=LOF, hbos=HBOS, ecod=ECOD, copod=COPOD, mad=MAD)

DEFAULTS = [(kind, {}) for kind in ("pca", "knn", "lof", "hbos", "ecod", "copod", "mad")]
DEFAULTS += [(kind, {}) for kind in ("kmeans", "ar", "zscore")]

PARAMETERS = [
    ("pca", dict(weighted=False)),
    ("pca", dict(n_selected_components=1)),
    ("pca", dict(n_components=2)),
    ("pca", dict(n_components=0.9)),
    ("pca", dict(n_components=3, n_selected_components=2)),
    ("pca", dict(whiten=True)),
    ("pca", dict(svd_solver="full", contamination=0.01)),
    ("pca", dict(standardization=False)),
    ("pca", dict(standardization=False, weighted=False)),
    ("knn", dict(method="mean")),
    ("knn", dict(method="median")),
    ("knn", dict(method="median", n_neighbors=6, contamination=0.02)),
    ("knn", dict(n_neighbors=1)),
    ("knn", dict(n_neighbors=12, radius=2.0, leaf_size=10, algorithm="ball_tree")),
    ("knn", dict(metric="manhattan")),
    ("knn", dict(metric="chebyshev", method="mean")),
    ("knn", dict(p=1)),
    ("knn", dict(metric="minkowski", p=3)),
    ("lof", dict(n_neighbors=7, contamination=0.05)),
    ("lof", dict(n_neighbors=1_000_000)),
    ("lof", dict(metric="manhattan")),
    ("lof", dict(metric="chebyshev")),
    ("lof", dict(p=1.5)),
    ("hbos", dict(n_bins="auto")),
    ("hbos", dict(n_bins=25, alpha=0.001, tol=0.9)),
    ("hbos", dict(n_bins=3, alpha=0.5, tol=0.1, contamination=0.2)),
    ("ecod", dict(contamination=0.01)),
    ("copod", dict(contamination=0.5)),
    ("mad", dict(threshold=2.0, contamination=0.3)),
    ("ar", dict(contamination=0.02)),
    ("zscore", dict(contamination=0.02)),
]

FOREST_PARAMETERS = [
    {},
    dict(n_estimators=20),
    dict(max_samples=64, contamination=0.02),
    dict(max_samples=0.5),
    dict(max_features=0.5),
    dict(max_features=2),
    dict(bootstrap=True),
]
N_SEEDS = 60
N_PROBES = 12


def decide_pyod(kind, params, train, new):
    model = CLASSES[kind](**params).fit(train)
    alone = [new[i : i + 1] for i in range(len(new))]
    of_new = lambda ask: [ask(row) for row in alone]
    # Of equal decision values PyOD unifies the rounding of their mean, which is no fact to keep.
    if model._sigma <= 1e-12 * abs(model._mu):
        model._mu = np.nan
    return dict(
        train=model.decision_scores_,
        new=of_new(lambda row: model.decision_function(row)[0]),
        linear=of_new(lambda row: model.predict_proba(row, method="linear")[0, 1]),
        unify=of_new(lambda row: model.predict_proba(row, method="unify")[0, 1]),
        threshold=[model.threshold_],
    )


def decide_kmeans(train):
    start = train[[i * len(train) // 8 for i in range(8)]]
    model = KMeans(8, init=start, n_init=1, tol=0, max_iter=300, algorithm="lloyd").fit(train)
    assert model.n_iter_ < 300
    return lambda rows: model.transform(rows).min(axis=1)


def decide_ar(train):
    with_one = lambda rows: np.column_stack([np.ones(len(rows)), rows[:, 1:]])
    weights = np.linalg.lstsq(with_one(train), train[:, 0], rcond=None)[0]
    residual = lambda rows: np.abs(rows[:, 0] - with_one(rows) @ weights)
    usual = 1.482602218505602 * np.median(residual(train))
    return lambda rows: residual(rows) / usual


def decide_zscore(train):
    mean, deviation = train[:, 0].mean(), train[:, 0].std()
    return lambda rows: np.abs(rows[:, 0] - mean) / deviation


def decide_plain(kind, params, train, new):
    decide = dict(kmeans=decide_kmeans, ar=decide_ar, zscore=decide_zscore)[kind](train)
    of_train, of_new = decide(train), decide(new)
    low, high = of_train.min(), of_train.max()
    unify = erf((of_new - of_train.mean()) / (of_train.std() * np.sqrt(2)))
    share = 1 - params.get("contamination", 0.1)
    return dict(
        train=of_train,
        new=of_new,
        linear=((of_new - low) / (high - low)).clip(0, 1),
        unify=unify.clip(0, 1),
        threshold=[np.percentile(of_train, 100 * share)],
    )


def decide_forests(train, new):
    probes = np.vstack([train[:: len(train) // (N_PROBES - 4)][: N_PROBES - 4], new[:4]])
    for params in FOREST_PARAMETERS:
        seeds = range(N_SEEDS)
        forests = [IForest(random_state=seed, **params).fit(train) for seed in seeds]
        values = np.array([forest.decision_function(probes) for forest in forests])
        yield dict(params=params, probes=probes.tolist(), values=[short(v) for v in values.T])


FORESTS = ("smoothed_change", "twelve_columns")
KMEANS = ("smoothed_change", "one_column", "twelve_columns", "near_constant_column")
# Their last centre hangs on the last digit of a distance; of equally near rows any may be a neighbour.
TIES = ("duplicates", "mostly_equal", "constant_column", "integers")
# Not lags of one series, or none at all: columns of little variance are left out by ours.
WITHOUT_AR = ("constant_column", "one_column", "far_from_zero", "near_constant_column", "wide")
WITH_PARAMETERS = ("smoothed_change", "few_rows", "twelve_columns", "one_column", "wide")


def fits(name, case, kind, params, n_train, n_columns):
    if kind == "pca" and not case.get("pca", True):
        return False
    if params.get("standardization") is False and not case.get("raw", True):
        return False
    if n_columns < max(params.get("n_selected_components", 1), int(params.get("n_components", 1))):
        return False
    if n_train <= params.get("n_neighbors", 5) < 1_000_000:
        return False
    if kind == "mad" and name == "lagged_seasonal":
        return False
    # The largest difference of two rows of lags is often that of the rows beside them too.
    if kind == "lof" and params.get("metric") == "chebyshev" and name != "wide":
        return False
    wrong = dict(lof=TIES, ar=WITHOUT_AR).get(kind, ())
    return name not in wrong and (kind != "kmeans" or name in KMEANS)


def decided(name, case, rows):
    n_new = case["n_new"]
    train, new = rows[: len(rows) - n_new], rows[len(rows) - n_new :]
    settings = DEFAULTS + (PARAMETERS if name in WITH_PARAMETERS else [])
    for kind, params in settings:
        if not fits(name, case, kind, params, *train.shape):
            continue
        # More neighbours than rows are all the others; the file says as many as may be written.
        params = {key: 256 if value == 1_000_000 else value for key, value in params.items()}
        one = slice(0, 1 if kind in ("mad", "zscore") else None)
        decide = decide_pyod if kind in CLASSES else decide_plain
        found = decide(kind, params, train[:, one], new[:, one])
        found = {what: short(values) for what, values in found.items()}
        yield dict(kind=kind, params=params, **found)


def short(values):
    """Twelve significant digits are enough to compare to 1e-6; NaN is null."""
    return [None if np.isnan(number) else float(f"{number:.12g}") for number in values]


def main():
    for name, case in cases():
        if "matrix" in case:
            rows, source = case["matrix"], dict(columns=case["matrix"].T.tolist())
        else:
            # Rounded so that the file is small; the rows are made of what the file says.
            series = np.round(case["series"], 6)
            rows, source = lagged(series, case["lags"]), dict(series=series.tolist(), lags=case["lags"])
        made_with = f"pyod {pyod.__version__}, scikit-learn {sklearn.__version__}"
        golden = dict(made_with=made_with, n_new=case["n_new"], **source)
        golden["expected"] = list(decided(name, case, rows))
        golden["forests"] = []
        if name in FORESTS:
            n_train = len(rows) - case["n_new"]
            golden["forests"] = list(decide_forests(rows[:n_train], rows[n_train:]))
        (HERE / f"{name}.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
