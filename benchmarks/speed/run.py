"""Speed and memory, side by side with what people would use instead.

    python benchmarks/speed/run.py                       # 40 minutes on two idle cores; --full takes what it takes
    python benchmarks/speed/run.py --cases "mlp 128" --contestants keras_ae torch --rounds 3 --out /tmp/results.csv
    python benchmarks/speed/run.py --resume              # goes on where the last one was interrupted
    python benchmarks/speed/run.py --guard               # exit code 1 where a ratio is worse than the stored one

Every measurement is a process of its own, in a pinned virtual environment that the first call makes; the contestants
take turns in every round, so that what else the machine does hits all of them. Writes a row per process to the CSV, and
in the end medians and ratios to README.md and docs/images/speed.png, as report.py does; rows of cases that are not
measured this time stay.
"""

import argparse
import csv
import datetime
import itertools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import environments
import report
from cases import CASES, CONTESTANTS, GROWN, PARTS

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results.csv"
COLUMNS = (
    "case",
    "contestant",
    "round",
    "seconds",
    "images_per_s",
    "cpu_s",
    "first_call_s",
    "peak_mib",
    "loss",
    "parameters",
    "rows",
    "batch_size",
    "cores",
    "date",
)
WORSE = 0.85  # of the stored ratio: noise of these medians stays above it


def interpreter(path: str) -> Path:
    """The absolute path of an interpreter, since contestants run in another folder."""
    if not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {path}")
    return Path(path).absolute()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="processes per case and contestant (%(default)s)")
    parser.add_argument("--full", action="store_true", help="also how cost grows with every size")
    parser.add_argument("--cases", nargs="+", choices=[*CASES, *GROWN], metavar="CASE", help="(all)")
    parser.add_argument(
        "--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), metavar="NAME", help="(all)"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV (results.csv, beside this)")
    against_csv = parser.add_mutually_exclusive_group()
    against_csv.add_argument("--resume", action="store_true", help="measure what the CSV lacks of the rounds")
    against_csv.add_argument("--guard", action="store_true", help="compare with the CSV and leave it as it is")
    for name in ("keras", "torch"):
        parser.add_argument(f"--python-{name}", type=interpreter, help=f"interpreter instead of the environment {name}")
    found = parser.parse_args()
    if found.rounds < 1:
        parser.error("needs at least 1 round")
    found.cases = found.cases or [*CASES, *(GROWN if found.full else {})]
    if not any({*found.contestants} & {*(CASES | GROWN)[name].contestants} for name in found.cases):
        parser.error("none of these contestants takes part in these cases")
    return found


def measured(options: argparse.Namespace, done: set[tuple[str, str, int]]) -> Iterator[list[dict[str, Any]]]:
    """Process by process, a row for each part; without the (case, contestant, round) that are `done`."""
    used = {CONTESTANTS[name].environment for name in options.contestants} | {"keras"}
    pythons = {name: getattr(options, f"python_{name}") or environments.interpreter(name) for name in used}
    images = environments.HOME / "mnist.npy"
    if not images.exists():
        environments.run(pythons["keras"], "keras", "", "images.py", str(images))
    common = {"cores": len(os.sched_getaffinity(0)), "date": datetime.date.today().isoformat()}
    for number, name in itertools.product(range(1, 1 + options.rounds), options.cases):
        case = (CASES | GROWN)[name]
        taking_part = [contestant for contestant in case.contestants if contestant in options.contestants]
        turn = number % max(len(taking_part), 1)  # nobody always comes first
        for who in [*taking_part[turn:], *taking_part[:turn]]:
            if (labels(name)[0], who, number) in done:
                continue
            of = CONTESTANTS[who]
            output = environments.run(
                pythons[of.environment], of.environment, of.keras_backend, "measure.py", name, who
            )
            rows = []
            for label, found in zip(labels(name), json.loads(output), strict=True):
                figures = {key: round(value, 4) for key, value in found.items()}
                sizes = {"rows": case.rows, "batch_size": case.batch_size}
                rows.append({"case": label, "contestant": who, "round": number, **figures, **sizes, **common})
                print(f"round {number}: {label}: {who}: {found['seconds']:.3f} s", flush=True)
            yield rows


def labels(name: str) -> list[str]:
    """What the parts of a case are called in the CSV."""
    parts = PARTS.get((CASES | GROWN)[name].what)
    return [f"{name}, {part}" for part in parts] if parts else [name]


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of an earlier CSV."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(rows: list[dict[str, Any]], path: Path) -> None:
    """The CSV, in the order of cases and contestants."""
    order = [label for name in (*CASES, *GROWN) for label in labels(name)]
    rows = sorted(rows, key=lambda row: (order.index(row["case"]), list(CONTESTANTS).index(row["contestant"])))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Measures, and writes or compares."""
    options = arguments()
    earlier, new = read(options.out), []
    done = {(row["case"], row["contestant"], int(row["round"])) for row in earlier} if options.resume else set()
    for rows in measured(options, done):
        new += rows
        replaced = set() if options.resume else {(row["case"], row["contestant"]) for row in new}
        if not options.guard:
            kept = [row for row in earlier if (row["case"], row["contestant"]) not in replaced]
            write(kept + new, options.out)
    if options.guard:
        sys.exit(report.compare(earlier, new, WORSE))
    report.write(read(options.out), options.out)


if __name__ == "__main__":
    main()
