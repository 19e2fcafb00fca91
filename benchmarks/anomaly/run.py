"""Anomaly detection on tables and images in which one class is rare.

    python benchmarks/anomaly/run.py [--seeds 5] [--sets wine iris] [--detectors keras_ae] [--out results.csv]
    python benchmarks/anomaly/run.py --images [--seeds 3] [--rows 1000]

Trains each detector, with its defaults, on rows of which up to one in eleven is rare, and asks how well its scores of
other rows find the rare ones: area under the ROC curve and average precision. With `--images`: on images of one digit
of MNIST, tested on images of all ten. Writes one row per data set, seed and detector to the CSV, means to README.md.
Rows of what is not measured this time stay.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sets
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.lof import LOF
from pyod.models.pca import PCA
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

import keras_ae
from keras_ae.tasks import AnomalyDetector

FOLDER = Path(__file__).parent
START, END = "<!-- results: written by run.py -->\n", "<!-- end of results -->"
CONTESTANTS: dict[str, Callable[[np.ndarray, int], Any]] = {
    "isolation forest": lambda x, seed: IForest(random_state=seed),
    "local outlier factor": lambda x, seed: LOF(),
    # More components than the rank have eigenvalues of 0, which its scores divide by.
    "PCA": lambda x, seed: PCA(n_components=int(np.linalg.matrix_rank(x)), svd_solver="full"),
    "k nearest neighbours": lambda x, seed: KNN(),
}
DETECTORS = ("keras_ae", *CONTESTANTS)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="splits of each set (%(default)s)")
    parser.add_argument("--sets", nargs="+", choices=sets.NAMES, default=sets.NAMES, metavar="SET", help="(all)")
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=DETECTORS, metavar="NAME", help="(all)")
    parser.add_argument("--images", action="store_true", help="MNIST, one digit normal, in place of tables")
    parser.add_argument("--rows", type=int, default=1000, help="images to train on (%(default)s)")
    parser.add_argument("--out", type=Path, default=FOLDER / "results.csv", help="the CSV (results.csv, beside this)")
    return parser.parse_args()


def anomaly_scores(detector: str, train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Scores of test rows, higher for more anomalous. The others get standardised columns."""
    if detector == "keras_ae":
        return -AnomalyDetector(random_state=seed).fit(train).score_samples(test)
    train, test = train.reshape(len(train), -1), test.reshape(len(test), -1)
    if train.shape[1] < 500:  # pixels share one scale already
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
    return CONTESTANTS[detector](train, seed).fit(train).decision_function(test)


def images(seed: int, rows: int) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Ten rounds: each digit normal once; as many images of other digits as of it in the test."""
    data = {split: keras_ae.data.load("mnist", split) for split in ("train", "test")}
    rng = np.random.default_rng(seed)
    for digit in range(10):
        train = rng.permutation(np.flatnonzero(data["train"].y == digit))[:rows]
        normal, other = (np.flatnonzero((data["test"].y == digit) == same) for same in (True, False))
        test = np.r_[normal, rng.permutation(other)[: len(normal)]]
        yield f"mnist {digit}", data["train"].x[train], data["test"].x[test], data["test"].y[test] != digit


def rounds(options: argparse.Namespace, seed: int) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Name, training rows, test rows, and which of these are rare."""
    if options.images:
        yield from images(seed, options.rows)
    else:
        yield from ((name, *sets.split(name, seed)) for name in options.sets)


def means(results: pd.DataFrame) -> str:
    """A table: ROC area / average precision of each detector."""
    groups = {
        "sets that the default was chosen on": results[results["set"].isin(sets.TUNED_ON)],
        "sets that confirm it": results[results["set"].isin(sets.CONFIRMED_ON)],
        "all sets": results[results["set"].isin(sets.NAMES)],
        "MNIST, one digit normal": results[results["set"].str.startswith("mnist")],
    }
    lines = [f"| mean over | {' | '.join(DETECTORS)} |", f"|---|{'--:|' * len(DETECTORS)}"]
    groups |= {name: part for name, part in results.groupby("set") if name in sets.NAMES}
    for name, part in groups.items():
        if len(part):
            by = part.groupby("detector")[["auc", "ap"]].mean()
            cells = [f"{by.auc[d]:.3f} / {by.ap[d]:.3f}" if d in by.index else "-" for d in DETECTORS]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    options, rows = arguments(), []
    for seed in range(options.seeds):
        for name, train, test, rare in rounds(options, seed):
            for detector in options.detectors:
                start = time.perf_counter()
                scores = anomaly_scores(detector, train, test, seed)
                figures = {"auc": roc_auc_score(rare, scores), "ap": average_precision_score(rare, scores)}
                seconds = time.perf_counter() - start
                rows.append({"set": name, "seed": seed, "detector": detector, **figures, "seconds": seconds})
            print(seed, name, *(f"{row['auc']:.3f}" for row in rows[-len(options.detectors) :]), flush=True)
    found = pd.DataFrame(rows)
    if options.out.exists():
        before = pd.read_csv(options.out)
        key = ["set", "detector", "seed"]
        found = pd.concat([before, found]).drop_duplicates(key, keep="last").sort_values(key)
    found = found.round(4)
    found.to_csv(options.out, index=False)
    if options.out.parent == FOLDER:
        page = FOLDER / "README.md"
        head, rest = page.read_text().split(START)
        page.write_text(f"{head}{START}{means(found)}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
