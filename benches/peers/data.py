"""Data of the works, from seeds. Each function gives arrays by name."""

import numpy as np


def blobs(n, d, k, seed=0):
    """k normal clouds of unit variance around normal centres four times as far apart."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(k, d)) * 4
    labels = rng.integers(0, k, n)
    x = centers[labels] + rng.normal(size=(n, d))
    return {"x": x, "init": first_centers(x, k, rng)}


def uniform(n, d, k, seed=0):
    """No clusters at all: the unit cube."""
    rng = np.random.default_rng(seed)
    x = rng.random((n, d))
    return {"x": x, "init": first_centers(x, k, rng)}


def first_centers(x, k, rng):
    return x[rng.choice(len(x), k, replace=False)]


def narrow(arrays):
    """The same with rows of f32. Centres keep their type, but hold numbers of f32."""
    x = arrays["x"].astype(np.float32)
    return {"x": x, "init": arrays["init"].astype(np.float32).astype(np.float64)}


def fitted(n, d, k, seed=0):
    """Clouds, and their means, which are the centres that a good fit finds."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(k, d)) * 4
    labels = rng.integers(0, k, n)
    x = centers[labels] + rng.normal(size=(n, d))
    means = np.stack([x[labels == c].mean(axis=0) for c in range(k)])
    return {"x": x, "centers": means}


def normal(n, d, seed=0):
    """One normal cloud."""
    return {"x": np.random.default_rng(seed).normal(size=(n, d))}


def grouped(n, d, k, seed=0):
    """One normal cloud with labels drawn at random."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return {"x": x, "labels": rng.integers(0, k, n).astype(np.int32)}


def transactions(n, n_customers, seed=0):
    """Two years of purchases with log-normal amounts in cents."""
    rng = np.random.default_rng(seed)
    return {
        "customer": rng.integers(0, n_customers, n).astype(np.int64),
        "day": rng.integers(18000, 18730, n).astype(np.int32),
        "cents": np.round(rng.lognormal(3, 1, n) * 100).astype(np.int64),
    }


def rules(n, n_rules, seed=0):
    """Customers in 20 columns of numbers and 5 of ten levels, and random rules of them.

    A rule compares three columns with a value that one of their rows has, and looks for one
    of three levels. Its parts are joined from left to right.
    """
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(20, n))
    numbers[1::2] = np.exp(numbers[1::2])
    columns = rng.integers(0, 20, (n_rules, 3))
    three = lambda: rng.permuted(np.tile(np.arange(10), (n_rules, 1)), axis=1)[:, :3]
    small = lambda x: np.asarray(x, dtype=np.int32)
    return {
        "numbers": numbers,
        "codes": small(rng.integers(0, 10, (5, n))),
        "columns": small(columns),
        "thresholds": numbers[columns, rng.integers(0, n, (n_rules, 3))],
        "reach": small(rng.integers(0, 2, (n_rules, 3))),
        "joins": small(rng.integers(0, 2, (n_rules, 3))),
        "category": small(rng.integers(0, 5, n_rules)),
        "levels": small(three()),
    }


DAY = 86_400_000
# The ages in days between which events count: the older one, or -1 for ever.
WINDOWS = [(7, 0), (30, 0), (90, 0), (365, 0), (60, 30), (-1, 0)]


def events(n, n_customers, n_rules, unit, seed=0):
    """Two years of purchases, by customer and time, and random rules of two tests of them.

    A test asks how many purchases there were, what they sum up to, or whether there was none, in
    a window, through one channel or all. Amounts are multiples of a unit, and no sum is
    compared with one.
    """
    rng = np.random.default_rng(seed)
    now = 20_000 * DAY
    # Most have few purchases, some many, and about one in twelve none.
    shares = rng.gamma(0.8, size=n_customers)
    counts = rng.multinomial(n, shares / shares.sum())
    times = now - 1 - rng.integers(0, 730 * DAY, n)
    customer = np.repeat(np.arange(n_customers, dtype=np.int32), counts)
    times = times[np.lexsort((times, customer))]
    amounts = np.round(rng.lognormal(3, 1, n) * 100)
    small = lambda x: np.asarray(x, dtype=np.int32)
    aggregate = rng.choice(3, (n_rules, 2), p=[0.4, 0.4, 0.2])
    sums = (np.round(rng.lognormal(6, 1.5, (n_rules, 2)) * 100) + 0.5) * unit
    bound = np.where(aggregate == 1, sums, rng.integers(1, 15, (n_rules, 2)))
    channel = rng.integers(0, 5, (n_rules, 2))
    return {
        "customer": customer,
        "time": times,
        "amount": amounts * unit,
        "channel": small(rng.integers(0, 5, n)),
        "offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        "now": np.array([now], dtype=np.int64),
        "aggregate": small(aggregate),
        "window": small(rng.integers(0, len(WINDOWS), (n_rules, 2))),
        "windows": small(WINDOWS),
        "through": small(np.where(rng.random((n_rules, 2)) < 0.5, channel, -1)),
        "bound": bound,
        "joins": small(rng.integers(0, 2, n_rules)),
    }


def cdnow():
    """CDNOW: 2,357 customers for up to 39 weeks, as lifetimes brings them with it."""
    from lifetimes.datasets import load_cdnow_summary

    return histories(load_cdnow_summary())


def cdnow_spend():
    """Those of CDNOW who bought again, with the mean value of their repeat purchases."""
    from lifetimes.datasets import load_cdnow_summary_data_with_monetary_value

    table = load_cdnow_summary_data_with_monetary_value()
    table = table[table["frequency"] > 0]
    return {
        "frequency": table["frequency"].to_numpy(np.int64),
        "mean": table["monetary_value"].to_numpy(np.float64),
    }


def histories(table):
    """Repeat purchases, the age at the last of them, and the age."""
    names = {"last": "recency", "age": "T"}
    columns = {name: table[said].to_numpy(np.float64) for name, said in names.items()}
    return {"frequency": table["frequency"].to_numpy(np.int64)} | columns


# BG/NBD of CDNOW in weeks (Fader, Hardie & Lee 2005).
BG_NBD = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}


def bg_nbd(n, r, alpha, a, b, seed=0):
    """Customers who buy and leave as BG/NBD says, seen for 27 to 39 weeks, no two alike."""
    rng = np.random.default_rng(seed)
    rate, leaving = rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n)
    age = rng.uniform(27, 39, n)
    frequency, last = np.zeros(n, dtype=np.int64), np.zeros(n)
    # Those who can still buy, and when they do next.
    who, at = np.arange(n), np.zeros(n)
    while len(who):
        # Rates of some are so small that they are 0.
        with np.errstate(divide="ignore"):
            at = at + rng.standard_exponential(len(who)) / rate[who]
        seen = at <= age[who]
        who, at = who[seen], at[seen]
        frequency[who] += 1
        last[who] = at
        stays = rng.random(len(who)) >= leaving[who]
        who, at = who[stays], at[stays]
    return {"frequency": frequency, "last": last, "age": age}
