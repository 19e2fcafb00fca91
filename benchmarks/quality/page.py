"""Writes the tables of results.csv and estimators.csv into docs/evaluation.md.

python benchmarks/quality/page.py
"""

import csv
import statistics
from pathlib import Path

from rows import ROWS

HERE = Path(__file__).parent
RESULTS, ESTIMATORS = HERE / "results.csv", HERE / "estimators.csv"
PAGE = HERE.parents[1] / "docs" / "evaluation.md"
START, END = "<!-- {what}: written by benchmarks/quality -->", "<!-- end of {what} -->"


def read(file: Path) -> list[dict[str, str]]:
    """The lines of a CSV; none if there is no such file."""
    if not file.exists():
        return []
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


def results() -> list[str]:
    """What the models reach, a line for each row of rows.py that was measured."""
    runs = read(RESULTS)
    lines = ["| row | log p(x) | K | ELBO | active units | best epoch of | minutes a training | seeds | published |"]
    lines += ["|---|---|---|---|---|---|---|---|---|"]
    return lines + [
        line(row, [r for r in runs if r["row"] == row]) for row in ROWS if any(r["row"] == row for r in runs)
    ]


def line(row: str, runs: list[dict[str, str]]) -> str:
    """Means and standard deviations over the seeds of a row."""

    def spread(name: str, digits: int) -> str:
        values = [float(run[name]) for run in runs]
        deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.{digits}f}{deviation}"

    epochs = ", ".join(f"{run['best_epoch']}/{run['epochs']}" for run in runs)
    epochs += f", after {ROWS[row]['after']}" if "after" in ROWS[row] else ""
    cells = [row, spread("log_prob", 2), runs[0]["samples"], spread("elbo", 2), spread("active_units", 0), epochs]
    return "| " + " | ".join(map(str, [*cells, f"{minutes(row):.0f}", len(runs), ROWS[row]["published"]])) + " |"


def minutes(row: str) -> float:
    """Of a training, with those of the row that it goes on from."""
    before = minutes(ROWS[row]["after"]) if "after" in ROWS[row] else 0
    return before + statistics.mean(float(run["training_seconds"]) for run in read(RESULTS) if run["row"] == row) / 60


def estimators() -> list[str]:
    """What the estimators say of one model."""
    lines = ["| estimate | nats | standard error | effective samples | seconds |", "|---|---|---|---|---|"]
    names = ("estimate", "nats", "standard_error", "effective_sample_size", "seconds")
    return lines + ["| " + " | ".join(row[name] for name in names) + " |" for row in read(ESTIMATORS)]


def replace(page: Path, what: str, lines: list[str]) -> None:
    """Puts a table between its markers in a page."""
    text = page.read_text()
    start, end = START.format(what=what), END.format(what=what)
    block = "\n".join(lines)
    page.write_text(f"{text[: text.index(start)]}{start}\n{block}\n{text[text.index(end) :]}")


def main() -> None:
    """Puts both tables of the evaluation between their markers."""
    replace(PAGE, "results", results())
    replace(PAGE, "estimators", estimators())


if __name__ == "__main__":
    main()
