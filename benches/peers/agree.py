"""Whether two answers are the same. Each check gives (agrees, what was compared).

An answer has `scalars` and `arrays`, both by name.
"""

import numpy as np


def clusters(inertia=1e-9, labels=1e-5):
    """The same inertia and labels, but for rounding.

    A row in the middle of two centres may fall to either side, hence the share of labels
    that may differ. Where both count iterations, these must be equal.
    """

    def check(ours, theirs):
        a, b = ours.scalars, theirs.scalars
        said = {"inertia_difference": relative(a["inertia"], b["inertia"])}
        fine = said["inertia_difference"] <= inertia
        if "labels" in theirs.arrays:
            differ = ours.arrays["labels"] != theirs.arrays["labels"]
            said["labels_that_differ"] = float(differ.mean())
            fine &= said["labels_that_differ"] <= labels
        said["iterations"] = a["n_iter"]
        if "n_iter" in b:
            fine &= a["n_iter"] == b["n_iter"]
        return fine, said

    return check


def no_worse(allowed):
    """Our inertia is at most theirs and a bit: starts differ, and so do local optima."""

    def check(ours, theirs):
        a, b = ours.scalars, theirs.scalars
        said = {"inertia": a["inertia"], "peer_inertia": b["inertia"]}
        said |= {"iterations": a["n_iter"], "peer_iterations": b["n_iter"]}
        return a["inertia"] <= b["inertia"] * (1 + allowed), said

    return check


def labels(share):
    """The same labels but for ties."""

    def check(ours, theirs):
        differ = float((ours.arrays["labels"] != theirs.arrays["labels"]).mean())
        return differ <= share, {"labels_that_differ": differ}

    return check


def heights(ours, theirs):
    """The heights of both trees in ascending order, merge by merge."""
    a, b = np.sort(ours.arrays["heights"]), np.sort(theirs.arrays["heights"])
    difference = float(np.max(np.abs(a - b) / np.maximum(b, 1e-300)))
    return difference <= 1e-9, {"height_difference": difference}


def ward_tree(x, seconds, bytes):
    """What must hold of a Ward tree that no peer can compute, and what it may cost.

    Each merge adds half its squared height to the sum of squares within clusters, so all
    of them together make the sum of squares about the mean.
    """

    def check(ours, _theirs):
        tree = ours.arrays["heights"]
        total = float(((x - x.mean(axis=0)) ** 2).sum())
        difference = relative(float((tree**2).sum() / 2), total)
        said = {"sum_of_squares_difference": difference}
        said["rss_bytes"] = ours.rss_bytes
        fine = bool((np.diff(tree) >= 0).all()) and len(tree) == len(x) - 1
        fine &= difference <= 1e-9 and ours.seconds <= seconds
        return fine and (ours.rss_bytes or 0) <= bytes, said

    return check


def score(ours, theirs):
    """The same number."""
    difference = relative(ours.scalars["score"], theirs.scalars["score"])
    return difference <= 1e-9, {"score_difference": difference}


def customers(ours, theirs):
    """The same state of every customer, and quintiles of the same size.

    Who of several equal customers goes into which quintile is up to each, and so is,
    where five does not divide them, which quintiles have one more.
    """
    a, b = ours.arrays, theirs.arrays
    state = ["last_day", "frequency", "cents"]
    fine = all(np.array_equal(a[name], b[name]) for name in state)
    counts = ["r_counts", "f_counts", "m_counts"]
    off = max(int(np.abs(a[name] - b[name]).max()) for name in counts)
    said = {"customers": len(a["cents"]), "count_difference": off}
    return fine and off <= 1, said


def counts(ours, theirs):
    """The same number of members in each segment."""
    a, b = ours.arrays["counts"], theirs.arrays["counts"]
    said = {"segments": len(a), "members": int(a.sum())}
    return np.array_equal(a, b), said


def fitted(model, parameters):
    """Ours is at least as likely as theirs, by their own formula, and hardly another.

    `parameters` is the share by which a parameter may differ.
    """

    def of(arrays):
        def check(ours, theirs):
            a, b = ours.arrays["parameters"], theirs.arrays["parameters"]
            mine, peers = (log_likelihood(model, arrays, at) for at in (a, b))
            said = {"log_likelihood": mine, "gain": mine - peers}
            said["parameter_difference"] = float(np.max(np.abs(a / b - 1)))
            fine = ours.scalars["converged"] and mine >= peers - 1e-6 * abs(peers)
            # What we say of it is this number too.
            fine &= relative(ours.scalars["log_likelihood"], mine) <= 1e-9
            return fine and said["parameter_difference"] <= parameters, said

        return check

    return of


def log_likelihood(model, arrays, parameters):
    """Of all customers together, as lifetimes computes it."""
    from lifetimes import BetaGeoFitter, GammaGammaFitter, ParetoNBDFitter

    n, x = len(arrays["frequency"]), arrays["frequency"]
    if model == "gamma_gamma":
        each = GammaGammaFitter._negative_log_likelihood
        return -n * float(each(np.log(parameters), x, arrays["mean"], np.ones(n), 0.0))
    last, age = arrays["last"], arrays["age"]
    if model == "pareto_nbd":
        each = ParetoNBDFitter._conditional_log_likelihood
        return float(each(parameters, x, last, age).sum())
    each = BetaGeoFitter._negative_log_likelihood
    return -n * float(each(np.log(parameters), x, last, age, np.ones(n), 0.0))


def expected(ours, theirs):
    """The same for every customer of whom the peer has an answer; we have one of all."""
    a, b = ours.arrays["expected"], theirs.arrays["expected"]
    finite = np.isfinite(b)
    difference = float(np.max(np.abs(a[finite] / b[finite] - 1)))
    said = {"difference": difference, "peer_not_finite": int((~finite).sum())}
    return bool(np.isfinite(a).all()) and difference <= 1e-9, said


def read(end):
    """The same customers, purchases, ages and mean spend.

    Where a peer had some of the rows only, its answer is compared with what numpy makes of
    them, and so is ours with what it makes of all.
    """

    def of(arrays):
        n = len(arrays["customer"])

        def check(ours, theirs):
            rows = theirs.scalars.get("rows", n)
            if rows == n:
                return same_read(ours.arrays, theirs.arrays)
            mine = same_read(ours.arrays, read_by_numpy(arrays, n, end))
            peers = same_read(theirs.arrays, read_by_numpy(arrays, rows, end))
            said = {f"peer_{name}": value for name, value in peers[1].items()}
            return mine[0] and peers[0], mine[1] | said

        return check

    return of


def same_read(a, b):
    """Ages are quotients by seven, which polars takes as products with a seventh."""
    if not all(np.array_equal(a[name], b[name]) for name in ("customer", "frequency")):
        return False, {"customers": [len(a["customer"]), len(b["customer"])]}
    off = lambda name: np.abs(a[name] - b[name]) / np.maximum(np.abs(b[name]), 1e-300)
    ages = max(float(off(name).max()) for name in ("last", "age"))
    spend = float(off("spend").max())
    said = {"customers": len(b["customer"]), "age_difference": ages}
    return ages <= 1e-12 and spend <= 1e-9, said | {"spend_difference": spend}


def read_by_numpy(arrays, rows, end):
    """What models read of the first rows: sums by customer and day, then by customer."""
    customer, day, cents = (arrays[name][:rows] for name in ("customer", "day", "cents"))
    kept = day <= end
    customer, day, cents = customer[kept], day[kept].astype(np.int64), cents[kept]
    days, which = np.unique(customer << 20 | day, return_inverse=True)
    # Cents are whole, and far fewer than 2^53.
    spent = np.bincount(which, weights=cents)
    ids, first, count = np.unique(days >> 20, return_index=True, return_counts=True)
    day, frequency = days & 0xFFFFF, count - 1
    repeat = np.add.reduceat(spent, first) - spent[first]
    return {
        "customer": ids,
        "frequency": frequency,
        "last": (day[first + frequency] - day[first]) / 7,
        "age": (end - day[first]) / 7,
        "spend": repeat / np.maximum(frequency, 1) / 100,
    }


def relative(a, b):
    return abs(a - b) / max(abs(b), 1e-300)
