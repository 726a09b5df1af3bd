"""Makes the expected values (*.json) in this directory.

    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 pandas==3.1.1
    python tests/golden/make.py

Made with Python 3.11 and the versions above. No arguments; the JSON files are
written beside this script. Every random draw comes from
numpy.random.default_rng with a fixed seed, and BLAS/OpenMP run on one thread,
so a second run on the same machine gives the same bytes (another processor
may change last digits). Values that are not finite are written as null.
"""

import json
import platform
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
import sklearn
from scipy.cluster import hierarchy as h
from scipy.spatial.distance import cdist, pdist
from scipy.stats import percentileofscore, zscore
from sklearn import metrics as m
from sklearn.cluster import KMeans
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from threadpoolctl import threadpool_limits

HERE = Path(__file__).resolve().parent
MADE_WITH = {
    "python": platform.python_version(),
    "numpy": np.__version__,
    "scipy": scipy.__version__,
    "scikit-learn": sklearn.__version__,
    "pandas": pd.__version__,
    "command": "python tests/golden/make.py",
}
AVERAGES = ["min", "geometric", "arithmetic", "max"]


# ---------------------------------------------------------------- writing

def plain(v):
    """numpy -> Python; NaN and infinities -> None."""
    if isinstance(v, dict):
        return {k: plain(w) for k, w in v.items()}
    if isinstance(v, (list, tuple, np.ndarray)):
        return [plain(w) for w in v]
    if isinstance(v, (bool, np.bool_)):
        return bool(v)
    if isinstance(v, (int, np.integer)):
        return int(v)
    if isinstance(v, (float, np.floating)):
        return float(v) if np.isfinite(v) else None
    return v


def text(v, depth=0):
    """JSON with one line for each field, and arrays of numbers on one line."""
    pad, end = " " * (depth + 1), " " * depth
    if isinstance(v, dict) and v:
        items = [f"{pad}{json.dumps(k)}: {text(w, depth + 1)}" for k, w in v.items()]
        return "{\n" + ",\n".join(items) + "\n" + end + "}"
    if isinstance(v, list) and v and isinstance(v[0], dict):
        items = [pad + text(w, depth + 1) for w in v]
        return "[\n" + ",\n".join(items) + "\n" + end + "]"
    return json.dumps(v, separators=(",", ":"), allow_nan=False)


def write(name, **content):
    out = text(plain({"made_with": MADE_WITH, **content})) + "\n"
    (HERE / name).write_text(out, encoding="utf-8", newline="\n")


# ---------------------------------------------------------------- metrics

def blobs(rng, sizes, d, spread=3.0):
    """Normal clouds of the given sizes, rows shuffled; the rows and their codes."""
    codes = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.normal(size=(len(sizes), d))[codes] * spread + rng.normal(size=(len(codes), d))
    order = rng.permutation(len(codes))
    return x[order], codes[order]


def dunn(x, labels):
    """Least distance between clusters / greatest diameter; None if that is 0."""
    dist, same = cdist(x, x), labels[:, None] == labels[None, :]
    diameter = dist[same].max()
    return dist[~same].min() / diameter if diameter > 0 else None


def simplified_silhouette(x, labels):
    groups = np.unique(labels)
    dist = cdist(x, np.array([x[labels == g].mean(axis=0) for g in groups]))
    own = labels[:, None] == groups[None, :]
    a, b = dist[own], np.where(own, np.inf, dist).min(axis=1)
    top = np.maximum(a, b)
    return np.mean(np.where(top > 0, (b - a) / np.where(top > 0, top, 1.0), 0.0))


def internal(x, labels):
    # sklearn expands |a-b|^2 into dot products, which loses digits far from the
    # origin and on duplicates: so give it exact distances (silhouette) and
    # rows counted from the first (the others). Its plain answers: "as_given".
    dist, near = cdist(x, x), x - x[0]
    return {
        "silhouette_samples": m.silhouette_samples(dist, labels, metric="precomputed"),
        "silhouette_score": m.silhouette_score(dist, labels, metric="precomputed"),
        "calinski_harabasz_score": m.calinski_harabasz_score(near, labels),
        "davies_bouldin_score": m.davies_bouldin_score(near, labels),
        "dunn": dunn(x, labels),
        "simplified_silhouette": simplified_silhouette(near, labels),
        "as_given": {
            "silhouette_score": m.silhouette_score(x, labels),
            "calinski_harabasz_score": m.calinski_harabasz_score(x, labels),
            "davies_bouldin_score": m.davies_bouldin_score(x, labels),
        },
    }


def variation_of_information(u, v):
    """H(U|V) + H(V|U) in nats, from the joint distribution."""
    _, table = np.unique(np.stack([u, v], axis=1), axis=0, return_counts=True)
    of_u = np.unique(u, return_counts=True)[1]
    of_v = np.unique(v, return_counts=True)[1]

    def entropy(counts):
        p = counts / len(u)
        return -np.sum(p * np.log(p))

    return max(0.0, 2 * entropy(table) - entropy(of_u) - entropy(of_v))


def external(u, v):
    u, v = np.asarray(u), np.asarray(v)
    table = m.cluster.contingency_matrix(u, v, sparse=True)
    homogeneity, completeness, v_measure = m.homogeneity_completeness_v_measure(u, v)
    return {
        "adjusted_rand_score": m.adjusted_rand_score(u, v),
        "rand_score": m.rand_score(u, v),
        "adjusted_mutual_info_score": {
            a: m.adjusted_mutual_info_score(u, v, average_method=a) for a in AVERAGES
        },
        "normalized_mutual_info_score": {
            a: m.normalized_mutual_info_score(u, v, average_method=a) for a in AVERAGES
        },
        "mutual_info_score": m.mutual_info_score(u, v),
        "expected_mutual_info": m.cluster.expected_mutual_information(table, len(u)),
        "homogeneity": homogeneity,
        "completeness": completeness,
        "v_measure": v_measure,
        "fowlkes_mallows_score": m.fowlkes_mallows_score(u, v),
        "variation_of_information": variation_of_information(u, v),
    }


def make_metrics():
    # name, cluster sizes, columns, label values (None: 0..k-1), k of labels2
    plan = [
        ("plain_6", [3, 3], 1, None, 3),
        ("plain_12", [6, 6], 2, None, 3),
        ("plain_30", [10, 10, 10], 3, None, 2),
        ("plain_60", [12, 12, 12, 12, 12], 4, None, 3),
        ("six_clusters", [8, 8, 8, 8, 8, 8], 6, None, 5),
        ("unbalanced", [40, 6, 3], 2, None, 2),
        ("very_unbalanced", [55, 2, 2], 5, None, 4),
        ("singleton", [9, 8, 1], 2, None, 4),
        ("singletons", [10, 1, 1, 1], 3, None, 2),
        ("nearly_all_singletons", [2, 1, 1, 1, 1, 1], 2, None, 4),
        ("labels_3_7_42", [7, 9, 11], 2, [3, 7, 42], 4),
        ("labels_gaps", [5, 5, 5, 5], 3, [10, 100, 0, 5], 3),
        ("duplicates", [12, 12, 12], 2, None, 2),
        ("duplicate_clusters", [4, 5, 6], 2, None, 2),
        ("translated_1e6", [10, 10, 10], 2, None, 4),
        ("translated_1e6_singleton", [12, 7, 1], 4, None, 2),
        ("grid_1d", [8, 8, 8], 1, None, 2),
        ("grid_2d", [9, 9, 7], 2, None, 4),
        ("overlapping", [20, 20, 10], 2, None, 5),
        ("random_labels", [10, 10, 10, 10], 3, None, 3),
    ]
    cases = []
    for seed, (name, sizes, d, values, k2) in enumerate(plan, start=100):
        rng = np.random.default_rng(seed)
        x, codes = blobs(rng, sizes, d, 0.7 if name == "overlapping" else 3.0)
        n = len(codes)
        if name == "duplicates":  # each row three times, in any cluster
            x = x[np.arange(n) // 3]
        if name == "duplicate_clusters":  # each cluster is one repeated point
            x = np.array([[0.25, 0.5], [1.5, -0.75], [3.0, 0.5]])[codes]
        if name.startswith("translated"):
            x = x + 1e6
        if name.startswith("grid"):
            x = np.round(x)
        if name == "random_labels":
            codes = rng.permutation(codes)
        labels = codes if values is None else np.array(values)[codes]
        labels2 = np.where(rng.random(n) < 0.7, codes % k2, rng.integers(0, k2, n))
        labels2[rng.permutation(n)[:k2]] = np.arange(k2)  # every value occurs
        cases.append({
            "name": name, "x": x, "labels": labels, "labels2": labels2,
            **internal(x, labels), **external(labels, labels2),
        })

    pairs = [
        ("identical", [0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]),
        ("identical_renamed", [0, 0, 1, 1, 2, 2], [5, 5, 9, 9, 1, 1]),
        ("all_singletons_both", [0, 1, 2, 3, 4], [4, 3, 2, 1, 0]),
        ("one_cluster_vs_singletons", [0, 0, 0, 0, 0], [0, 1, 2, 3, 4]),
        ("singletons_vs_one_cluster", [0, 1, 2, 3, 4], [0, 0, 0, 0, 0]),
        ("one_cluster_both", [0, 0, 0, 0, 0], [7, 7, 7, 7, 7]),
        ("independent_2x2", [0, 0, 1, 1], [0, 1, 0, 1]),
        ("singletons_vs_two", [0, 1, 2, 3, 4], [0, 0, 0, 1, 1]),
        ("one_cluster_vs_two", [0, 0, 0, 0, 0], [0, 0, 0, 1, 1]),
        ("one_row", [0], [3]),
    ]
    edge = [{"name": a, "labels": u, "labels2": v, **external(u, v)} for a, u, v in pairs]
    write("metrics.json", cases=cases, edge=edge)


# ---------------------------------------------------------------- k-means

def make_kmeans():
    cases = []

    def add(name, x, init, tol=1e-4, max_iter=300, weight=None, new=None):
        init = np.asarray(init, dtype=float)
        fit = KMeans(len(init), init=init, n_init=1, algorithm="lloyd",
                     tol=tol, max_iter=max_iter).fit(x, sample_weight=weight)
        case = {
            "name": name, "x": x, "init": init, "tol": tol, "max_iter": max_iter,
            "sample_weight": weight, "labels": fit.labels_,
            "cluster_centers": fit.cluster_centers_, "inertia": fit.inertia_,
            "n_iter": fit.n_iter_,
            "scaled_tol": np.mean(np.var(x, axis=0)) * tol,
            "predict": None,
        }
        if new is not None:
            case["predict"] = {"x": new, "labels": fit.predict(new)}
        cases.append(case)

    def data(seed, sizes, d, spread=3.0):
        rng = np.random.default_rng(seed)
        return rng, blobs(rng, sizes, d, spread)[0]

    rng, x = data(200, [4, 4], 1)
    add("n8_d1_k2", x, x[:2])
    add("n8_d1_k1", x, x[:1])
    add("n8_d1_k8", x, x)  # every row is its own centre

    rng, x = data(201, [20, 20, 20], 2)
    add("n60_d2_k3_predict", x, x[:3], new=rng.normal(size=(12, 2)) * 4)

    rng, x = data(202, [60, 60, 60, 60, 60], 2, 0.8)  # overlapping: many iterations
    add("overlap_tol_default", x, x[:5])
    add("overlap_max_iter_3", x, x[:5], max_iter=3)  # does not converge

    rng, x = data(225, [100, 100, 100], 1, 0.8)  # here tol stops before labels settle
    add("slow_tol_default", x, x[:3])
    add("slow_tol_0", x, x[:3], tol=0.0)

    rng, x = data(203, [15] * 8, 8, 1.0)
    add("n120_d8_k8_predict", x, x[:8], new=rng.normal(size=(15, 8)) * 2)

    rng, x = data(204, [15, 15, 15], 3, 1.5)
    add("weights_real", x, x[:3], weight=rng.uniform(0.1, 5.0, size=45))
    add("weights_integer", x, x[:4], tol=0.0, weight=rng.integers(1, 6, size=45).astype(float))
    weight = rng.integers(0, 3, size=45).astype(float)
    add("weights_with_zeros", x, x[:3], weight=weight)

    rng, x = data(205, [10, 10], 2)
    add("duplicates", np.repeat(x, 3, axis=0), x[:4])  # row i three times

    rng, x = data(206, [25, 25, 25, 25], 3, 2.0)
    add("translated_1e5", x + 1e5, (x + 1e5)[:4])

    # One (two) of the centres is far from all rows, so gets none at first.
    rng, x = data(207, [12, 12, 12], 2)
    add("one_empty_relocated", x, [x[0], x[1], [1000.0, 1000.0]])
    rng, x = data(208, [15, 15, 10], 3)
    add("two_empty_relocated", x, [x[0], [-500.0] * 3, x[1], [800.0, 900.0, 700.0]])
    rng, x = data(209, [12, 12, 12], 2)
    add("one_empty_relocated_weights", x, [[1000.0, -1000.0], x[0], x[1]],
        weight=rng.uniform(0.5, 2.0, size=36))
    write("kmeans.json", cases=cases)


# ---------------------------------------------------------------- linkage

def make_linkage():
    rng = np.random.default_rng(300)
    sets = [
        ("normal_2", rng.normal(size=(2, 2))),
        ("normal_3", rng.normal(size=(3, 3))),
        ("normal_10", rng.normal(size=(10, 2))),
        ("normal_40", rng.normal(size=(40, 4))),
        ("grid_12", np.array([[i, j] for i in range(4) for j in range(3)], dtype=float)),
        ("duplicates_20", np.repeat(rng.normal(size=(5, 2)), 4, axis=0)[rng.permutation(20)]),
        ("all_equal_5", np.full((5, 2), 1.5)),
        ("one_dimension_15", rng.normal(size=(15, 1))),
        # ties in exact numbers, and ties that rounding breaks
        ("tied_integers_40", rng.integers(0, 4, size=(40, 3)).astype(float)),
        ("tied_tenths_40", rng.integers(0, 5, size=(40, 2)) * 0.1),
        ("tied_cube_40", np.random.default_rng(331).integers(0, 3, size=(40, 3)) * 0.1),
    ]
    methods = ["single", "complete", "average", "weighted", "centroid", "median", "ward"]
    cases = []
    for name, x in sets:
        n, dist = len(x), pdist(x)
        by_method = {}
        for method in methods:
            z = h.linkage(x, method=method)
            heights = np.sort(z[:, 2])
            median = np.median(heights)
            # a cut halfway to the next greater height is safe from rounding
            above = heights[heights > median * (1 + 1e-9)]
            halfway = (heights[heights <= median * (1 + 1e-9)].max() + above[0]) / 2 if len(above) else None
            with np.errstate(all="ignore"):
                correlation, cophenetic = h.cophenet(z, dist)
            by_method[method] = {
                "z": [[int(i), int(j), height, int(size)] for i, j, height, size in z],
                "monotonic": h.is_monotonic(z),
                "cophenetic_correlation": correlation,
                "cophenet": cophenetic if n <= 10 else None,
                "leaves_list": h.leaves_list(z),
                "maxclust": {
                    str(k): h.fcluster(z, k, criterion="maxclust") for k in (2, 3, 4) if k <= n
                },
                "distance_median": {
                    "t": median, "labels": h.fcluster(z, median, criterion="distance"),
                },
                "distance_halfway": None if halfway is None else {
                    "t": halfway, "labels": h.fcluster(z, halfway, criterion="distance"),
                },
            }
        # the order of merges among ties is up to the implementation
        cases.append({"name": name, "tied": len(np.unique(dist)) < len(dist),
                      "x": x, "methods": by_method})
    write("linkage.json", cases=cases)


# ---------------------------------------------------------------- quantiles

def ntile(rank, k):
    """SQL's NTILE(k), from 0: the first n mod k buckets have one row more."""
    size, extra = divmod(len(rank), k)
    return np.repeat(np.arange(k), [size + (b < extra) for b in range(k)])[rank - 1]


def codes_or_none(x, k):
    try:
        return pd.qcut(pd.Series(x), k, labels=False).to_numpy()
    except ValueError:  # duplicate edges
        return None


def make_quantile():
    rng = np.random.default_rng(400)
    samples = [
        ("normal_23", rng.normal(size=23)),
        ("integers_tied_20", rng.integers(0, 12, size=20).astype(float)),
        ("spend_50", np.round(rng.lognormal(3.0, 1.0, size=50), 2)),
        ("heavily_tied_12", np.array([1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 5, 9], dtype=float)),
        ("constant_6", np.full(6, 4.25)),
        ("small_3", np.array([2.5, -1.0, 7.0])),
        ("one_to_ten", np.arange(1.0, 11.0)),
    ]
    cases = []
    for name, x in samples:
        rank = pd.Series(x).rank(method="first").astype(int).to_numpy()
        case = {"name": name, "x": x, "rank_first": rank}
        for k in (5, 4):
            q = np.arange(k + 1) / k
            case[f"k{k}"] = {
                "q": q,
                "edges": np.quantile(x, q, method="linear"),
                "qcut": codes_or_none(x, k),
                "qcut_rank_first": codes_or_none(rank, k),
                "ntile": ntile(rank, k),
            }
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # constant sample: z-scores are null
            case["zscore"] = zscore(x, ddof=0)
        case["percentileofscore"] = {
            kind: percentileofscore(x, x, kind=kind) for kind in ("rank", "weak", "strict", "mean")
        }
        cases.append(case)
    write("quantile.json", cases=cases)


# ---------------------------------------------------------------- preprocessing

def make_preprocessing():
    rng = np.random.default_rng(500)
    matrices = [
        ("normal_7x3", rng.normal(size=(7, 3)) * [1.0, 50.0, 0.01] + [0.0, 10.0, -3.0]),
        ("rfm_10x4_constant", np.column_stack([
            rng.integers(0, 365, size=10), rng.integers(1, 20, size=10),
            np.round(rng.lognormal(3, 1, size=10), 2), np.full(10, 0.1)])),
        # third column: the middle half is constant, so the range between quartiles is 0
        ("zero_range_8x3", np.column_stack([
            np.tile([0.0, 1.0], 4), np.zeros(8), [0, 5, 5, 5, 5, 5, 5, 9]])),
    ]
    cases = []
    for name, x in matrices:
        standard, minmax, robust = (s.fit(x) for s in (StandardScaler(), MinMaxScaler(), RobustScaler()))
        cases.append({
            "name": name,
            "x": x,
            "standard": {"mean": standard.mean_, "var": standard.var_,
                         "scale": standard.scale_, "out": standard.transform(x)},
            "minmax": {"data_min": minmax.data_min_, "data_max": minmax.data_max_,
                       "scale": minmax.scale_, "out": minmax.transform(x)},
            "robust": {"center": robust.center_, "scale": robust.scale_,
                       "out": robust.transform(x)},
            "log1p": np.log1p(x) if x.min() > -1 else None,
        })
    write("preprocessing.json", cases=cases)


if __name__ == "__main__":
    # sklearn warns about many distinct labels, k-means that did not converge, ...
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make_metrics()
        make_kmeans()
        make_linkage()
        make_quantile()
        make_preprocessing()
