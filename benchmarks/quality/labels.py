"""Few labels: the table of examples/semi_supervised.py, over several draws of the labels.

    python benchmarks/quality/labels.py
    python benchmarks/quality/labels.py --methods M2 --counts 100 --epochs 100
    python benchmarks/quality/labels.py --preset vae_digits --counts 50 200 --seeds 0

Prints errors of the test images in %. Without a preset they go to labels.csv, from where an interrupted call goes on,
and docs/models/semi_supervised_vae.md shows their means and deviations over the draws. Another VAE in the example makes
labels.csv out of date: delete it.
"""

import argparse
import csv
import statistics
import sys
import time
from pathlib import Path

import keras
import page

from keras_ae.data import keep_labels

sys.path.insert(0, str(page.PAGE.parent.parent / "examples"))
from semi_supervised import EPOCHS, METHODS, Task, m1

RESULTS = Path(__file__).with_name("labels.csv")
PAGE = page.PAGE.parent / "models" / "semi_supervised_vae.md"
TAKE_EPOCHS = ("M2", "M1+M2")  # the other methods have a fixed number of steps


def table(lines: list[dict[str, str]]) -> list[str]:
    """Means and deviations of the errors over the draws of the labels."""
    counts = sorted({int(line["labels"]) for line in lines})
    rows = [f"| error on the test images, % | {' | '.join(f'{count:,} labels' for count in counts)} |"]
    rows += ["|---" * (1 + len(counts)) + "|"]
    measured = {(line["method"], int(line["epochs"])) for line in lines}
    for method, epochs in sorted(measured, key=lambda kind: ([*METHODS].index(kind[0]), kind[1])):
        cells, kind = [], {"method": method, "epochs": str(epochs)}
        for count in counts:
            values = [float(r["error"]) for r in lines if {**kind, "labels": str(count)}.items() <= r.items()]
            deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.2f}{deviation} ({len(values)})" if values else "")
        longer = "" if epochs == EPOCHS else f", {epochs / EPOCHS:g} times the epochs"
        rows.append(f"| {method}{longer} | {' | '.join(cells)} |")
    return rows


def main() -> None:
    """Trains what is missing; what was measured before stays."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="", help="M1; the VAE of the example if not given")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=[*METHODS])
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1000, 3000], help="labels")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="draws of the labels")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of M1+M2; M2 takes a quarter")
    options = parser.parse_args()
    vae, recipe = m1(options.preset)
    train, test = (recipe.load(split) for split in ("train", "test"))
    lines = [] if options.preset else page.read(RESULTS)
    for seed in options.seeds:
        for count in options.counts:
            task = Task(vae, train, test, keep_labels(train.y, count, seed), seed, options.epochs)
            for method in options.methods:
                epochs = options.epochs if method in TAKE_EPOCHS else EPOCHS
                key = {"method": method, "labels": str(count), "seed": str(seed), "epochs": str(epochs)}
                if any(key.items() <= line.items() for line in lines):
                    continue
                keras.utils.set_random_seed(seed)
                start = time.perf_counter()
                error = METHODS[method](task)
                seconds = round(time.perf_counter() - start)
                lines.append({**key, "error": f"{100 * error:.2f}", "seconds": str(seconds)})
                print(lines[-1], flush=True)
                if not options.preset:
                    with open(RESULTS, "w", newline="") as file:
                        writer = csv.DictWriter(file, list(lines[-1]), lineterminator="\n")
                        writer.writeheader()
                        writer.writerows(lines)
                    page.replace(PAGE, "labels", table(lines))
    print(*table(lines), sep="\n")


if __name__ == "__main__":
    main()
