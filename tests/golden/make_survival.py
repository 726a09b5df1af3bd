"""Makes survival.json in this directory.

    pip install lifelines==0.30.3
    python tests/golden/make_survival.py

The data are lifelines.datasets.load_waltons(): days that 163 fruit flies lived (MIT
licence of lifelines). For the test of three groups the control flies are split by the
parity of their row. Restricted means are exact sums over the steps.
"""

import json
from pathlib import Path

import lifelines
from lifelines import KaplanMeierFitter
from lifelines.datasets import load_waltons
from lifelines.statistics import multivariate_logrank_test as test
from lifelines.utils import median_survival_times, restricted_mean_survival_time

flies = load_waltons().reset_index(drop=True)
flies["three"] = [
    g if g != "control" else f"control {i % 2}" for i, g in enumerate(flies["group"])
]


def curve(rows):
    km = KaplanMeierFitter().fit(rows["T"], rows["E"])
    steps = []
    for t in km.survival_function_.index[1:]:
        s = float(km.survival_function_.loc[t].iloc[0])
        steps.append([t, s] + km.confidence_interval_.loc[t].tolist())
    return {
        "steps": steps,
        "median": float(km.median_survival_time_),
        "median_interval": median_survival_times(km.confidence_interval_)
        .values[0]
        .tolist(),
        "percentiles": {p: float(km.percentile(float(p))) for p in ["0.25", "0.75", "0.9"]},
        "restricted_mean": {
            h: float(restricted_mean_survival_time(km, t=float(h))) for h in ["30", "60", "70"]
        },
    }


def tests(column):
    made = []
    for name, options in [
        (None, {}),
        ("wilcoxon", {}),
        ("tarone-ware", {}),
        ("peto", {}),
        ("fleming-harrington", {"p": 1, "q": 0}),
        ("fleming-harrington", {"p": 0, "q": 1}),
        ("fleming-harrington", {"p": 1, "q": 1}),
        ("fleming-harrington", {"p": 0.5, "q": 2}),
    ]:
        r = test(flies["T"], flies[column], flies["E"], weightings=name, **options)
        made.append(
            {
                "weights": name or "log-rank",
                **options,
                "chi2": float(r.test_statistic),
                "p_value": float(r.p_value),
                "df": int(r.degrees_of_freedom),
            }
        )
    return made


golden = {
    "made_with": {
        "lifelines": lifelines.__version__,
        "command": "python tests/golden/make_survival.py",
    },
    "durations": flies["T"].tolist(),
    "observed": [bool(e) for e in flies["E"]],
    "group": flies["group"].tolist(),
    "three": flies["three"].tolist(),
    "curves": {g: curve(rows) for g, rows in flies.groupby("group")},
    "tests_of_two": tests("group"),
    "tests_of_three": tests("three"),
}
text = ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in golden.items())
Path(__file__).with_name("survival.json").write_text("{\n" + text + "\n}\n")
