"""Trains a row of `rows.py` and measures log p(x) of the test split; one command a row.

    KERAS_BACKEND=jax python benchmarks/quality/run.py vae-static --seeds 0 1 2

Each training has a run folder below runs/quality, and goes on there when it was interrupted. The bound has 5,000
importance samples. Results go to results.csv, a line a seed, and as means and standard deviations to README.md.
"""

import argparse
import csv
import statistics
from pathlib import Path
from typing import Any

import keras
from rows import ROWS

from keras_ae import evaluation
from keras_ae.training import RunFolder
from keras_ae.zoo import recipe as recipes

HERE = Path(__file__).parent
RESULTS = HERE / "results.csv"
COLUMNS = (
    "row",
    "seed",
    "log_prob",
    "standard_error",
    "effective_sample_size",
    "elbo",
    "rate",
    "active_units",
    "train_loss",
    "val_loss",
    "best_epoch",
    "epochs",
    "training_seconds",
    "samples",
    "examples",
    "backend",
    "keras",
)
HEAD = """# Quality

Estimates of log p(x) in nats on the test split, by the importance-weighted bound; mean and standard deviation over
seeds.
Written by [run.py](run.py) from [results.csv](results.csv); settings in [rows.py](rows.py).

| row | log p(x) | K | ELBO | active units | best epoch of | minutes a training | seeds | published |
|---|---|---|---|---|---|---|---|---|
"""


def measure(row: str, seed: int, samples: int, epochs: int | None) -> dict[str, Any]:
    """Trains (on) and evaluates one model."""
    settings = ROWS[row]["recipe"] | {"seed": seed} | ({"epochs": epochs} if epochs else {})
    recipe = recipes.Recipe(**{"patience": settings["epochs"], **settings})
    folder = RunFolder(Path("runs/quality") / f"{row}-{seed}-{recipe.epochs}")
    model = recipes.train(recipe, folder, resume=folder.exists())
    history = folder.history()
    best = min(history, key=lambda epoch: sum(epoch[f"val_{name}"] for name in recipe.monitor))
    test = recipe.evaluation_data("test")
    found = evaluation.log_likelihood(model, test, samples=samples, seed=seed)
    bound = evaluation.elbo(model, test, seed=seed)
    return {
        "row": row,
        "seed": seed,
        "log_prob": round(float(found.log_prob.mean()), 3),
        "standard_error": round(float(found.log_prob.std()) / len(test) ** 0.5, 3),
        "effective_sample_size": round(float(found.effective_sample_size.mean()), 1),
        "elbo": round(float(bound.elbo.mean()), 3),
        "rate": round(float(bound.rate.mean()), 3),
        "active_units": evaluation.active_units(model, test).number,
        "train_loss": round(sum(best[name] for name in recipe.monitor), 3),
        "val_loss": round(sum(best[f"val_{name}"] for name in recipe.monitor), 3),
        "best_epoch": int(best["epoch"]),
        "epochs": len(history),
        "training_seconds": round(folder.seconds()),
        "samples": samples,
        "examples": len(test),
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
    }


def results() -> list[dict[str, str]]:
    """What was measured so far."""
    if not RESULTS.exists():
        return []
    with open(RESULTS, newline="") as file:
        return list(csv.DictReader(file))


def write(rows: list[dict[str, Any]]) -> None:
    """The table and the page that is made of it."""
    with open(RESULTS, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = [line(row, [r for r in rows if r["row"] == row]) for row in ROWS if any(r["row"] == row for r in rows)]
    (HERE / "README.md").write_text(HEAD + "".join(lines))


def line(row: str, runs: list[dict[str, Any]]) -> str:
    """One row of the page."""

    def spread(name: str, digits: int) -> str:
        values = [float(run[name]) for run in runs]
        deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.{digits}f}{deviation}"

    epochs = ", ".join(f"{run['best_epoch']}/{run['epochs']}" for run in runs)
    minutes = statistics.mean(float(run["training_seconds"]) for run in runs) / 60
    cells = [row, spread("log_prob", 2), runs[0]["samples"], spread("elbo", 2), spread("active_units", 0), epochs]
    return "| " + " | ".join(map(str, [*cells, f"{minutes:.0f}", len(runs), ROWS[row]["published"]])) + " |\n"


def main() -> None:
    """Measures one row for some seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--samples", type=int, default=5000, help="importance samples an example")
    parser.add_argument("--epochs", type=int, help="instead of the row's own, to try it out")
    arguments = parser.parse_args()
    for seed in arguments.seeds:
        found = measure(arguments.row, seed, arguments.samples, arguments.epochs)
        print(found, flush=True)
        if not arguments.epochs:
            others = [r for r in results() if (r["row"], int(r["seed"])) != (found["row"], found["seed"])]
            write(sorted([*others, found], key=lambda r: (list(ROWS).index(r["row"]), int(r["seed"]))))


if __name__ == "__main__":
    main()
