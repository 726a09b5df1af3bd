"""The works: data, call, peers and agreement of each variant."""

from dataclasses import dataclass, field
from typing import Callable

import agree
import data


@dataclass(frozen=True)
class Peer:
    """A row of the table."""

    name: str
    # What runs it: a function of worker.py, or a program of the Rust worker.
    program: str
    # Parameters of this peer alone.
    options: dict = field(default_factory=dict)
    # Its share of the rows, and what its seconds are multiplied by.
    share: float = 1.0
    factor: float = 1.0
    # In place of the variant's check.
    agree: Callable | None = None


@dataclass(frozen=True)
class Variant:
    """Data, the call, who makes it, and a check of (our answer, their answer).

    `data` takes a factor for the number of rows and gives arrays by name. `check` takes
    these arrays and gives the check.
    """

    name: str
    data: Callable
    call: dict
    peers: list[Peer]
    check: Callable
    once: bool = False


def same(check):
    return lambda arrays: check


LLOYD = Peer("scikit-learn Lloyd", "sklearn_kmeans", {"algorithm": "lloyd"})
ELKAN = Peer("scikit-learn Elkan", "sklearn_kmeans", {"algorithm": "elkan"})
# linfa counts the old centre as one more row, so that its centres are a little behind.
LINFA = Peer("linfa", "linfa", agree=agree.clusters(inertia=1e-4, labels=0.01))
FAISS = Peer("faiss", "faiss_kmeans", agree=agree.clusters(inertia=1e-3, labels=1.0))
KODAMA = Peer("kodama", "kodama")
FASTCLUSTER = Peer("fastcluster linkage", "fastcluster_linkage")
FASTCLUSTER_VECTOR = Peer("fastcluster linkage_vector", "fastcluster_linkage_vector")


def points(kind, n, d, k):
    generate = {"blobs": data.blobs, "uniform": data.uniform}[kind]
    return lambda scale: generate(int(n * scale), d, k)


def kmeans(n, d, k, max_iter, peers):
    """The same iterations from the same centres."""
    call = {"call": "kmeans", "max_iter": max_iter}
    kinds = ["blobs", "uniform"]
    return [
        Variant(kind, points(kind, n, d, k), call, peers(kind), same(agree.clusters()))
        for kind in kinds
    ]


def kmeans_default():
    """What a user gets who states nothing but k."""
    shapes = [(1_000_000, 3, 8), (1_000_000, 16, 10), (200_000, 64, 50)]
    peers = [Peer("scikit-learn", "sklearn_kmeans_default")]
    return [
        Variant(
            f"{d}x{k}-{kind}",
            points(kind, n, d, k),
            {"call": "kmeans_default", "k": k, "n_init": 10, "seed": 0},
            peers,
            same(agree.no_worse(1e-2)),
        )
        for n, d, k in shapes
        for kind in ["blobs", "uniform"]
    ]


def kmeans_many():
    """Many clusters; faiss computes in f32."""
    n, d, k = 1_000_000, 8, 500
    wide = kmeans(n, d, k, 10, lambda kind: [LLOYD])
    narrow = [
        Variant(
            f"{variant.name}-f32",
            lambda scale, wide=variant.data: data.narrow(wide(scale)),
            variant.call,
            [FAISS],
            variant.check,
        )
        for variant in wide
    ]
    return wide + narrow


def linkage(method, n, d, peers, **more):
    """Distances included."""
    call = {"call": "linkage", "method": method}
    cloud = lambda scale: data.normal(int(n * scale), d)
    return Variant("", cloud, call, peers, same(agree.heights), **more)


def ward_1m(d):
    """No peer can do it: a tenth of the rows must take at least a fifteenth of the time."""
    peer = Peer("none (100k rows x 15)", "segmenta", share=0.1, factor=15.0)
    limits = {"seconds": 120.0, "bytes": 1.5e9}
    return Variant(
        f"d{d}",
        lambda scale: data.normal(int(1_000_000 * scale), d),
        {"call": "linkage", "method": "ward"},
        [peer],
        lambda arrays: agree.ward_tree(arrays["x"], **limits),
        once=True,
    )


def silhouette():
    grouped = lambda scale: data.grouped(int(30_000 * scale), 8, 6)
    peers = [Peer("scikit-learn", "sklearn_silhouette")]
    return Variant("", grouped, {"call": "silhouette"}, peers, same(agree.score))


def rfm():
    def purchases(scale):
        return data.transactions(int(10_000_000 * scale), int(1_000_000 * scale))

    peers = [Peer("polars", "polars_rfm"), Peer("duckdb", "duckdb_rfm")]
    return Variant("", purchases, {"call": "rfm"}, peers, same(agree.customers))


def assign():
    fitted = lambda scale: data.fitted(int(1_000_000 * scale), 16, 10)
    peers = [Peer("scikit-learn", "sklearn_predict")]
    return Variant("", fitted, {"call": "assign"}, peers, same(agree.labels(1e-5)))


def rules(n_rules, peers):
    """Members of each segment."""
    random = lambda scale: data.rules(int(1_000_000 * scale), n_rules)
    return Variant("", random, {"call": "rules"}, peers, same(agree.counts))


def events(name, unit, peers):
    """Members of each segment of behaviour; amounts in units of their own."""

    def random(scale):
        n_customers = int(1_000_000 * scale)
        return data.events(int(20_000_000 * scale), n_customers, 200, unit)

    return Variant(name, random, {"call": "events"}, peers, same(agree.counts))


def fit_purchases(name, kind, arrays, parameters, **more):
    """Parameters of a model of purchases."""
    call = {"call": "fit_purchases", "kind": kind}
    peers = [Peer("lifetimes", "lifetimes_fit")]
    return Variant(name, arrays, call, peers, agree.fitted(kind, parameters), **more)


def fit_spend():
    """CDNOW is small: all of it, whatever the scale."""
    call, peers = {"call": "fit_spend"}, [Peer("lifetimes", "lifetimes_fit_spend")]
    cdnow = lambda scale: data.cdnow_spend()
    return Variant("", cdnow, call, peers, agree.fitted("gamma_gamma", 0.01))


def simulated(scale):
    return data.bg_nbd(int(1_000_000 * scale), **data.BG_NBD)


def expected():
    """Purchases of the next 39 weeks."""
    model = {"model": "bg_nbd", **data.BG_NBD, "unit": "week"}
    call = {"call": "expected", "model": model, "horizon": 39.0}
    peers = [Peer("lifetimes", "lifetimes_expected")]
    return Variant("predict", simulated, call, peers, same(agree.expected))


def ledger():
    """What models read of customers, from transactions up to three quarters of the time."""

    def purchases(scale):
        return data.transactions(int(10_000_000 * scale), int(1_000_000 * scale))

    end = 18547
    call = {"call": "ledger", "end": end}
    lifetimes = Peer("lifetimes (1m rows x 10)", "lifetimes_ledger", share=0.1, factor=10.0)
    peers = [Peer("polars", "polars_ledger"), lifetimes]
    return Variant("", purchases, call, peers, agree.read(end))


POLARS_RULES = Peer("polars", "polars_rules")
DUCKDB_RULES = Peer("duckdb", "duckdb_rules")
EVENTS = [Peer("polars", "polars_events"), Peer("duckdb", "duckdb_events")]
# The book itself, as it is written in SQL.
SQL = [Peer("duckdb, our SQL", "duckdb_sql")]
MST = [Peer("genieclust", "genie"), Peer("quitefastmst", "quitefastmst")]

WORKS = {
    # linfa never stops early; where the others do not either, it is comparable.
    "kmeans-3x8": kmeans(
        1_000_000, 3, 8, 30, lambda kind: [LLOYD] + [LINFA] * (kind == "uniform")
    ),
    "kmeans-16x10": kmeans(1_000_000, 16, 10, 30, lambda kind: [LLOYD]),
    "kmeans-64x50": kmeans(200_000, 64, 50, 30, lambda kind: [ELKAN, LLOYD]),
    "kmeans-default": kmeans_default(),
    "kmeans-many": kmeans_many(),
    "ward-20k": [linkage("ward", 20_000, 5, [FASTCLUSTER_VECTOR])],
    "ward-1m": [ward_1m(3), ward_1m(5)],
    "single-20k": [linkage("single", 20_000, 5, [FASTCLUSTER_VECTOR])],
    "single-1m": [linkage("single", 1_000_000, 3, MST)],
    "average-10k": [linkage("average", 10_000, 5, [FASTCLUSTER, KODAMA])],
    "complete-10k": [linkage("complete", 10_000, 5, [FASTCLUSTER, KODAMA])],
    "silhouette-30k": [silhouette()],
    "rfm-10m": [rfm()],
    "assign-1m": [assign()],
    "rules-100": [rules(100, [POLARS_RULES, DUCKDB_RULES])],
    "rules-1000": [rules(1000, [POLARS_RULES])],
    "rules-events": [events("euros", 0.01, EVENTS), events("cents", 1.0, EVENTS)],
    "rules-sql": [events("euros", 0.01, SQL), events("cents", 1.0, SQL)],
    "bgnbd-cdnow": [fit_purchases("", "bg_nbd", lambda scale: data.cdnow(), 0.01)],
    "paretonbd-cdnow": [fit_purchases("", "pareto_nbd", lambda scale: data.cdnow(), 0.05)],
    "gammagamma-cdnow": [fit_spend()],
    "bgnbd-1m": [fit_purchases("", "bg_nbd", simulated, 0.01, once=True), expected()],
    "ledger-10m": [ledger()],
}
