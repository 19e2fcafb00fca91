"""The README of the results."""

import statistics
from typing import Any

TEXT = """# Speed of training

How fast `fit` of a VAE is, on the images of MNIST (black or white, float32), against the same model in

- **stock**: the recipe of keras.io: a `keras.Model` with a gradient tape in `train_step`, `fit` on the array;
- **handwritten**: one `tf.function` call a step, which gathers the batch from the array by shuffled rows.

`mlp` is 784-512-256-16 with the mirrored decoder; `conv` has 32 and 64 channels with stride 2, a dense layer of 256 and
a code of 16. All have as many parameters, float32, batches of 128 and Adam with 0.001 (stock and handwritten
`keras.optimizers.Adam`, which is not fused; keras_ae what `compile("adam")` gives).

Each run is a process of its own: one epoch to warm up, then the measured epochs with all that lies between them. The
contestants take turns; ratios are of runs of the same round. Other work on the same cores moves the speed by a factor
of two (see the range of the ratios); CPU seconds suffer less.

{tables}
- first epoch: from building the model to the end of the first epoch, compilation included;
- CPU: seconds of all cores, over the measured epochs;
- peak: resident memory of the whole process, TensorFlow and the images included;
- gap: the longest pause between two epochs;
- loss: mean of the last epoch, in nats, to show that all train the same thing.

`python benchmarks/speed/run.py` writes this file and `results.csv`, with a row for every run; `--help` lists the
options.
"""

COLUMNS = ("images_per_s", "first_epoch_s", "cpu_s", "peak_mib", "gap_s", "loss")


def markdown(rows: list[dict[str, Any]]) -> str:
    """README.md for the rows of `results.csv`."""
    models = dict.fromkeys(row["model"] for row in rows)
    return TEXT.format(
        tables="\n".join(_table(model, [row for row in rows if row["model"] == model]) for model in models)
    )


def _table(model: str, rows: list[dict[str, Any]]) -> str:
    """The medians of one model, and the ratios of keras_ae to the others."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        runs.setdefault(row["contestant"], []).append(row)
    first = rows[0]
    rounds = max(int(row["round"]) for row in rows)
    lines = [
        f"## {model}, {int(first['parameters']):,} parameters\n",
        f"Median of {rounds} rounds, {int(first['images']):,} images, {first['epochs']} measured epochs, "
        f"{first['cores']} cores, {first['date']}, {first['versions'].replace(' ', ', ').replace('=', ' ')}.\n",
        "| | images/s | first epoch, s | CPU, s | peak, MiB | gap, s | loss |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, found in runs.items():
        values = [statistics.median(float(row[column]) for row in found) for column in COLUMNS]
        lines.append(f"| {name} | " + "{:,.0f} | {:.1f} | {:.1f} | {:,.0f} | {:.2f} | {:.1f} |".format(*values))
    others = [name for name in runs if name != "keras_ae"]
    if "keras_ae" in runs and others:
        lines += ["\n| keras_ae / | images/s (lowest to highest) | CPU | peak |", "|---|--:|--:|--:|"]
        for name in others:
            speed, cpu, peak = (_ratios(runs["keras_ae"], runs[name], c) for c in ("images_per_s", "cpu_s", "peak_mib"))
            lines.append(
                f"| {name} | **{statistics.median(speed):.2f}** ({min(speed):.2f} to {max(speed):.2f}) | "
                f"{statistics.median(cpu):.2f} | {statistics.median(peak):.2f} |"
            )
    return "\n".join(lines) + "\n"


def _ratios(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], column: str) -> list[float]:
    """Our value over theirs, in every round."""
    values = {row["round"]: float(row[column]) for row in theirs}
    return [float(row[column]) / values[row["round"]] for row in ours if row["round"] in values]
