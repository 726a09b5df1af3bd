"""Runs the call of one peer when the driver says so: `worker.py PROGRAM`.

It speaks as the worker in Rust does (src/bin/worker.rs). A program is a function below: it
takes the arrays and the parameters of the task, brings the data into the form that is the
peer's own, and gives two functions: `call`, which is timed, and `answer`, which takes what
`call` returned and gives scalars and arrays by name.
"""

import importlib.metadata
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

import arrays

THREADS = int(os.environ["PEERS_THREADS"])


def sklearn_kmeans(data, task):
    from sklearn.cluster import KMeans

    x, init = data["x"], data["init"]
    steps = {"n_init": 1, "max_iter": task["max_iter"], "tol": 0}
    model = KMeans(len(init), init=init, algorithm=task["algorithm"], **steps)
    return lambda: model.fit(x), fitted_clusters


def sklearn_kmeans_default(data, task):
    from sklearn.cluster import KMeans

    x = data["x"]
    model = KMeans(task["k"], n_init=task["n_init"], random_state=task["seed"])
    return lambda: model.fit(x), fitted_clusters


def fitted_clusters(model):
    scalars = {"inertia": float(model.inertia_), "n_iter": int(model.n_iter_)}
    return scalars, {"labels": model.labels_.astype(np.int32)}


def sklearn_predict(data, task):
    from sklearn.cluster import KMeans

    x, centers = data["x"], data["centers"]
    model = KMeans(len(centers), init=centers, n_init=1, max_iter=1).fit(centers)
    model.cluster_centers_ = centers
    return lambda: model.predict(x), lambda labels: ({}, {"labels": labels})


def sklearn_silhouette(data, task):
    from sklearn.metrics import silhouette_score

    x, labels = data["x"], data["labels"]
    call = lambda: silhouette_score(x, labels)
    return call, lambda score: ({"score": float(score)}, {})


def faiss_kmeans(data, task):
    import faiss

    faiss.omp_set_num_threads(THREADS)
    x, init = data["x"], data["init"].astype(np.float32)
    (n, d), k = x.shape, len(init)
    # All rows, not a sample of them.
    rows = {"min_points_per_centroid": 1, "max_points_per_centroid": n}

    def call():
        model = faiss.Kmeans(d, k, niter=task["max_iter"], **rows)
        model.train(x, init_centroids=init)
        return model

    def answer(model):
        index = faiss.IndexFlatL2(d)
        index.add(model.centroids)
        labels = index.search(x, 1)[1][:, 0]
        differences = x.astype(np.float64) - model.centroids[labels]
        return {"inertia": float((differences**2).sum())}, {}

    return call, answer


def fastcluster_linkage(data, task):
    import fastcluster

    x, method = data["x"], task["method"]
    return lambda: fastcluster.linkage(x, method), tree_heights


def fastcluster_linkage_vector(data, task):
    import fastcluster

    x, method = data["x"], task["method"]
    return lambda: fastcluster.linkage_vector(x, method), tree_heights


def tree_heights(z):
    return {}, {"heights": z[:, 2]}


def genie(data, task):
    import genieclust

    x = data["x"]
    # Its tree is the minimum spanning tree, whose edges are single linkage's heights.
    answer = lambda model: ({}, {"heights": model._tree_d_})
    return lambda: genieclust.Genie(n_clusters=10).fit(x), answer


def quitefastmst(data, task):
    import quitefastmst

    quitefastmst.omp_set_num_threads(THREADS)
    x = data["x"]
    return lambda: quitefastmst.mst_euclid(x), lambda tree: ({}, {"heights": tree[0]})


def polars_rfm(data, task):
    import polars as pl

    table = pl.DataFrame(data)

    def call():
        day, cents = pl.col("day").max(), pl.col("cents").sum()
        customers = (
            table.lazy()
            .group_by("customer")
            .agg(day.alias("last"), pl.len().alias("f"), cents.alias("m"))
            .collect()
        )
        n = customers.height
        # As NTILE but for which quintiles have one more.
        tile = lambda name: (pl.col(name).rank("ordinal") - 1) * 5 // n + 1
        names = {"last": "r_tile", "f": "f_tile", "m": "m_tile"}
        tiles = [tile(name).alias(alias) for name, alias in names.items()]
        return customers.with_columns(tiles)

    return call, lambda table: customer_table(table.sort("customer").to_dict())


def duckdb_rfm(data, task):
    import duckdb
    import pyarrow

    db = duckdb.connect()
    db.execute(f"SET threads = {THREADS}")
    table = pyarrow.table(data)
    db.register("given", table)
    db.execute("CREATE TABLE transactions AS SELECT * FROM given")
    db.unregister("given")
    query = """
        SELECT *,
            ntile(5) OVER (ORDER BY last) AS r_tile,
            ntile(5) OVER (ORDER BY f) AS f_tile,
            ntile(5) OVER (ORDER BY m) AS m_tile
        FROM (
            SELECT customer, max(day) AS last, count(*) AS f, sum(cents)::BIGINT AS m
            FROM transactions GROUP BY customer
        )
    """

    def answer(table):
        table = table.sort_by("customer")
        return customer_table({name: table[name] for name in table.column_names})

    return lambda: db.execute(query).to_arrow_table(), answer


LEVELS = [f"level {i}" for i in range(10)]


def polars_rules(data, task):
    import polars as pl

    names = pl.Enum(LEVELS)
    table = pl.DataFrame(
        {f"x{i}": column for i, column in enumerate(data["numbers"])}
        | {
            f"c{i}": pl.Series(np.array(LEVELS)[column], dtype=pl.String).cast(names)
            for i, column in enumerate(data["codes"])
        }
    )

    def rule(r):
        parts = []
        for j in range(3):
            column = pl.col(f"x{data['columns'][r, j]}")
            threshold = float(data["thresholds"][r, j])
            reach = data["reach"][r, j]
            parts.append(column >= threshold if reach else column < threshold)
        listed = pl.Series([LEVELS[i] for i in data["levels"][r]], dtype=names)
        parts.append(pl.col(f"c{data['category'][r]}").is_in(listed.implode()))
        whole = parts[0]
        for part, both in zip(parts[1:], data["joins"][r]):
            whole = whole & part if both else whole | part
        return whole

    counts = [rule(r).sum().alias(str(r)) for r in range(len(data["category"]))]
    answer = lambda table: ({}, {"counts": np.array(table.row(0), dtype=np.int64)})
    return lambda: table.lazy().select(counts).collect(), answer


def duckdb_rules(data, task):
    import duckdb
    import pyarrow

    db = duckdb.connect()
    db.execute(f"SET threads = {THREADS}")
    levels = ", ".join(f"'{level}'" for level in LEVELS)
    db.execute(f"CREATE TYPE level AS ENUM ({levels})")
    table = pyarrow.table(
        {f"x{i}": column for i, column in enumerate(data["numbers"])}
        | {
            f"c{i}": pyarrow.DictionaryArray.from_arrays(column, LEVELS)
            for i, column in enumerate(data["codes"])
        }
    )
    db.register("given", table)
    columns = [f"x{i}" for i in range(len(data["numbers"]))]
    columns += [f"c{i}::level AS c{i}" for i in range(len(data["codes"]))]
    db.execute(f"CREATE TABLE customers AS SELECT {', '.join(columns)} FROM given")
    db.unregister("given")

    def rule(r):
        parts = []
        for j in range(3):
            operator = ">=" if data["reach"][r, j] else "<"
            threshold = repr(float(data["thresholds"][r, j]))
            parts.append(f"x{data['columns'][r, j]} {operator} {threshold}::DOUBLE")
        listed = ", ".join(f"'{LEVELS[i]}'" for i in data["levels"][r])
        parts.append(f"c{data['category'][r]} IN ({listed})")
        whole = parts[0]
        for part, both in zip(parts[1:], data["joins"][r]):
            whole = f"({whole} {'AND' if both else 'OR'} {part})"
        return whole

    counts = [f"count(*) FILTER (WHERE {rule(r)})" for r in range(len(data["category"]))]
    query = f"SELECT {', '.join(counts)} FROM customers"
    answer = lambda row: ({}, {"counts": np.array(row, dtype=np.int64)})
    return lambda: db.execute(query).fetchone(), answer


CHANNELS = [f"channel {i}" for i in range(5)]


class EventRules:
    """The rules of a task: which aggregates they need, each once, and how they join them."""

    def __init__(self, data):
        self.data = data
        # By aggregate (count or sum), window and channel.
        self.aggregates = {}

    def name(self, aggregate, window, channel):
        key = ("sum" if aggregate == 1 else "count", int(window), int(channel))
        return self.aggregates.setdefault(key, f"a{len(self.aggregates)}")

    def tests(self, r):
        """Of each test of a rule its aggregate, the operator, and what it is compared with."""
        for j in range(2):
            aggregate = self.data["aggregate"][r, j]
            name = self.name(aggregate, self.data["window"][r, j], self.data["through"][r, j])
            bound = float(self.data["bound"][r, j])
            yield (name, "=", 0) if aggregate == 2 else (name, ">=", bound)

    def window(self, window):
        """From which time on events count, and up to which."""
        now = int(self.data["now"][0])
        older, newer = (int(days) for days in self.data["windows"][window])
        since = now - older * 86_400_000 if older >= 0 else None
        return since, now - newer * 86_400_000


def polars_events(data, task):
    import polars as pl

    names = pl.Enum(CHANNELS)
    n_customers = len(data["offsets"]) - 1
    events = pl.DataFrame(
        {
            "customer": pl.Series(data["customer"]).set_sorted(),
            "time": data["time"],
            "amount": data["amount"],
            "channel": pl.Series(np.array(CHANNELS)[data["channel"]]).cast(names),
        }
    )
    customers = pl.DataFrame(
        {"customer": pl.Series(np.arange(n_customers, dtype=np.int32)).set_sorted()}
    )
    rules = EventRules(data)

    def rule(r):
        parts = [
            pl.col(name) == bound if operator == "=" else pl.col(name) >= bound
            for name, operator, bound in rules.tests(r)
        ]
        return parts[0] & parts[1] if data["joins"][r] else parts[0] | parts[1]

    counts = [rule(r).sum().alias(str(r)) for r in range(len(data["joins"]))]

    def aggregate(kind, window, channel):
        since, until = rules.window(window)
        chosen = pl.col("time") < until
        if since is not None:
            chosen = (pl.col("time") >= since) & chosen
        if channel >= 0:
            chosen = chosen & (pl.col("channel") == CHANNELS[channel])
        if kind == "count":
            return chosen.sum()
        return pl.when(chosen).then(pl.col("amount")).otherwise(0.0).sum()

    columns = [aggregate(*key).alias(name) for key, name in rules.aggregates.items()]

    def call():
        by_customer = events.lazy().group_by("customer").agg(columns)
        whole = customers.lazy().join(by_customer, on="customer", how="left")
        return whole.with_columns(pl.exclude("customer").fill_null(0)).select(counts).collect()

    return call, lambda table: ({}, {"counts": np.array(table.row(0), dtype=np.int64)})


def duckdb_log(data):
    """The events and customers of a task in DuckDB."""
    import duckdb
    import pyarrow

    db = duckdb.connect()
    db.execute(f"SET threads = {THREADS}")
    names = ", ".join(f"'{name}'" for name in CHANNELS)
    db.execute(f"CREATE TYPE channel AS ENUM ({names})")
    given = pyarrow.table(
        {
            "customer": data["customer"],
            "time": data["time"],
            "amount": data["amount"],
            "channel": pyarrow.DictionaryArray.from_arrays(data["channel"], CHANNELS),
        }
    )
    db.register("given", given)
    db.execute(
        "CREATE TABLE events AS SELECT customer, time, amount, channel::channel AS channel"
        " FROM given"
    )
    db.unregister("given")
    n_customers = len(data["offsets"]) - 1
    db.execute(f"CREATE TABLE customers AS SELECT range::INTEGER AS customer FROM range({n_customers})")
    return db


def duckdb_events(data, task):
    db = duckdb_log(data)
    rules = EventRules(data)

    def rule(r):
        parts = [f"{name} {operator} {bound!r}" for name, operator, bound in rules.tests(r)]
        return (" AND " if data["joins"][r] else " OR ").join(parts)

    counts = [f"count(*) FILTER (WHERE {rule(r)})" for r in range(len(data["joins"]))]

    def aggregate(kind, window, channel):
        since, until = rules.window(window)
        chosen = [f"time < {until}"]
        if since is not None:
            chosen.insert(0, f"time >= {since}")
        if channel >= 0:
            chosen.append(f"channel = '{CHANNELS[channel]}'")
        what = "count(*)" if kind == "count" else "sum(amount)"
        return f"{what} FILTER (WHERE {' AND '.join(chosen)})"

    columns = [f"{aggregate(*key)} AS {name}" for key, name in rules.aggregates.items()]
    filled = [f"coalesce({name}, 0) AS {name}" for name in rules.aggregates.values()]
    query = f"""
        WITH by_customer AS (SELECT customer, {", ".join(columns)} FROM events GROUP BY customer),
        filled AS (SELECT {", ".join(filled)} FROM customers LEFT JOIN by_customer USING (customer))
        SELECT {", ".join(counts)} FROM filled
    """
    answer = lambda row: ({}, {"counts": np.array(row, dtype=np.int64)})
    return lambda: db.execute(query).fetchone(), answer


def duckdb_sql(data, task):
    """Our own rules, written as SQL."""
    db = duckdb_log(data)
    command = [os.environ["PEERS_WORKER"], "sql"]
    given = json.dumps(task) + "\n"
    said = subprocess.run(command, input=given, stdout=subprocess.PIPE, text=True, check=True)
    query = json.loads(said.stdout)["sql"]
    members = lambda rows: np.array([members for _, members, _, _ in rows], dtype=np.int64)
    return lambda: db.execute(query).fetchall(), lambda rows: ({}, {"counts": members(rows)})


FITTERS = {
    "bg_nbd": ("BetaGeoFitter", ["r", "alpha", "a", "b"]),
    "pareto_nbd": ("ParetoNBDFitter", ["r", "alpha", "s", "beta"]),
}


def lifetimes_fit(data, task):
    import lifetimes

    fitter, names = FITTERS[task["kind"]]
    fitter = getattr(lifetimes, fitter)
    columns = [data[name] for name in ("frequency", "last", "age")]

    def call():
        # The start of Pareto/NBD is drawn.
        np.random.seed(0)
        return fitter(penalizer_coef=0.0).fit(*columns)

    return call, lambda model: estimates(model, names)


def lifetimes_fit_spend(data, task):
    from lifetimes import GammaGammaFitter

    frequency, mean = data["frequency"], data["mean"]
    call = lambda: GammaGammaFitter(penalizer_coef=0.0).fit(frequency, mean)
    return call, lambda model: estimates(model, ["p", "q", "v"])


def estimates(model, names):
    return {}, {"parameters": model.params_[names].to_numpy(np.float64)}


def lifetimes_expected(data, task):
    import pandas as pd
    from lifetimes import BetaGeoFitter

    names = FITTERS["bg_nbd"][1]
    model = BetaGeoFitter(penalizer_coef=0.0)
    model.params_ = pd.Series({name: task["model"][name] for name in names})
    columns = [data[name] for name in ("frequency", "last", "age")]
    expected = model.conditional_expected_number_of_purchases_up_to_time
    return lambda: expected(task["horizon"], *columns), lambda x: ({}, {"expected": x})


def lifetimes_ledger(data, task):
    import pandas as pd
    from lifetimes.utils import summary_data_from_transaction_data

    day = lambda days: days.astype("datetime64[D]").astype("datetime64[s]")
    columns = {"day": day(data["day"]), "euros": data["cents"] / 100}
    table = pd.DataFrame({"customer": data["customer"]} | columns)
    end = day(np.array(task["end"]))[()]
    weeks = {"freq": "D", "freq_multiplier": 7}

    def call():
        return summary_data_from_transaction_data(
            table, "customer", "day", "euros", observation_period_end=end, **weeks
        )

    def answer(summary):
        summary = summary.sort_index()
        return {"rows": len(table)}, {
            "customer": summary.index.to_numpy(np.int64),
            "frequency": summary["frequency"].to_numpy(np.int64),
            "last": summary["recency"].to_numpy(),
            "age": summary["T"].to_numpy(),
            "spend": summary["monetary_value"].to_numpy(),
        }

    return call, answer


def polars_ledger(data, task):
    import polars as pl

    table, end = pl.DataFrame(data), task["end"]
    day, cents = pl.col("day"), pl.col("cents")
    days = table.lazy().filter(day <= end).group_by("customer", "day").agg(cents.sum())
    frequency = pl.len() - 1
    # Of `get(arg_min)`, `min_by`, a filter and a join this is the fastest.
    repeat = cents.sum() - cents.sort_by("day").first()
    spend = pl.when(frequency > 0).then(repeat / frequency / 100).otherwise(0.0)
    columns = {
        "frequency": frequency,
        "last": (day.max() - day.min()) / 7,
        "age": (end - day.min()) / 7,
        "spend": spend,
    }
    named = [column.alias(name) for name, column in columns.items()]
    customers = days.group_by("customer").agg(named)

    def answer(table):
        table = table.sort("customer")
        numbers = {name: table[name].to_numpy() for name in table.columns}
        return {}, numbers | {"frequency": numbers["frequency"].astype(np.int64)}

    # Its other engine takes longer for these.
    return lambda: customers.collect(engine="streaming"), answer


def customer_table(columns):
    column = lambda name, dtype: np.asarray(columns[name]).astype(dtype)
    count = lambda name: np.bincount(column(name, np.int64), minlength=6)[1:]
    return {}, {
        "last_day": column("last", np.int32),
        "frequency": column("f", np.int64),
        "cents": column("m", np.int64),
        "r_counts": count("r_tile"),
        "f_counts": count("f_tile"),
        "m_counts": count("m_tile"),
    }


PROGRAMS = {
    "sklearn_kmeans": (sklearn_kmeans, "scikit-learn"),
    "sklearn_kmeans_default": (sklearn_kmeans_default, "scikit-learn"),
    "sklearn_predict": (sklearn_predict, "scikit-learn"),
    "sklearn_silhouette": (sklearn_silhouette, "scikit-learn"),
    "faiss_kmeans": (faiss_kmeans, "faiss-cpu"),
    "fastcluster_linkage": (fastcluster_linkage, "fastcluster"),
    "fastcluster_linkage_vector": (fastcluster_linkage_vector, "fastcluster"),
    "genie": (genie, "genieclust"),
    "quitefastmst": (quitefastmst, "quitefastmst"),
    "polars_rfm": (polars_rfm, "polars"),
    "duckdb_rfm": (duckdb_rfm, "duckdb"),
    "polars_rules": (polars_rules, "polars"),
    "duckdb_rules": (duckdb_rules, "duckdb"),
    "polars_events": (polars_events, "polars"),
    "duckdb_events": (duckdb_events, "duckdb"),
    "duckdb_sql": (duckdb_sql, "duckdb"),
    "lifetimes_fit": (lifetimes_fit, "lifetimes"),
    "lifetimes_fit_spend": (lifetimes_fit_spend, "lifetimes"),
    "lifetimes_expected": (lifetimes_expected, "lifetimes"),
    "lifetimes_ledger": (lifetimes_ledger, "lifetimes"),
    "polars_ledger": (polars_ledger, "polars"),
}


def status(name):
    """A line of the process's status in bytes; none where the system has no such file."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith(name + ":")]
    return int(found[0][1]) * 1024 if found else None


def measure(call):
    """Time and memory, as src/measure.rs has them."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass
    before = status("VmRSS")
    start = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - start
    rss = status("VmHWM")
    peak = max(rss - before, 0) if rss and before else None
    return result, {"seconds": seconds, "peak_bytes": peak, "rss_bytes": rss}


def main():
    warnings.filterwarnings("ignore")
    prepare, package = PROGRAMS[sys.argv[1]]
    # The answers go to the driver; what a peer prints must not.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer):
        print(json.dumps(answer), file=out, flush=True)

    task = json.loads(sys.stdin.readline())
    data = {name: arrays.load(spec) for name, spec in task["arrays"].items()}
    call, answer_of = prepare(data, task)

    from threadpoolctl import threadpool_limits

    threadpool_limits(THREADS)
    say({"version": importlib.metadata.version(package)})
    for line in sys.stdin:
        save = json.loads(line)["save"]
        result, answer = measure(call)
        if save:
            answer["scalars"], numbers = answer_of(result)
            folder = Path(save)
            saved = {name: arrays.save(folder, name, x) for name, x in numbers.items()}
            answer["arrays"] = saved
        del result
        say(answer)


main()
