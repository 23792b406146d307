#!/usr/bin/env python3
"""The same figures as main.rs for PyOD and scikit-learn: `detector,fit_ms,score_us_a_row`."""

import math
import statistics
import time
import warnings

import numpy as np
import pyod.models.mad
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from pyod.models.mad import MAD
from pyod.models.pca import PCA
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

warnings.filterwarnings("ignore")
# It passes an argument that scikit-learn no longer has.
pyod.models.mad.check_array = lambda rows, **_: rows

POINTS, LAGS, SCORED, ROUNDS = 2_485, 5, 1_000, 9


def series():
    state = 1

    def noise():
        nonlocal state
        state = state * 48_271 % 2_147_483_647
        return state / 2_147_483_647 - 0.5

    value = lambda i: 100 + 30 * math.sin(i / 24 * math.tau) + 12 * (noise() + noise())
    return np.array([value(i) for i in range(POINTS)])


def median_seconds(work):
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        rounds.append(time.perf_counter() - start)
    return statistics.median(rounds)


def main():
    values = series()
    n_rows = POINTS - LAGS
    rows = np.column_stack([values[LAGS - k : LAGS - k + n_rows] for k in range(LAGS + 1)])
    new = rows[-SCORED:]
    kinds = dict(pca=PCA, knn=KNN, lof=LOF, iforest=IForest, hbos=HBOS, ecod=ECOD, copod=COPOD)
    print("detector,fit_ms,score_us_a_row")
    for kind, new_model in kinds.items():
        fit = median_seconds(lambda: new_model().fit(rows))
        model = new_model().fit(rows)
        score = median_seconds(lambda: model.predict_proba(new))
        print(f"{kind},{fit * 1e3:.3f},{score * 1e6 / SCORED:.3f}", flush=True)
    column, new_column = rows[:, :1], new[:, :1]
    fit = median_seconds(lambda: MAD().fit(column))
    model = MAD().fit(column)
    score = median_seconds(lambda: model.predict_proba(new_column))
    print(f"mad,{fit * 1e3:.3f},{score * 1e6 / SCORED:.3f}")
    means = lambda: KMeans(8, n_init=1, random_state=7).fit(rows)
    model = means()
    score = median_seconds(lambda: model.transform(new).min(axis=1))
    print(f"kmeans,{median_seconds(means) * 1e3:.3f},{score * 1e6 / SCORED:.3f}")
    near = lambda: NearestNeighbors(n_neighbors=5).fit(rows).kneighbors(rows, 6)
    print(f"knn (scikit-learn's search alone),{median_seconds(near) * 1e3:.3f},")


if __name__ == "__main__":
    main()
