"""Runs works: generates data, alternates between this crate and its peers, compares the
answers, prints a table and writes results.json. Called by run.sh."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import arrays
from works import WORKS, Peer

THREADS = 2
# Rounds after the warm-up, and the seconds that all of them may take together.
ROUNDS, BUDGET = 5, 40.0
# The pause before each call, in which the threads of the one before go to sleep: some
# pools spin for a fifth of a second.
PAUSE = 0.3

# Shorter calls are repeated in a round: a machine that has rested takes some milliseconds
# until its second thread runs, whatever the program.
SHORT, REPEATS = 0.1, 5

# Large blocks of memory in huge pages for every program alike: numpy asks the system for
# them by itself, other allocators do when told.
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}

HERE = Path(__file__).parent
RUST_PROGRAMS = {"segmenta", "linfa", "kodama"}

# Each thread on a core of its own, in every program that can: the system may wake one up on
# a core that is taken, where it waits for milliseconds while another core has nothing to do.
BOUND = {"PEERS_BIND": "1"}
BOUND_OPENMP = {"OMP_PROC_BIND": "true", "OMP_PLACES": "cores"}
OPENMP_PROGRAMS = ("sklearn_", "faiss_", "genie", "quitefastmst")


@dataclass
class Answer:
    """The first run of a worker."""

    seconds: float
    rss_bytes: int | None
    scalars: dict
    arrays: dict


class Worker:
    """A process that holds the data of a task and runs its call when told."""

    def __init__(self, name, program, task, folder, rust_worker, bind):
        self.name, self.folder = name, folder
        folder.mkdir(parents=True, exist_ok=True)
        if program in RUST_PROGRAMS:
            command = [str(rust_worker), program]
        else:
            command = [sys.executable, str(HERE / "worker.py"), program]
        if not bind:
            bound = {}
        elif program.startswith(OPENMP_PROGRAMS):
            bound = BOUND_OPENMP
        else:
            bound = BOUND
        limits = [
            "PEERS_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS",
            "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS",
        ]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=HUGE_PAGES
            | bound
            | os.environ
            | dict.fromkeys(limits, str(THREADS))
            | {"PEERS_WORKER": str(rust_worker)},
        )
        self.version = self.ask(task)["version"]
        self.seconds, self.peaks = [], []

    def ask(self, what):
        try:
            print(json.dumps(what), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with code {self.process.wait()}")
        return json.loads(line)

    def first(self):
        """The first run, with its answer."""
        said = self.ask({"save": str(self.folder)})
        self.note(said)
        loaded = {name: arrays.load(spec) for name, spec in said["arrays"].items()}
        return Answer(said["seconds"], said["rss_bytes"], said["scalars"], loaded)

    def again(self, calls):
        time.sleep(PAUSE)
        for _ in range(calls):
            self.note(self.ask({"save": None}))

    def note(self, said):
        self.seconds.append(said["seconds"])
        self.peaks.append(said["peak_bytes"] or 0)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def rounds_after(first_seconds, once, asked):
    """How many rounds follow the first, and whether the first counts."""
    if once:
        return 0, True
    if asked is not None:
        return asked, asked == 0
    rounds = min(int(BUDGET / sum(first_seconds)), ROUNDS)
    # A call of many seconds has no use for a warm-up.
    return (rounds, False) if rounds >= 3 else (rounds, True)


def run(title, variant, options):
    """The rows of a variant."""
    given = variant.data(options.scale)
    folder = options.out / "data"
    folder.mkdir(parents=True, exist_ok=True)
    specs = {name: arrays.save(folder, name, array) for name, array in given.items()}
    ours = Peer("segmenta", "segmenta")
    workers = []
    for i, peer in enumerate([ours, *variant.peers]):
        shaped = specs
        if peer.share != 1.0:
            part = lambda shape: [int(shape[0] * peer.share), *shape[1:]]
            shaped = {n: s | {"shape": part(s["shape"])} for n, s in specs.items()}
        task = variant.call | peer.options | {"arrays": shaped}
        answers = options.out / "answers" / str(i)
        given_to = (task, answers, options.worker, not options.unbound)
        workers.append(Worker(peer.name, peer.program, *given_to))

    answers = [worker.first() for worker in workers]
    seconds = [answer.seconds for answer in answers]
    rounds, first_counts = rounds_after(seconds, variant.once, options.rounds)
    calls = REPEATS if max(seconds) < SHORT else 1
    for _ in range(rounds):
        for worker in workers:
            worker.again(calls)
    for worker in workers:
        worker.close()

    median = lambda worker: statistics.median(worker.seconds[not first_counts :])
    check, rows = variant.check(given), []
    for peer, worker, answer in zip(variant.peers, workers[1:], answers[1:]):
        agrees, compared = (peer.agree or check)(answers[0], answer)
        theirs, mine = median(worker) * peer.factor, median(workers[0])
        rows.append({
            "work": title,
            "peer": peer.name,
            "peer_seconds": theirs,
            "segmenta_seconds": mine,
            "ratio": theirs / mine,
            "agrees": bool(agrees),
            "compared": compared,
            "shapes": {name: list(array.shape) for name, array in given.items()},
            "storage": answers[0].scalars.get("storage", "f64"),
            "runs": rounds * calls + first_counts,
            "peer_peak_bytes": max(worker.peaks),
            "segmenta_peak_bytes": max(workers[0].peaks),
            "peer_version": worker.version,
            "segmenta_version": workers[0].version,
            "threads": THREADS,
            "bound": not options.unbound,
            "scale": options.scale,
            "machine": machine(),
        })
    return rows


def machine():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line.split(":")[1].strip() for line in lines if "model name" in line]
    except OSError:
        models = []
    model = models[0] if models else platform.processor()
    return f"{model}, {os.cpu_count()} threads, {platform.system()} {platform.machine()}"


def number(x):
    return f"{x:.3g}" if isinstance(x, float) else str(x)


def line(row):
    compared = ", ".join(f"{k} {number(v)}" for k, v in row["compared"].items())
    memory = f"{row['peer_peak_bytes'] / 1e6:.0f}/{row['segmenta_peak_bytes'] / 1e6:.0f}"
    return (
        f"{row['work']:28} {row['peer']:27} {row['peer_seconds']:9.4f} "
        f"{row['segmenta_seconds']:10.4f} {row['ratio']:7.2f}  "
        f"{'yes' if row['agrees'] else 'NO':6} {row['runs']:4} {memory:>11}  {compared}"
    )


HEADER = (
    f"{'work':28} {'peer':27} {'peer s':>9} {'segmenta s':>10} {'ratio':>7}  "
    f"{'agrees':6} {'runs':>4} {'peaks MB':>11}  compared"
)


def chosen(names):
    """The named works or work/variants; all without names."""
    pairs = [
        (f"{work}/{variant.name}".rstrip("/"), work, variant)
        for work, variants in WORKS.items()
        for variant in variants
    ]
    known = set(WORKS) | {title for title, _, _ in pairs}
    unknown = [name for name in names if name not in known]
    if unknown:
        works = "\n  ".join(WORKS)
        sys.exit(f"no work `{unknown[0]}`; the works are\n  {works}")
    return [
        (title, variant)
        for title, work, variant in pairs
        if not names or title in names or work in names
    ]


def main():
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__)
    parser.add_argument("works", nargs="*", metavar="WORK[/VARIANT]")
    parser.add_argument("--scale", type=float, default=1.0, help="factor for the rows")
    parser.add_argument("--rounds", type=int, help="after the first; default by time")
    parser.add_argument("--unbound", action="store_true", help="threads on any core")
    parser.add_argument("--list", action="store_true", help="the works, and nothing else")
    parser.add_argument("--worker", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    todo = chosen(options.works)
    if options.list:
        print("\n".join(title for title, _ in todo))
        return
    print(machine(), f"{THREADS} threads used", f"scale {options.scale}", sep="; ")
    print(HEADER, flush=True)
    rows = []
    for title, variant in todo:
        for row in run(title, variant, options):
            rows.append(row)
            print(line(row), flush=True)
        path = options.out / "results.json"
        path.write_text(json.dumps(rows, indent=1) + "\n")
    disagree = [f"{row['work']}: {row['peer']}" for row in rows if not row["agrees"]]
    if disagree:
        sys.exit("the answers do not agree:\n  " + "\n  ".join(disagree))


main()
