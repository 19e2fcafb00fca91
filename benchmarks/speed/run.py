"""Speed and memory of training, against Keras' own recipe and a loop written by hand.

    python benchmarks/speed/run.py [--rounds 5] [--models mlp conv] [--images 60000] [--out results.csv]

Every run is a process of its own; the contestants take turns, so that what else the machine does hits all of them.
Writes one row per process to the CSV, and the medians to README.md beside it. The rows of models that are not measured
this time stay.
"""

import argparse
import csv
import datetime
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import report

FOLDER = Path(__file__).parent
CONTESTANTS = {  # name: (module of contestants, Keras backend)
    "keras_ae": ("keras_ae_fit", "tensorflow"),
    "stock": ("stock_keras", "tensorflow"),
    "handwritten": ("handwritten", "tensorflow"),
    "keras_ae_jax": ("keras_ae_fit", "jax"),
}
MODELS = ("mlp", "conv")
PACKAGES = ("keras", "tensorflow", "numpy")
MIN_IMAGES = 20_000  # five calls of 32 steps an epoch: fewer say nothing about a pause between epochs


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="processes per model and contestant (%(default)s)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS, metavar="MODEL", help="mlp, conv (both)")
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=["keras_ae", "stock", "handwritten"],
                        metavar="NAME", help=f"of {', '.join(CONTESTANTS)} (all but the last)")  # fmt: skip
    parser.add_argument("--images", type=int, default=60_000, help="images of MNIST to train on (%(default)s)")
    parser.add_argument("--epochs", type=int, default=4, help="epochs measured after the first (%(default)s)")
    parser.add_argument("--out", type=Path, default=FOLDER / "results.csv", help="the CSV (results.csv, beside this)")
    found = parser.parse_args()
    found.out.parent.mkdir(parents=True, exist_ok=True)
    if found.rounds < 1 or found.epochs < 2 or not MIN_IMAGES <= found.images <= 60_000:
        parser.error(f"needs at least 1 round, 2 epochs, and from {MIN_IMAGES:,} to 60,000 images")
    return found


def python(*command: object, backend: str = "tensorflow") -> str:
    """What a Python process prints; ends this one with its error when it fails."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, *map(str, command)], env=environment, cwd=FOLDER, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"failed: {command}")
    return done.stdout


def main() -> None:
    options = arguments()
    packages = [*PACKAGES, *(["jax"] if "keras_ae_jax" in options.contestants else [])]
    common = {
        "date": datetime.date.today().isoformat(),
        "images": options.images,
        "epochs": options.epochs,
        "cores": os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0)),
        "versions": " ".join(f"{name}={importlib.metadata.version(name)}" for name in packages),
    }
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images.npy"
        python("images.py", images, options.images)
        for model in options.models:
            for number in range(options.rounds):
                # The order turns, so that nobody always comes first.
                turn = number % len(options.contestants)
                for name in [*options.contestants[turn:], *options.contestants[:turn]]:
                    module, backend = CONTESTANTS[name]
                    output = python("measure.py", module, model, images, options.epochs, backend=backend)
                    measured = json.loads(output.strip().splitlines()[-1])
                    rows.append({"model": model, "contestant": name, "round": number + 1, **measured, **common})
                    print(f"{model} {name} {number + 1}: {measured['images_per_s']:,.0f} images/s", flush=True)
    rows = sorted([*kept(options.out, options.models), *rows], key=lambda row: MODELS.index(row["model"]))
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    text = report.markdown(rows)
    options.out.with_name("README.md").write_text(text)
    print(text)


def kept(path: Path, measured: Sequence[str]) -> list[dict[str, str]]:
    """The rows of an earlier CSV that this run does not replace."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["model"] not in measured]


if __name__ == "__main__":
    main()
