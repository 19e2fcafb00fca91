"""Speed and memory, side by side with what people would use instead.

    python benchmarks/speed/run.py                       # about an hour on two cores; --full takes what it takes
    python benchmarks/speed/run.py --cases "mlp 128" --contestants keras_ae torch --rounds 3 --out /tmp/results.csv
    python benchmarks/speed/run.py --guard               # exit code 1 where a ratio is worse than the stored one

Every measurement is a process of its own, in a pinned virtual environment that the first call makes; the contestants
take turns in every round, so that what else the machine does hits all of them. Writes a row per process to the CSV, and
medians and ratios to README.md and docs/images/speed.png, after every round; rows of cases that are not measured this
time stay.
"""

import argparse
import csv
import datetime
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
    parser.add_argument("--guard", action="store_true", help="compare with the CSV and leave it as it is")
    for name in ("keras", "torch"):
        parser.add_argument(f"--python-{name}", type=interpreter, help=f"interpreter instead of the environment {name}")
    found = parser.parse_args()
    if found.rounds < 1:
        parser.error("needs at least 1 round")
    found.cases = found.cases or [*CASES, *(GROWN if found.full else {})]
    return found


def measured(options: argparse.Namespace) -> Iterator[list[dict[str, Any]]]:
    """Round by round, a row for every process."""
    used = {CONTESTANTS[name].environment for name in options.contestants} | {"keras"}
    pythons = {name: getattr(options, f"python_{name}") or environments.interpreter(name) for name in used}
    images = environments.HOME / "mnist.npy"
    if not images.exists():
        environments.run(pythons["keras"], "keras", "", "images.py", str(images))
    common = {"cores": len(os.sched_getaffinity(0)), "date": datetime.date.today().isoformat()}
    for number in range(options.rounds):
        rows: list[dict[str, Any]] = []
        for name in options.cases:
            case = (CASES | GROWN)[name]
            taking_part = [contestant for contestant in case.contestants if contestant in options.contestants]
            turn = number % max(len(taking_part), 1)  # nobody always comes first
            for who in [*taking_part[turn:], *taking_part[:turn]]:
                of = CONTESTANTS[who]
                output = environments.run(
                    pythons[of.environment], of.environment, of.keras_backend, "measure.py", name, who
                )
                for label, found in zip(labels(name), json.loads(output), strict=True):
                    figures = {key: round(value, 4) for key, value in found.items()}
                    sizes = {"rows": case.rows, "batch_size": case.batch_size}
                    rows.append({"case": label, "contestant": who, "round": number + 1, **figures, **sizes, **common})
                    print(f"round {number + 1}: {label}: {who}: {found['seconds']:.3f} s", flush=True)
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


def save(earlier: list[dict[str, Any]], new: list[dict[str, Any]], path: Path) -> None:
    """Writes the CSV and its report, with the earlier rows of what was not measured anew."""
    done = {(row["case"], row["contestant"]) for row in new}
    rows = [row for row in earlier if (row["case"], row["contestant"]) not in done] + new
    order = [label for name in (*CASES, *GROWN) for label in labels(name)]
    rows.sort(key=lambda row: (order.index(row["case"]), list(CONTESTANTS).index(row["contestant"])))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    report.write(read(path), path)


def main() -> None:
    """Measures, and writes or compares."""
    options = arguments()
    earlier, new = read(options.out), []
    for rows in measured(options):
        new += rows
        if not options.guard:
            save(earlier, new, options.out)
    if options.guard:
        sys.exit(report.compare(earlier, new, WORSE))


if __name__ == "__main__":
    main()
