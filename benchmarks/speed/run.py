"""Speed and memory, side by side with what people would use instead.

    python benchmarks/speed/run.py                       # 40 minutes on two idle cores; --full takes what it takes
    python benchmarks/speed/run.py --cases "mlp 128" --contestants keras_ae torch --rounds 3 --out /tmp/results.csv
    python benchmarks/speed/run.py --resume              # goes on where the last one was interrupted
    python benchmarks/speed/run.py --imitate avx2        # as on a processor with AVX2 alone, rows of their own
    python benchmarks/speed/run.py --guard main          # exit code 1 where the working tree is slower than a commit

Every measurement is a process of its own, in a pinned virtual environment that the first call makes; the contestants
take turns in every round, so that what else the machine does hits all of them. Writes a row per process to the CSV, and
in the end medians and ratios to README.md and docs/images/speed.png, as report.py does; rows of other processors, and
of cases that are not measured this time, stay. The guard writes nothing and compares with nothing stored.
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
import guard
import report
from cases import CASES, CONTESTANTS, GROWN, OURS, PARTS

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
    "processor",
    "instructions",
    "settings",
    "date",
)
ROUNDS, ROUNDS_OF_GUARD = 5, 25


def interpreter(path: str) -> Path:
    """The absolute path of an interpreter, since contestants run in another folder."""
    if not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {path}")
    return Path(path).absolute()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rounds",
        type=int,
        help=f"processes per case and contestant ({ROUNDS}; at most {ROUNDS_OF_GUARD} of the guard)",
    )
    parser.add_argument("--full", action="store_true", help="also how cost grows with every size")
    parser.add_argument("--cases", nargs="+", choices=[*CASES, *GROWN], metavar="CASE", help="(all)")
    parser.add_argument(
        "--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), metavar="NAME", help="(all)"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="the CSV (results.csv, beside this)")
    against_csv = parser.add_mutually_exclusive_group()
    against_csv.add_argument("--resume", action="store_true", help="measure what the CSV lacks of the rounds")
    against_csv.add_argument(
        "--guard", nargs="?", const="HEAD", metavar="REVISION", help="compare with a commit (HEAD)"
    )
    parser.add_argument("--imitate", choices=environments.IMITATED, help="a processor with these instructions alone")
    for name in ("keras", "torch"):
        parser.add_argument(f"--python-{name}", type=interpreter, help=f"interpreter instead of the environment {name}")
    found = parser.parse_args()
    if found.rounds is None:
        found.rounds = ROUNDS_OF_GUARD if found.guard else ROUNDS
    if found.rounds < 1:
        parser.error("needs at least 1 round")
    if found.guard:
        found.contestants = [who for who in found.contestants if CONTESTANTS[who].module == OURS]
    found.cases = found.cases or [*CASES, *(GROWN if found.full else {})]
    if not any({*found.contestants} & {*(CASES | GROWN)[name].contestants} for name in found.cases):
        parser.error("none of these contestants takes part in these cases")
    return found


class Measurement:
    """Processes of the environments that some options need."""

    def __init__(self, options: argparse.Namespace) -> None:
        used = {CONTESTANTS[name].environment for name in options.contestants} | {"keras"}
        self.pythons = {name: getattr(options, f"python_{name}") or environments.interpreter(name) for name in used}
        self.imitated = options.imitate
        self.common = {
            "cores": len(os.sched_getaffinity(0)),
            **environments.processor(options.imitate),
            "date": datetime.date.today().isoformat(),
        }
        images = environments.HOME / "mnist.npy"
        if not images.exists():
            variables = environments.variables("keras", None, False)
            environments.run(self.pythons["keras"], variables, "images.py", str(images))

    def rows(self, name: str, who: str, tree: Path = environments.ROOT) -> list[dict[str, Any]]:
        """One process of a contestant, with the package of a tree: a row for each part of the case."""
        of, case = CONTESTANTS[who], (CASES | GROWN)[name]
        chooses_onednn = of.module == OURS and case.what != "serve"  # what is served runs without the package
        variables = environments.variables(of.environment, self.imitated, chooses_onednn)
        variables["KERAS_BACKEND"] = of.keras_backend or "tensorflow"
        output = environments.run(self.pythons[of.environment], variables, "measure.py", name, who, tree=tree)
        settings = {"settings": environments.relevant(variables)}
        sizes = {"rows": case.rows, "batch_size": case.batch_size}
        rows = []
        for label, found in zip(labels(name), json.loads(output), strict=True):
            figures = {key: round(value, 4) for key, value in found.items()}
            rows.append({"case": label, "contestant": who, **figures, **sizes, **settings, **self.common})
        return rows


def turns(options: argparse.Namespace, number: int) -> list[tuple[str, str]]:
    """(case, contestant) in the order of a round: nobody always comes first."""
    found = []
    for name in options.cases:
        taking_part = [who for who in (CASES | GROWN)[name].contestants if who in options.contestants]
        turn = number % max(len(taking_part), 1)
        found += [(name, who) for who in [*taking_part[turn:], *taking_part[:turn]]]
    return found


def key(row: dict[str, Any]) -> tuple[str, ...]:
    """Rows with the same key are rounds of one measurement."""
    return row["case"], row["contestant"], row["processor"], row["instructions"]


def measured(options: argparse.Namespace, done: set[tuple]) -> Iterator[list[dict[str, Any]]]:
    """Process by process, a row for each part; without the (key, round) that are `done`."""
    measurement = Measurement(options)
    for number in range(1, 1 + options.rounds):
        for name, who in turns(options, number):
            first = {"case": labels(name)[0], "contestant": who, **measurement.common}
            if (key(first), number) in done:
                continue
            rows = [row | {"round": number} for row in measurement.rows(name, who)]
            for row in rows:
                print(f"round {number}: {row['case']}: {who}: {row['seconds']:.3f} s", flush=True)
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
    if options.guard:
        found = guard.compare(options.guard, turns(options, 0), options.rounds, Measurement(options).rows)
        sys.exit(guard.report(found, options.guard))
    earlier, new = read(options.out), []
    done = {(key(row), int(row["round"])) for row in earlier} if options.resume else set()
    for rows in measured(options, done):
        new += rows
        replaced = set() if options.resume else {key(row) for row in new}
        write([row for row in earlier if key(row) not in replaced] + new, options.out)
    report.write(read(options.out), options.out)


if __name__ == "__main__":
    main()
