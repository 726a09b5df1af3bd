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
