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


def relative(a, b):
    return abs(a - b) / max(abs(b), 1e-300)
