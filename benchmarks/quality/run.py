"""Trains a row of `rows.py` and measures log p(x) of the test split; one command a row.

    python benchmarks/quality/run.py vae-static --seeds 0

Each training has a run folder below runs/quality, and goes on there when it was interrupted, as does the estimate. On
a CPU, training of dense networks is fastest with `KERAS_BACKEND=jax` and `--train-only`, the estimate afterwards on
TensorFlow. The bound has 5,000 importance samples; a second process with `--backwards` shares the work, and two of one
core each (`taskset -c 0`, `taskset -c 1`) are faster together than one of two cores. Results go to results.csv, a line
a seed; docs/evaluation.md shows their means and deviations.
"""

import argparse
import csv
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import page
from rows import ROWS

from keras_ae import evaluation
from keras_ae.evaluation import LogLikelihood
from keras_ae.models import files
from keras_ae.training import RunFolder
from keras_ae.zoo import runs
from keras_ae.zoo.recipe import Recipe

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
    "precision",
    "float32_gain",
    "backend",
    "keras",
)

PART = 1000


def log_likelihood(model: Any, x: np.ndarray, samples: int, seed: int, folder: Path, backwards: bool) -> LogLikelihood:
    """The bound, some images at a time, each part kept in the run folder: an interruption costs one of them."""
    parts = {start: folder / f"log-prob-{samples}-{start:05}.npz" for start in range(0, len(x), PART)}
    for start in sorted(parts, reverse=backwards):
        if not parts[start].exists():
            found = evaluation.log_likelihood(model, x[start : start + PART], samples=samples, seed=seed + start)
            files.write(parts[start], partial(np.savez, **found._asdict()))
    stored = [np.load(file) for file in parts.values()]
    return LogLikelihood(*(np.concatenate([part[name] for part in stored]) for name in LogLikelihood._fields))


def cost_of_precision(recipe: Recipe, model: Any, test: np.ndarray, seed: int) -> float:
    """By how many nats the bound of 100 images, K = 500, is higher when the same weights compute in float32."""
    exact = replace(recipe, precision="float32").build(recipe.load("train"))
    exact.set_weights(model.get_weights())
    found, half = (evaluation.log_likelihood(m, test[:100], samples=500, seed=seed).log_prob for m in (exact, model))
    return float((found - half).mean())


def measure(row: str, seed: int, samples: int, epochs: int | None, train_only: bool, backwards: bool) -> dict[str, Any]:
    """Trains (on) and evaluates one model."""
    settings = ROWS[row]["recipe"] | {"seed": seed} | ({"epochs": epochs} if epochs else {})
    start = settings.get("pretrained", "")
    if start.startswith("runs/") and not Path(start).exists():
        raise SystemExit(f"{row} goes on from {start}, which `run.py {ROWS[row]['after']} --seeds 0` makes.")
    recipe = Recipe(**{"patience": settings["epochs"], **settings})
    folder = RunFolder(Path("runs/quality") / f"{row}-{seed}-{recipe.epochs}")
    ended = folder.model_file.exists()  # then another process may use the folder, too
    model = runs.trained(folder.path) if ended else runs.train(recipe, folder, resume=folder.exists())
    history = folder.history()
    best = min(history, key=lambda epoch: sum(epoch[f"val_{name}"] for name in recipe.monitor))
    if train_only:
        return {"row": row, "seed": seed, "seconds": folder.seconds(), "best": best}
    test = recipe.evaluation_data("test")
    found = log_likelihood(model, test, samples, seed, folder.path, backwards)
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
        "precision": recipe.precision or "float32",
        "float32_gain": round(cost_of_precision(recipe, model, test, seed), 4) if recipe.precision else "",
        "backend": folder.config["backend"],
        "keras": keras.__version__,
    }


def write(rows: list[dict[str, Any]]) -> None:
    """The table, and the page that shows it."""
    with open(page.RESULTS, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    page.main()


def main() -> None:
    """Measures one row for some seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--samples", type=int, default=5000, help="importance samples an example")
    parser.add_argument("--epochs", type=int, help="instead of the row's own, to try it out")
    parser.add_argument("--train-only", action="store_true", help="leave the estimate to a later call")
    parser.add_argument("--backwards", action="store_true", help="estimate the last images first")
    arguments = parser.parse_args()
    for seed in arguments.seeds:
        options = (arguments.samples, arguments.epochs, arguments.train_only, arguments.backwards)
        found = measure(arguments.row, seed, *options)
        print(found, flush=True)
        if not arguments.epochs and not arguments.train_only:
            others = [r for r in page.read(page.RESULTS) if (r["row"], int(r["seed"])) != (found["row"], found["seed"])]
            write(sorted([*others, found], key=lambda r: (list(ROWS).index(r["row"]), int(r["seed"]))))


if __name__ == "__main__":
    main()
