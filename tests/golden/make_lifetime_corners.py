"""Makes lifetime_corners.json in this directory.

    pip install mpmath==1.3.0
    python tests/golden/make_lifetime_corners.py

Log-likelihoods at the corners of the space of parameters, from the definitions of the models:
sums of gamma functions with 130 digits, and for Pareto/NBD the integral over the time of
leaving, by Gauss-Legendre quadrature over its logarithm with 70 digits. BG/BB by its sum over
the opportunity at which a customer left, with 200 digits.
"""

import json
from multiprocessing import Pool
from pathlib import Path

from mpmath import exp, log, log1p, loggamma, mp, mpf, nstr
from mpmath.calculus.quadrature import GaussLegendre

SIZES = [1e-30, 1e-6, 1.0, 1e30]
# Repeat purchases, age at the last one, age.
CUSTOMERS = [(0, 0.0, 1e12), (1, 1e-300, 1e12), (2**53, 1e12, 1e12)]
# Purchases, the last, opportunities; and opportunities ahead.
DONORS = [(0, 0, 6), (2, 3, 6), (40, 100, 150)]
AHEAD = 10


def corner(at):
    return [mpf(SIZES[at >> (2 * i) & 3]) for i in range(4)]


def rising(z, n):
    return loggamma(z + n) - loggamma(z)


def nbd(r, alpha, x, age):
    """ln E[lambda^x e^(-lambda age)]."""
    return rising(r, x) - r * log1p(age / alpha) - x * log(alpha + age)


def bg(p, x, last, age, first):
    """The first purchase is a chance to leave (1, MBG/NBD) or is not (0, BG/NBD)."""
    mp.dps = 130
    r, alpha, a, b = p
    x, last, age = mpf(x), mpf(last), mpf(age)
    j = x + first
    stayed = rising(b, j) - rising(a + b, j)
    if j == 0:
        return nbd(r, alpha, x, age)
    # Left after the j-th chance, at the last purchase.
    left = log(a) + rising(b, j - 1) - rising(a + b, j)
    one, two = stayed + nbd(r, alpha, x, age), left + nbd(r, alpha, x, last)
    most, least = max(one, two), min(one, two)
    return most + log1p(exp(least - most))


NODES = {}


def integral(rates, width):
    """int_0^width exp(-sum k log1p(h / c)) dh over `rates` (k, c)."""
    mp.dps = 70
    if not NODES:
        # 48 nodes on [-1, 1].
        NODES["all"] = GaussLegendre(mp).calc_nodes(5, 240)
    f = lambda h: sum(k * log1p(h / c) for k, c in rates)
    scale = min([width] + [c / max(k, 1) for k, c in rates])
    # Below it the integrand is 1 - slope h.
    low = log(scale) - 70
    h = exp(low)
    total = h - sum(k / c for k, c in rates) * h * h / 2
    end = log(width)
    while low < end:
        high = min(low + 1, end)
        if log(total) - low + f(exp(low)) > 130:
            break
        half, middle = (high - low) / 2, (high + low) / 2
        part = mpf(0)
        for node, weight in NODES["all"]:
            v = middle + half * node
            part += weight * exp(v - f(exp(v)))
        total += half * part
        low = high
    return total


def pareto(p, x, last, age):
    mp.dps = 70
    r, alpha, s, beta = p
    x, last, age = mpf(x), mpf(last), mpf(age)
    k = r + x
    if x == 0:
        # The density of a purchase while alive.
        bought = r / alpha * integral([(r + 1, alpha), (s, beta)], age)
        if bought < 0.5:
            return log1p(-bought)
    # Relative to one who is alive at the last purchase and has left just after.
    base = rising(r, x) + r * log(alpha) - k * log(alpha + last) - s * log1p(last / beta)
    stayed = -k * log1p((age - last) / (alpha + last)) - s * log1p(
        (age - last) / (beta + last)
    )
    sum_ = exp(stayed)
    if age > last:
        left = integral([(k, alpha + last), (s + 1, beta + last)], age - last)
        sum_ += s / (beta + last) * left
    return base + log(sum_)


def bg_bb(p, x, last, n):
    mp.dps = 200
    alpha, beta, gamma, delta = p

    def ratio(a, b, i, j):
        up = mpf(1)
        for z, m in ((a, i), (b, j)):
            for y in range(m):
                up *= z + y
        for y in range(i + j):
            up /= a + b + y
        return up

    alive = ratio(alpha, beta, x, n - x) * ratio(gamma, delta, 0, n)
    total = alive + sum(
        ratio(alpha, beta, x, i - x) * ratio(gamma, delta, 1, i) for i in range(last, n)
    )
    cet, stay = mpf(0), mpf(1)
    for i in range(AHEAD):
        stay *= (delta + n + i) / (gamma + delta + n + i)
        cet += stay
    cet *= (alpha + x) / (alpha + beta + n)
    return log(total), alive / total, cet * alive / total


def number(x):
    return float(nstr(x, 25))


def row(at):
    mp.dps = 130
    p = corner(at)
    return (
        [number(bg(p, *c, 0)) for c in CUSTOMERS],
        [number(bg(p, *c, 1)) for c in CUSTOMERS],
        [number(pareto(p, *c)) for c in CUSTOMERS],
        [[number(v) for v in bg_bb(p, *d)] for d in DONORS],
    )


def nbd_row(at):
    mp.dps = 130
    r, alpha, _, _ = corner(at)
    return [number(nbd(r, alpha, mpf(x), mpf(age))) for x, _, age in CUSTOMERS]


def lines(rows):
    return "[\n" + ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows) + "\n]"


if __name__ == "__main__":
    with Pool(2) as pool:
        rows = pool.map(row, range(256), chunksize=4)
    meta = {
        "made_with": {
            "mpmath": "1.3.0",
            "command": "python tests/golden/make_lifetime_corners.py",
        },
        "corner": "row `at` has the parameters sizes[at >> 2 i & 3], i = 0, 1, 2, 3",
        "bg_bb": "log-likelihood, probability of being alive, expected purchases",
    }
    parts = {
        "meta": json.dumps(meta),
        "sizes": json.dumps(SIZES),
        "customers": json.dumps(CUSTOMERS),
        "donors": json.dumps(DONORS),
        "ahead": json.dumps(AHEAD),
        "nbd": lines([nbd_row(at) for at in range(16)]),
        "bgnbd": lines([r[0] for r in rows]),
        "mbgnbd": lines([r[1] for r in rows]),
        "pareto": lines([r[2] for r in rows]),
        "bg_bb": lines([r[3] for r in rows]),
    }
    text = ",\n".join(f'"{key}": {value}' for key, value in parts.items())
    path = Path(__file__).with_name("lifetime_corners.json")
    path.write_text("{\n" + text + "\n}\n")
